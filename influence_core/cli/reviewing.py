"""``mislabels queue|queues|export|import``: the annotators' store without a browser."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

import pandas as pd

from influence_core.analysis import (
    SIGNALS,
    DataError,
    Problem,
    contents,
    originals,
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
from influence_core.data import Whole
from influence_core.reviewing import Recipe, adopt_older, duplicates, offered, run, samples, score, title, under_review


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands and their arguments."""
    queue = words.add_parser("queue", help="score the training labels and make a new queue version in the store")
    queue.add_argument("--strategy", default="margin", choices=list(SIGNALS))
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
    groups = duplicates(scored)
    plan = Plan(
        arguments.strategy,
        arguments.limit,
        overlap=arguments.overlap,
        duplicates=groups,
        blind=arguments.blind,
        seed=settings.seed,
    )
    store = open_store()
    adopt_older(store, scored.whole, settings)
    known = samples(scored.whole, title(settings_of(arguments).data))
    made = create_queue(store, known, run(scored, recipe, groups), plan, _name(arguments))
    print(f"queue version {made.version}: {made.size} cards by {made.strategy}")


def run_queues(arguments: argparse.Namespace) -> None:
    """One row per queue of these data, the newest first."""
    found = queues(open_store(), under_review(_problem(arguments)).fingerprint)
    names = ("version", "strategy", "size", "overlap", "blind", "control_fraction", "created_by", "trust")
    write_table(pd.DataFrame([{name: getattr(one, name) for name in names} for one in found]), arguments.out)


def run_export(arguments: argparse.Namespace) -> None:
    """Write the files of an export; their names go to the standard output."""
    store, rows = open_store(), under_review(_problem(arguments))
    adopt_older(store, rows, settings_of(arguments))
    chosen = _queue(store, rows, arguments.version)
    context = Context(items=contents.items(rows.split), original=_original(arguments, rows))
    files = export(store, chosen.id, _name(arguments), arguments.rows, context)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (arguments.folder / name).write_bytes(content)
        print(arguments.folder / name)


def _original(arguments: argparse.Namespace, rows: Whole) -> Original | None:
    """The uploaded table, else one that is put together from the features; images have none."""
    data, table = settings_of(arguments).data, arguments.table
    file = None if table is None else (table.name, table.read_bytes())
    if file is None and data.name == "upload":
        file = originals.kept_original(str(dict(data.options)["id"]))
    sheet = contents.assembled(rows.split) if file is None else contents.uploaded(data, rows.split, *file)
    return None if sheet is None else Original(**vars(sheet))


def run_import(arguments: argparse.Namespace) -> None:
    """Store the answers of a file, and say what became of each."""
    store, rows = open_store(), under_review(_problem(arguments))
    chosen = _queue(store, rows, arguments.version)
    found = import_label_studio(store, chosen.id, arguments.file.read_bytes(), _name(arguments))
    print(f"{found.stored} answers stored, {found.known} known already")
    for sentence, count in found.left_out.items():
        print(f"{count} left out: {sentence}")


def _problem(arguments: argparse.Namespace) -> Problem:
    problem = Problem(settings_of(arguments))
    if not problem.split.train.classes:
        raise DataError("Mislabel review needs data with classes: choose others.")
    return problem


def _queue(store: Store, rows: Whole, version: int | None) -> Queue:
    found = queues(store, rows.fingerprint)
    for one in found:
        if version in {None, one.version}:
            return one
    raise DataError(f"These data have {len(found)} queues in the store: make one first, or name one that exists.")


def _name(arguments: argparse.Namespace) -> str:
    return arguments.by or getpass.getuser()
