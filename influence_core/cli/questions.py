"""``flip``, ``removal`` and ``forest``: answers of the Explore page as a file, with a manifest of what they are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from influence_core import wording
from influence_core.analysis import (
    Analysis,
    FlipQuestion,
    RemovalQuestion,
    Settings,
    Task,
    Truth,
    analyse,
    forest,
    fragility,
    removal,
    removal_means,
)
from influence_core.analysis.rivals import ALL_RIVALS
from influence_core.cli.common import add_cluster, add_settings, check_output, settings_of, task
from influence_core.cli.shards import Table, write_result
from influence_core.settings import SettingsError, to_json
from influence_core.version import versions


def add_flip(parser: argparse.ArgumentParser) -> None:
    """The fewest training points found whose leaving turns each prediction."""
    common(parser)
    parser.add_argument(
        "--want",
        choices=list(fragility.WANTS),
        help="flip: another class; right: make a misclassified point right; cross: take the prediction across "
        "--threshold (default: flip, cross for a numeric target)",
    )
    parser.add_argument("--threshold", type=float, help="of the prediction (default: the mean of the training targets)")
    parser.add_argument("--share", type=float, default=0.5, help="of the training points that may leave (default: 0.5)")
    parser.set_defaults(run=lambda arguments: _run(arguments, _flip))


def add_removal(parser: argparse.ArgumentParser) -> None:
    """Measured change without the k most helpful points, against k random ones and against other rankings."""
    common(parser)
    parser.add_argument(
        "--rivals",
        default="every",
        help=f"rankings to compare with, with commas: {', '.join(ALL_RIVALS)} or an estimator "
        "(default: every, TracIn among them for a network; empty for none)",
    )
    parser.add_argument("--mean", action="store_true", help="means over the test points, in place of a row for each")
    add_truth(parser)
    parser.add_argument("--draws", type=int, default=removal.DRAWS, help="random groups of each size (default: 10)")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=list(removal.SHARES), metavar="S", help="of the training points"
    )
    parser.set_defaults(run=lambda arguments: _run(arguments, _removal))


def add_forest(parser: argparse.ArgumentParser) -> None:
    """The training points that a random forest leans on at each test point."""
    common(parser)
    parser.add_argument("--trees", type=int, default=100, help="of the forest (default: 100)")
    parser.add_argument("--leaf", type=int, default=5, help="fewest training points of a leaf (default: 5)")
    parser.add_argument("--regrow", action="store_true", help="measure the changes too: trees grow again")
    parser.set_defaults(run=lambda arguments: _run(arguments, _forest))


def add_truth(parser: argparse.ArgumentParser) -> None:
    """Against which refits a network is held."""
    parser.add_argument(
        "--truth",
        choices=("run", "seeds"),
        default="run",
        help="of a network: run, this very run repeated without what leaves; seeds, the mean over runs from several "
        "seeds (default: run)",
    )


def measured(arguments: argparse.Namespace, analysis: Analysis) -> Truth:
    """The truth that was asked for; other models have one only."""
    problem = analysis.problem
    return problem.truths.get(arguments.truth, problem.truth)


def common(parser: argparse.ArgumentParser) -> None:
    """Arguments of every question: settings, output, test points."""
    add_settings(parser)
    add_cluster(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .parquet, .csv or .json file")
    parser.add_argument("--test", type=int, nargs="+", metavar="J", help="test points by number (default: all of them)")


Words = Callable[[argparse.Namespace, Analysis, Task], Table]


def analysed(arguments: argparse.Namespace) -> tuple[Settings, Analysis, Task]:
    """The settings that were asked for, with the model fitted to them and the task that shows progress."""
    settings = settings_of(arguments)
    check_output(arguments.out)
    running = task(arguments.cluster)
    analysis = replace(analyse(settings), task=running)
    analysis.problem.fit(running)
    return settings, analysis, running


def _run(arguments: argparse.Namespace, make: Words) -> None:
    settings, analysis, running = analysed(arguments)
    write_result(about_of(settings, analysis), make(arguments, analysis, running), arguments.out)


def about_of(settings: Settings, analysis: Analysis) -> dict[str, Any]:
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
    }


def tests_of(arguments: argparse.Namespace, analysis: Analysis) -> list[int]:
    """The test points that were asked for.

    Raises:
        SettingsError: a number that no test point has.
    """
    m = len(analysis.problem.split.test)
    chosen = list(range(m)) if arguments.test is None else list(arguments.test)
    if wrong := [j for j in chosen if not 0 <= j < m]:
        raise SettingsError(f"--test: expected numbers from 0 to {m - 1}, got {wrong[0]}.")
    return chosen


def _flip(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    problem, found = analysis.problem, {}
    want = arguments.want or ("flip" if problem.split.test.classes else "cross")
    tests = tests_of(arguments, analysis)
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


def _removal(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    tests, ids, truth = tests_of(arguments, analysis), analysis.problem.split.test.ids, measured(arguments, analysis)
    rivals = tuple(name.strip() for name in arguments.rivals.split(",") if name.strip())
    question = RemovalQuestion(
        tuple(tests),
        None if rivals == ("every",) else rivals,
        tuple(arguments.shares),
        arguments.draws,
        arguments.truth,
    )
    found = removal_means(analysis, question, task)
    facts: dict[str, Any] = {
        "estimator": analysis.settings.estimator,
        "measured": truth.way.short or truth.way.name,
        "draws": arguments.draws,
    }
    if arguments.mean:
        facts["interval"] = (
            f"{removal.LEVEL:.0%} of the mean over test points: mean ± t·s/√t, t with points − 1 degrees"
        )
        return found.table(), facts
    facts["interval"] = f"{removal.LEVEL:.0%} of random groups: mean ± t·s·√(1 + 1/draws), t with draws − 1 degrees"
    tables = [one.table().assign(id=str(ids[j])) for j, one in zip(tests, found.each, strict=True)]
    table = pd.concat(tables, ignore_index=True)
    return table[["id", *(name for name in table if name != "id")]], facts


def _forest(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Table:
    split, tests, tables = analysis.problem.split, tests_of(arguments, analysis), []
    made = forest.grown(split.train, arguments.trees, arguments.leaf, analysis.settings.seed, task)
    for found in made.leanings(split.test, tests):
        table = found.table(split.train, made.regrown(split.test, found, task) if arguments.regrow else None)
        table.insert(0, "test", str(split.test.ids[found.test]))
        tables.append(table)
    what, helps = ("probability of the true class", -1) if split.test.classes else ("prediction", 0)
    sign = f"{wording.meaning(f'{what} of the forest', helps)} {forest.KEPT}"
    facts = {"sign": sign, "quantity": what, "unit": "probability" if helps else split.test.target_name}
    return pd.concat(tables, ignore_index=True), facts | {"trees": arguments.trees, "leaf": arguments.leaf}
