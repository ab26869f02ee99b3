"""``data``: data sets that are never loaded whole, from a file to scores, signals and refits in a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from influence_core import wording
from influence_core.analysis import Settings
from influence_core.cli.common import add_cluster, add_settings, settings_of, task, write_json
from influence_core.compute import FloatArray
from influence_core.compute.executor import HERE
from influence_core.data import DataError
from influence_core.data.stored import Intake, Stored, add, content_of, opened, stored_names
from influence_core.influence import Watched
from influence_core.models import MODELS, QUANTITIES
from influence_core.settings import SettingsError, to_json
from influence_core.streamed import (
    PASSES,
    Cost,
    Departures,
    Streamed,
    counting,
    fit_cost,
    leave_each_out,
    leave_out,
    leave_together,
    relabelled,
    streamed,
    together,
    whole_test_set,
)
from influence_core.version import versions

SHARED = {"scores", "signals", "loo"}  # in pieces, which other processes can take
Chunks = Iterator[tuple[slice, Mapping[str, FloatArray]]]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """``add``, ``list``, ``check``, and the questions: ``scores``, ``signals``, ``relabel``, ``group`` and ``loo``."""
    words = parser.add_subparsers(required=True, metavar="WORD")
    _add_add(
        words.add_parser("add", help="Store a CSV, Parquet or NPZ file, or a zip of pictures.", description=add.__doc__)
    )
    words.add_parser("list", help="What is stored.").set_defaults(run=_list)
    check = words.add_parser("check", help="Read every byte and compare the checksums.")
    check.add_argument("name")
    check.set_defaults(run=lambda arguments: opened(arguments.name).verify(task()))
    for word, what, run in (
        ("scores", "Predicted change of test rows when a training row leaves.", _scores),
        ("signals", "Loss, margin, leverage and self-influence of every training row.", _signals),
        ("relabel", "Predicted change when a row gets the label that the model finds best among the others.", _relabel),
        ("group", "Predicted change when some rows leave together.", _group),
        ("loo", "Measured change: exact refits without the strongest rows of one test row, or each row.", _loo),
    ):
        one = words.add_parser(word, help=what, description=what)
        one.add_argument("name", help="of a stored data set")
        add_settings(one)
        one.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .parquet file")
        if word in SHARED:
            add_cluster(one)
        if word != "signals":
            one.add_argument("--test", type=int, nargs="+", default=[0], metavar="J", help="test rows (default: 0)")
        if word == "scores":
            one.add_argument("--mean", action="store_true", help="one column, the mean over all test rows")
        if word == "group":
            one.add_argument("--row", type=int, nargs="+", required=True, metavar="I", help="training rows that leave")
        if word == "loo":
            one.add_argument("--strongest", type=int, default=64, metavar="K", help="rows to leave out (default: 64)")
            one.add_argument("--all", action="store_true", help="every row; a stopped run goes on where it was")
        one.set_defaults(run=lambda arguments, run=run: _run(arguments, run))


def _add_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.add_argument("--name", required=True, help="letters, digits, dots, dashes, underscores")
    parser.add_argument("--target", default="", help="column to predict (default: the last one)")
    parser.add_argument("--id", default="", dest="identity", help="column with names of rows (default: content hashes)")
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out; may be repeated")
    parser.add_argument("--test", type=float, default=0.1, help="share of rows asked about (default: 0.1)")
    parser.add_argument("--fill", action="store_true", help="gaps get the mean, and a column that says so")
    parser.add_argument("--float32", action="store_true", dest="single", help="keep a table in single precision")
    parser.set_defaults(run=_add)


def _add(arguments: argparse.Namespace) -> None:
    chosen = Intake(
        target=arguments.target,
        identity=arguments.identity,
        drop=tuple(arguments.drop),
        test=arguments.test,
        fill=arguments.fill,
        single=arguments.single,
    )
    stored = add(arguments.file, arguments.name, chosen, task())
    print("\n".join((_said(stored), *stored.notes)))


def _list(_arguments: argparse.Namespace) -> None:
    for name in stored_names():
        try:
            print(_said(opened(name)))
        except DataError as error:
            print(error)


def _said(stored: Stored) -> str:
    what = f"{len(stored.class_names)} classes" if stored.class_names else f"a number, {stored.target_name}"
    return (
        f"{stored.name}: {len(stored.train):,} training and {len(stored.test):,} test rows, "
        f"{len(stored.feature_names):,} features ({stored.train.x.dtype}), {what}, {stored.nbytes / 1e6:,.0f} MB"
    )


def _run(arguments: argparse.Namespace, make: Any) -> None:
    settings, out, stored = settings_of(arguments), arguments.out, opened(arguments.name)
    if out.suffix != ".parquet" or not out.absolute().parent.is_dir():
        raise SettingsError(f"--out: expected a .parquet file in a folder that exists, got {str(out)[:200]!r}.")
    if "model.name" not in " ".join(arguments.set) and not arguments.settings:
        usual = "ridge" if not stored.class_names else "logistic" if len(stored.class_names) == 2 else "softmax"
        settings = replace(settings, model=replace(settings.model, name=usual))
    running, cost = task(getattr(arguments, "cluster", HERE)), fit_cost(settings.model, stored)
    print(
        f"{MODELS[settings.model.name].title}, l2 = {settings.model.l2:g} (--set model.l2=…), features standardised; "
        f"the fit: {cost}",
        file=sys.stderr,
    )
    at = streamed(settings.model, stored, settings.solver.damping or 0.0, task=counting(running, cost.passes))
    at = replace(at, passes=replace(at.passes, task=running))
    facts = make(arguments, settings, at)
    said = {
        "sign": wording.meaning(wording.watched(settings, stored.class_names), wording.orientation(settings)),
        "quantity": settings.quantity,
        "unit": QUANTITIES[settings.quantity].unit_of(at.model.loss),
        "scaling": "features have mean 0 and standard deviation 1 over the training rows",
        "data": stored.name,
        "read": stored.notes,
        "checksums": stored.checksums,
        "settings": json.loads(to_json(settings)),
        "versions": versions(),
        "gradient_norm": at.fit.gradient_norm,
        "converged": at.fit.converged,
        **facts,
    }
    write_json(said, out.with_name(f"{out.stem}.manifest.json"))


def _announced(cost: Cost) -> None:
    print(cost, file=sys.stderr)


def _watched(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> Watched:
    arguments.test = list(dict.fromkeys(arguments.test))
    return at.watched(np.array(arguments.test), settings.quantity, settings.target)


def _names(arguments: argparse.Namespace, at: Streamed) -> list[str]:
    ids = at.passes.stored.test.ids
    return [f"{ids[j].decode()} (test row {j})" for j in arguments.test]


def _scores(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> dict[str, Any]:
    if arguments.mean:
        watched, names = whole_test_set(at, settings.quantity, settings.target), ["mean over all test rows"]
    else:
        watched = _watched(arguments, settings, at)
        names = _names(arguments, at)
    _announced(at.cost(1, len(names)))
    found = at.scores(watched, settings.estimator)
    chunks: Chunks = ((rows, dict(zip(names, values.T, strict=True))) for rows, values in found)
    rows = _write(arguments.out, at.passes.stored, chunks)
    return {"rows": rows, "estimator": settings.estimator, "residual": at.residual(watched)}


def _signals(arguments: argparse.Namespace, _settings: Settings, at: Streamed) -> dict[str, Any]:
    outputs = at.model.loss.outputs
    _announced(at.cost(1, 0, outputs * (outputs + 1)))
    return {"rows": _write(arguments.out, at.passes.stored, at.signals())}


def _relabel(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> dict[str, Any]:
    watched, names = _watched(arguments, settings, at), _names(arguments, at)
    classes = np.array(at.passes.stored.class_names, dtype=object)
    _announced(at.cost(1, len(names)))
    chunks: Chunks = (
        (rows, {"other label": classes[labels], **dict(zip(names, values.T, strict=True))})
        for rows, labels, values in relabelled(at, watched, settings.estimator)
    )
    rows = _write(arguments.out, at.passes.stored, chunks)
    experiment = "the row gets the other label instead"
    return {
        "rows": rows, "estimator": settings.estimator, "experiment": experiment, "residual": at.residual(watched)
    }  # fmt: skip


def _group(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> dict[str, Any]:
    watched = _watched(arguments, settings, at)
    found = leave_together(at, watched, np.array(arguments.row))
    columns = {"test": _names(arguments, at), "first order": found.first_order, "one-step Newton": found.newton}
    pq.write_table(pa.table(columns), arguments.out)
    return {
        "rows": found.rows.tolist(), "experiment": "these rows leave together", "residual": at.residual(watched)
    }  # fmt: skip


def _loo_of_all(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> dict[str, Any]:
    watched, n, k = _watched(arguments, settings, at), len(at.passes), together(at)
    _announced(at.cost(PASSES * -(-n // k), 0, 2 * k / at.passes.width))
    chosen = settings.key("data", "model", "quantity", "target"), content_of(at.passes.stored.name), arguments.test[0]
    certified = passes = 0

    def columns(found: Departures) -> Mapping[str, FloatArray]:
        nonlocal certified, passes
        certified, passes = certified + int(found.certified.sum()), passes + found.passes
        return {"measured": found.change[:, 0], "certificate": found.certificate}

    found = leave_each_out(at, watched, ":".join(map(str, chosen)), at.passes.task)
    rows = _write(arguments.out, at.passes.stored, ((part, columns(refits)) for part, refits in found))
    return {"rows": rows, "certified": certified, "passes": passes}


def _loo(arguments: argparse.Namespace, settings: Settings, at: Streamed) -> dict[str, Any]:
    if arguments.all and len(arguments.test) == 1:
        return _loo_of_all(arguments, settings, at)
    if len(arguments.test) != 1 or arguments.strongest < 1:
        raise SettingsError("loo: expected one --test row and at least one --strongest.")
    watched = _watched(arguments, settings, at)
    _announced(at.cost(1 + PASSES, 2 * arguments.strongest))
    rows, predicted = at.strongest(watched, arguments.strongest, settings.estimator)
    found = leave_out(at, watched, rows[0])
    ids = at.passes.stored.train.ids[rows[0]]
    columns = {
        "id": [name.decode() for name in ids],
        "row": found.rows,
        "predicted": predicted[0],
        "measured": found.change[:, 0],
        "certificate": found.certificate,
    }
    pq.write_table(pa.table(columns), arguments.out)
    facts = {"certified": int(found.certified.sum()), "passes": found.passes, "residual": at.residual(watched)}
    return {"rows": len(rows[0]), "estimator": settings.estimator, **facts}


def _write(out: Path, stored: Stored, chunks: Chunks) -> int:
    """One row group per block, so that the table is never whole in memory either; how many rows were written."""
    writer, written, part = None, 0, out.with_name(f"{out.name}.part")
    try:
        for rows, columns in chunks:
            names = [name.decode("utf-8", "replace") for name in stored.train.ids[rows]]
            table = pa.table({"id": names, "row": np.arange(rows.start, rows.stop), **columns})
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table)
            written += len(names)
        if writer is not None:
            writer.close()
            part.replace(out)
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)
    return written
