"""Arguments and output that all commands share: settings, progress, tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from influence_core.analysis import Settings, Task, result_store
from influence_core.cells import to_csv
from influence_core.compute.executor import HERE, executor
from influence_core.files import json_text
from influence_core.settings import SettingsError, from_json, to_json

BAR = "{l_bar}{bar}| {elapsed}<{remaining}"
FORMATS = {".csv", ".parquet", ".json"}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Arguments ``--settings FILE`` and ``--set NAME=VALUE``."""
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON as 'Settings as a file' writes it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one setting by its name in a link, such as data.name=iris or model.l2=0.1; may be repeated",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Argument ``--cluster WHERE``."""
    parser.add_argument(
        "--cluster",
        default=HERE,
        metavar="WHERE",
        help="who computes: local:2 for two processes of this machine, tcp://… for a Dask scheduler "
        "(default: threads of this process)",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the arguments describe.

    Returns:
        Settings: the file's, or the defaults, with every ``--set`` applied.

    Raises:
        SettingsError: not such a file, an unknown name, or a value out of range.
    """
    text = _text(arguments.settings) if arguments.settings else to_json(Settings())
    from_json(text)  # refuses what is no settings file before anything is added to it
    document = json.loads(text)
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        if not equals or name in {"v", "view"}:
            raise SettingsError(f"--set: expected NAME=VALUE, got {pair[:40]!r}.")
        document[name] = value
    return from_json(json.dumps(document))


def _text(path: Path) -> str:
    try:
        return json_text(path.read_bytes())
    except ValueError as error:
        raise SettingsError(f"{path.name}: {error}.") from None


def task(cluster: str = HERE) -> Task:
    """Progress on the standard error where a person watches, the store of finished blocks, and who computes them."""
    bars: list[tqdm[Any]] = []  # one at a time, for the step that runs

    def report(done: float, total: float) -> None:
        if not bars:
            bars.append(tqdm(total=1.0, leave=False, disable=None, file=sys.stderr, bar_format=BAR))
        bars[0].n = min(done / total, 1.0)
        bars[0].refresh()
        if done >= total:
            bars.pop().close()

    return Task(report, store=result_store(), workers=executor(cluster))


def check_output(out: Path) -> None:
    """Refuse before anything is computed what could not be written afterwards.

    Raises:
        SettingsError: an ending that is not offered, or a folder that does not exist.
    """
    if out.suffix not in FORMATS:
        raise SettingsError(f"--out: expected a name that ends in {', '.join(sorted(FORMATS))}, got {out.name[:40]!r}.")
    if not out.absolute().parent.is_dir():
        raise SettingsError(f"--out: the folder {str(out.parent)[:200]!r} does not exist. Make it first.")


def write_table(table: pd.DataFrame, out: Path | None) -> None:
    """Write a table by the ending of its name; to the standard output as CSV without a name.

    In CSV, texts that a spreadsheet would take for formulas get an apostrophe in front.
    """
    if out is None:
        sys.stdout.write(to_csv(table).decode())
    elif out.suffix == ".csv":
        out.write_bytes(to_csv(table))
    elif out.suffix == ".parquet":
        table.to_parquet(out, index=False)
    elif out.suffix == ".json":
        table.to_json(out, orient="records", indent=1, force_ascii=False)
    else:
        check_output(out)


def write_json(document: Mapping[str, Any], out: Path) -> None:
    """Write a JSON object."""
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
