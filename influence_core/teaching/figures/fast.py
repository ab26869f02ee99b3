"""Figure I: FastIF, the three ways to shorten the search for influential points, each measured apart."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from influence_core.analysis import analyse
from influence_core.compute import Task
from influence_core.influence import search
from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

SETTINGS = Settings(DataSettings("mnist"), ModelSettings("logistic", 0.1))
SMALLEST, TOP = 10, 10


def sizes(n: int) -> tuple[int, ...]:
    """Sizes of the candidate set, three per decade, up to all n training points.

    Returns:
        Ascending.
    """
    found = {round(SMALLEST * 10 ** (k / 3)) for k in range(40)}
    return (*sorted(size for size in found if size < n), n)


def shorter_search(chosen: Chosen, task: Task) -> Figure:
    """Recall of the true top against time over the number of nearest neighbours, and what each part saves.

    Times are of this machine while it runs: their ratios mean something, not the seconds.

    Returns:
        Tables ``sizes`` (candidates, recall, chance = candidates/n, seconds per test point; all points last) and
        ``parts`` (index, settings, repeats side by side: seconds without and with, and times faster).
    """
    settings = replace(SETTINGS, model=replace(SETTINGS.model, l2=float(chosen["l2"])))
    analysis, tests = analyse(settings), int(chosen["tests"])
    n = len(analysis.problem.split.train)
    watched = analysis.watched(range(tests))
    report = search.measure(analysis.influence, watched, search.FastPlan(sizes(n), TOP, task=task))
    rows = [(one.k, one.recall, one.k / n, one.seconds) for one in report.sizes]
    enough = report.enough() or report.sizes[-1]
    parts = [
        ("index", report.full, enough.seconds),
        ("settings", report.long, report.short),
        ("repeats side by side", report.apart, report.short),
    ]
    table = pd.DataFrame(parts, columns=["part", "seconds_without", "seconds_with"])
    table["times_faster"] = table.seconds_without / table.seconds_with
    tables = {"sizes": pd.DataFrame(rows, columns=["candidates", "recall", "chance", "seconds"]), "parts": table}
    return Figure(tables, tuple(_numbers(report, table, enough)))


def _numbers(report: search.FastReport, parts: pd.DataFrame, enough: search.Reached) -> list[Number]:
    short, long = report.rounds
    why = "The paper says more than 2 for its settings and its networks; here the model is linear and scoring is cheap."
    gains = dict(zip(parts.part, parts.times_faster, strict=True))
    return [
        Number(f"recall of the true top {report.top} among {report.sizes[0].k} candidates", report.sizes[0].recall),
        Number("candidates that hold 95 % of the true top", float(enough.k)),
        Number("times faster by the index at that recall", float(gains["index"])),
        Number("rounds of LiSSA in the long run", float(long)),
        Number("rounds of LiSSA that keep the ranking", float(short)),
        Number("ρ of the short run with the long run", report.rho),
        Number("times faster by the settings", float(gains["settings"]), 2.0, why),
        Number("times faster by repeats side by side", float(gains["repeats side by side"]), 2.0, why),
    ]


SHORTER_SEARCH = FigureEntry(
    title="Three ways to find influential points faster, measured apart",
    source="Guo et al. 2020, FastIF",
    run=shorter_search,
    options=(Option("tests", 5, "Test points", 1, 50), Option("l2", 0.1, "l2", 1e-4, 10.0)),
    settings=SETTINGS,
)
