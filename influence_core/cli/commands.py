"""COMMANDS: the words of the command line, and what runs the one that was asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from influence_core.analysis import EXPECTED_ERRORS, Cancelled
from influence_core.annotations import AnnotationError, Refused, StoreUnavailable
from influence_core.cli import mislabels, numbers, questions, shards, stored
from influence_core.version import __version__

FAILED, INTERRUPTED = 2, 130
SCRIPT = "influence-explorer"  # what an installed package is called


@dataclass(frozen=True)
class Command:
    """One word of the command line.

    Attributes:
        help: one line.
        add: describes arguments; sets ``run``, a function of the parsed arguments, as a default.
    """

    help: str
    add: Callable[[argparse.ArgumentParser], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input and data end in a sentence on the standard error and status 2."""
    script = Path(sys.argv[0]).stem == SCRIPT
    parser = argparse.ArgumentParser(
        SCRIPT if script else "python -m influence_core", description="Influence Explorer without a browser."
    )
    parser.add_argument("--version", action="version", version=f"{SCRIPT} {__version__}")
    words = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.add(words.add_parser(name, help=command.help, description=command.help))
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (*EXPECTED_ERRORS, AnnotationError, Refused, StoreUnavailable, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except (KeyboardInterrupt, Cancelled):
        print("cancelled", file=sys.stderr)
        return INTERRUPTED
    return 0


def _add_merge(parser: argparse.ArgumentParser) -> None:
    shards.add_merge(parser, {**numbers.TABLES, "curve": mislabels.curve_result})


COMMANDS: Mapping[str, Command] = {
    "scores": Command("Predicted change of every test point when a training point leaves.", numbers.add_scores),
    "loo": Command("Measured change: refits without each training point.", numbers.add_loo),
    "lds": Command("Linear datamodelling score of the chosen estimator.", numbers.add_lds),
    "merge": Command("Put the shards of scores, loo, lds or mislabels curve together.", _add_merge),
    "flip": Command("The fewest training points found whose leaving turns a prediction.", questions.add_flip),
    "removal": Command("What happens without the most helpful points, against random ones.", questions.add_removal),
    "forest": Command("The training points that a random forest leans on.", questions.add_forest),
    "data": Command("Data sets that are never loaded whole: store a file, ask about it.", stored.add_commands),
    "mislabels": Command("Rank suspicious labels, make queues, export and import answers, retrain.", mislabels.add),
}
