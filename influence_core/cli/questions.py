"""``scores``, ``loo``, ``lds``, ``flip``: numbers of the Explore page as a file, with a manifest of what they are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence_core import wording
from influence_core.analysis import (
    Analysis,
    Draw,
    FlipQuestion,
    Settings,
    Task,
    analyse,
    fragility,
    linear_datamodelling,
)
from influence_core.cli.common import add_settings, check_output, settings_of, task, write_json, write_table
from influence_core.settings import SettingsError, to_json
from influence_core.version import versions


def add_scores(parser: argparse.ArgumentParser) -> None:
    """Predicted changes at every test point, or at some."""
    _common(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, _scores))


def add_loo(parser: argparse.ArgumentParser) -> None:
    """Measured changes: refits without each training point; for a network without each of a random sample."""
    _common(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, _loo))


def add_lds(parser: argparse.ArgumentParser) -> None:
    """The linear datamodelling score of the chosen estimator, per test point."""
    _common(parser)
    parser.add_argument("--subsets", type=int, default=50, metavar="S", help="random halves to train on (default: 50)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="runs averaged on each half (default: 1)")
    parser.set_defaults(run=lambda arguments: _run(arguments, _lds))


def add_flip(parser: argparse.ArgumentParser) -> None:
    """The fewest training points found whose leaving turns each prediction."""
    _common(parser)
    parser.add_argument(
        "--want",
        choices=list(fragility.WANTS),
        help="flip: another class; right: make a misclassified point right; cross: take the prediction across "
        "--threshold (default: flip, cross for a numeric target)",
    )
    parser.add_argument("--threshold", type=float, help="of the prediction (default: the mean of the training targets)")
    parser.add_argument("--share", type=float, default=0.5, help="of the training points that may leave (default: 0.5)")
    parser.set_defaults(run=lambda arguments: _run(arguments, _flip))


def _common(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .parquet, .csv or .json file")
    parser.add_argument("--test", type=int, nargs="+", metavar="J", help="test points by number (default: all of them)")


Table = tuple[pd.DataFrame, Mapping[str, Any]]


def _run(arguments: argparse.Namespace, make: Callable[[argparse.Namespace, Analysis, Task], Table]) -> None:
    settings = settings_of(arguments)
    check_output(arguments.out)
    running = task()
    analysis = replace(analyse(settings), task=running)
    analysis.problem.fit(running)
    table, facts = make(arguments, analysis, running)
    if arguments.out.suffix == ".parquet":
        table.attrs = {"influence_explorer": _manifest(settings, analysis, table, facts)}  # travels as file metadata
    write_table(table, arguments.out)
    write_json(
        _manifest(settings, analysis, table, facts), arguments.out.with_name(f"{arguments.out.stem}.manifest.json")
    )


def _manifest(settings: Settings, analysis: Analysis, table: pd.DataFrame, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers are, where they come from, and what they rest on."""
    fitted, names = analysis.problem.fitted, analysis.problem.split.test.class_names
    return {
        "sign": wording.meaning(wording.watched(settings, names), wording.orientation(settings)),
        "quantity": settings.quantity,
        "unit": analysis.unit,
        "settings": json.loads(to_json(settings)),
        "settings_key": settings.key(),
        "data_fingerprint": analysis.problem.split.fingerprint,
        "versions": versions(),
        "gradient_norm": fitted.fit.gradient_norm,
        "rows": len(table),
        **facts,
    }


def _tests(arguments: argparse.Namespace, analysis: Analysis) -> list[int]:
    m = len(analysis.problem.split.test)
    chosen = list(range(m)) if arguments.test is None else list(arguments.test)
    if wrong := [j for j in chosen if not 0 <= j < m]:
        raise SettingsError(f"--test: expected numbers from 0 to {m - 1}, got {wrong[0]}.")
    return chosen


def _frame(analysis: Analysis, values: np.ndarray[Any, Any], tests: list[int]) -> pd.DataFrame:
    """One row per training point, one column per test point, named by their ids."""
    split = analysis.problem.split
    frame = pd.DataFrame(values, columns=[str(split.test.ids[j]) for j in tests])
    frame.insert(0, "id", split.train.ids.astype(object))
    return frame


def _scores(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    tests, parts = _tests(arguments, analysis), []
    for done in range(0, len(tests), 16):
        parts.append(analysis.scores(tests[done : done + 16]).reshape(len(analysis.problem.split.train), -1))
        task.tick(min(done + 16, len(tests)), len(tests))
    facts = {
        "estimator": analysis.settings.estimator,
        "solver": analysis.solver,
        "trust": analysis.trust(tests[:1]).line,
    }
    frame = _frame(analysis, np.concatenate(parts, 1), tests)
    frame.insert(1, "mean over all test points", analysis.worth)
    return frame, facts


def _loo(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    tests, settings = _tests(arguments, analysis), analysis.settings
    refits = analysis.problem.loo(settings.quantity, settings.target, task)
    frame = _frame(analysis, refits.change[:, tests], tests)
    frame.insert(1, "certificate", refits.certificate)
    facts: dict[str, Any] = {"measured": "refits", "certified": int(refits.certified.sum())}
    if refits.noise is not None:
        noise = refits.noise[:, tests].std(0, ddof=1)
        facts["noise"] = {str(analysis.problem.split.test.ids[j]): float(s) for j, s in zip(tests, noise, strict=True)}
    return frame, facts


def _lds(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    if arguments.subsets < 3 or arguments.seeds < 1:
        raise SettingsError("--subsets and --seeds: expected at least 3 subsets and 1 seed.")
    tests, settings = _tests(arguments, analysis), analysis.settings
    draw = Draw(arguments.subsets, arguments.seeds)
    halves = analysis.problem.truth.halves(settings.quantity, settings.target, task, draw)
    scores = analysis.scores(tests).reshape(len(analysis.problem.split.train), -1)
    found = linear_datamodelling(halves.values[:, tests], scores, halves.members)
    ids = analysis.problem.split.test.ids[tests].astype(object)
    facts = {
        "estimator": analysis.settings.estimator,
        "lds": found.mean.value,
        "standard_error": found.error,
        "subsets": found.subsets,
        "seeds": halves.seeds,
    }
    return pd.DataFrame({"id": ids, "lds": found.each}), facts


def _flip(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    problem, found = analysis.problem, {}
    want = arguments.want or ("flip" if problem.split.test.classes else "cross")
    tests = _tests(arguments, analysis)
    if arguments.test is None and want == "right":
        tests = [j for j in tests if problem.misclassified[j]]
    if not tests:
        raise SettingsError("No test point is misclassified, so there is none to make right.")
    for done, j in enumerate(tests):
        question = FlipQuestion(j, want, arguments.threshold, arguments.share)
        found[j] = fragility.fragility(problem, question, replace(task, report=lambda _done, _total: None))
        task.tick(done + 1, len(tests))
    split, ids = problem.split, problem.split.train.ids
    rows = [
        {"id": str(split.test.ids[j])} | answer.record() | {"rows": ",".join(map(str, answer.turned.rows))}
        for j, answer in found.items()
    ]
    facts = {
        "sign": "margin > 0: the prediction is what it is with all points; < 0: it is what was asked for.",
        "quantity": "margin",
        "unit": next((answer.unit for answer in found.values()), ""),
        "measured": "certified refits",
        "sets": {str(split.test.ids[j]): ids[answer.turned.rows].tolist() for j, answer in found.items()},
        "first_order_sets": {str(split.test.ids[j]): ids[answer.turned.first].tolist() for j, answer in found.items()},
    }
    return pd.DataFrame(rows), facts
