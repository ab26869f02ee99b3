"""``mislabels queue|queues|export|import``: the annotators' store without a browser."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

import pandas as pd

from influence_core.analysis import (
    DATASETS,
    SIGNALS,
    DataError,
    Problem,
    contents,
)
from influence_core.annotations import (
    Context,
    Original,
    Plan,
    Queue,
    Store,
    create_queue,
    export,
    import_label_studio,
    open_store,
    queues,
)
from influence_core.cli.common import add_settings, settings_of, task, write_table
from influence_core.reviewing import Recipe, duplicates, offered, run, samples, score


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands and their arguments."""
    queue = words.add_parser("queue", help="score the training labels and make a new queue version in the store")
    queue.add_argument("--strategy", default="self_influence", choices=list(SIGNALS))
    queue.add_argument("--limit", type=int, metavar="K", help="cards; default: every row nobody has settled")
    queue.add_argument("--overlap", type=int, default=1, help="answers wanted per card")
    queue.add_argument("--blind", action="store_true", help="hide suggestion and evidence until a first answer")
    listed = words.add_parser("queues", help="the queues of these data")
    export_ = words.add_parser("export", help="every file of the export, into a folder")
    export_.add_argument("folder", type=Path)
    export_.add_argument("--rows", default="all", choices=["all", "decided"])
    export_.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="the uploaded file, for a dataset_clean that differs from it in corrected labels only",
    )
    import_ = words.add_parser("import", help="read the answers of a Label Studio JSON export")
    import_.add_argument("file", type=Path)
    for command, start in ((queue, run_queue), (listed, run_queues), (export_, run_export), (import_, run_import)):
        add_settings(command)
        command.set_defaults(run=start)
        if command is not listed:
            command.add_argument("--by", default=None, help="whose name stands in the log; default: the user's")
        if command in {export_, import_}:
            command.add_argument("--version", type=int, help="of the queue; default: the newest")
    listed.add_argument("--out", type=Path, metavar="FILE")


def run_queue(arguments: argparse.Namespace) -> None:
    """Score, and store a queue; its version goes to the standard output."""
    settings, given = settings_of(arguments), _problem(arguments)
    cheap = [name for name, signal in SIGNALS.items() if signal.cheap]
    recipe = Recipe(settings, None, offered([*cheap, arguments.strategy]))
    scored = score(recipe, given, task())
    plan = Plan(
        arguments.strategy,
        arguments.limit,
        overlap=arguments.overlap,
        duplicates=duplicates(scored),
        blind=arguments.blind,
        seed=settings.seed,
    )
    known = samples(given.split, _title(arguments))
    made = create_queue(open_store(), known, run(scored, recipe), plan, _name(arguments))
    print(f"queue version {made.version}: {made.size} cards by {made.strategy}")


def run_queues(arguments: argparse.Namespace) -> None:
    """One row per queue of these data, the newest first."""
    found = queues(open_store(), _problem(arguments).split.train.fingerprint)
    names = ("version", "strategy", "size", "overlap", "blind", "control_fraction", "created_by", "trust")
    write_table(pd.DataFrame([{name: getattr(one, name) for name in names} for one in found]), arguments.out)


def run_export(arguments: argparse.Namespace) -> None:
    """Write the files of an export; their names go to the standard output."""
    store, problem = open_store(), _problem(arguments)
    chosen = _queue(store, problem, arguments.version)
    context = Context(items=contents.items(problem.split), original=_original(arguments, problem))
    files = export(store, chosen.id, _name(arguments), arguments.rows, context)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (arguments.folder / name).write_bytes(content)
        print(arguments.folder / name)


def _original(arguments: argparse.Namespace, problem: Problem) -> Original | None:
    """The uploaded table, else one that is put together from the features; images have none."""
    if arguments.table is None:
        sheet = contents.assembled(problem.split)
    else:
        table = arguments.table
        sheet = contents.uploaded(settings_of(arguments).data, problem.split, table.name, table.read_bytes())
    return None if sheet is None else Original(**vars(sheet))


def run_import(arguments: argparse.Namespace) -> None:
    """Store the answers of a file, and say what became of each."""
    store, problem = open_store(), _problem(arguments)
    chosen = _queue(store, problem, arguments.version)
    found = import_label_studio(store, chosen.id, arguments.file.read_bytes(), _name(arguments))
    print(f"{found.stored} answers stored, {found.known} known already")
    for sentence, count in found.left_out.items():
        print(f"{count} left out: {sentence}")


def _problem(arguments: argparse.Namespace) -> Problem:
    problem = Problem(settings_of(arguments))
    if not problem.split.train.classes:
        raise DataError("Mislabel review needs data with classes: choose others.")
    return problem


def _queue(store: Store, problem: Problem, version: int | None) -> Queue:
    found = queues(store, problem.split.train.fingerprint)
    for one in found:
        if version in {None, one.version}:
            return one
    raise DataError(f"These data have {len(found)} queues in the store: make one first, or name one that exists.")


def _title(arguments: argparse.Namespace) -> str:
    return DATASETS[settings_of(arguments).data.name].title


def _name(arguments: argparse.Namespace) -> str:
    return arguments.by or getpass.getuser()
