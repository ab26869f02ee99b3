"""Figure I: FastIF, the three ways to shorten the search for influential points, each measured apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from influence_core.analysis import analyse
from influence_core.compute import Task
from influence_core.influence import search
from influence_core.models import MODELS
from influence_core.settings import DataSettings, ModelSettings, Option, Settings, SolverSettings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

SETTINGS = Settings(DataSettings("mnist"), ModelSettings("logistic", 0.1))
DATA = {"digits": DataSettings("mnist"), "mails": DataSettings("spam_assassin")}
USUAL = {("digits", "logistic"): 0.1, ("mails", "logistic"): 0.01}  # penalties; of networks the registry knows one
FEWER = {"digits": (), "mails": (("words", 200),)}  # for a network, whose LiSSA carries all weights along at every step
ROUNDS = {"digits": (1, 2, 4, 8, 16), "mails": (1, 2, 4, 8)}  # of LiSSA; the last is the long run
DAMPING = 0.01  # of a network: with less, no LiSSA that a page could wait for comes near the exact scores
SMALLEST, TOP = 10, 10
RUNS = {"logistic": 3, "network": 1}  # of every clock: a server has other work, and a median is no accident


def problem(chosen: Chosen) -> Settings:
    """Data, model, and a solver that is trusted: of a network conjugate gradients to 10⁻⁸."""
    data, model = str(chosen["data"]), str(chosen["model"])
    if model == "logistic":
        return Settings(DATA[data], ModelSettings("logistic", float(chosen["l2"]) or USUAL[data, model]))
    few = replace(DATA[data], options=FEWER[data])
    network = ModelSettings("mlp", float(chosen["l2"]) or MODELS["mlp"].l2, options=(("layers", 1), ("width", 16)))
    return Settings(few, network, solver=SolverSettings("cg", DAMPING, options=(("tolerance", 1e-8),)))


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
        Tables ``sizes`` (candidates, recall, chance = candidates/n, seconds per test point; all points last), ``parts``
        (index, settings, repeats side by side: seconds of its own step without and with it, and times faster) and
        ``ways`` (the whole way without the three, with each alone and with all: seconds per test point, times faster,
        recall of the true top by its own scores, and their r with the true ones).
    """
    analysis, tests = analyse(problem(chosen)), int(chosen["tests"])
    n = len(analysis.problem.split.train)
    watched = analysis.watched(range(tests))
    rounds, runs = ROUNDS[str(chosen["data"])], RUNS[str(chosen["model"])]
    plans = [search.FastPlan(sizes(n), TOP, rounds, task=_part(task, run, runs)) for run in range(runs)]
    reports = [search.measure(analysis.influence, watched, plan) for plan in plans]
    report, clocks = reports[0], np.median([[one.seconds for one in run.sizes] for run in reports], axis=0)
    rows = [(one.k, one.recall, one.k / n, taken) for one, taken in zip(report.sizes, clocks, strict=True)]
    enough = report.enough() or report.sizes[-1]
    full, long, short, apart = np.median([[run.full, run.long, run.short, run.apart] for run in reports], axis=0)
    steps = ((full, clocks[report.sizes.index(enough)]), (long, short), (apart, short))
    parts = [(name, *step) for name, step in zip(search.PARTS, steps, strict=True)]
    table = pd.DataFrame(parts, columns=["part", "seconds_without", "seconds_with"])
    table["times_faster"] = table.seconds_without / table.seconds_with
    tables = {"sizes": pd.DataFrame(rows, columns=["candidates", "recall", "chance", "seconds"]), "parts": table}
    tables["ways"] = _ways(reports)
    return Figure(tables, tuple(_numbers(report, tables, enough)))


def _ways(reports: list[search.FastReport]) -> pd.DataFrame:
    """Medians of the clocks; what was found is the same in every run."""
    taken = np.median([[way.seconds for way in run.ways] for run in reports], axis=0)
    found = [(way.parts, seconds, way.recall, way.r) for way, seconds in zip(reports[0].ways, taken, strict=True)]
    table = pd.DataFrame(found, columns=["parts", "seconds", "recall", "r"])
    table.insert(2, "times_faster", table.seconds.iloc[0] / table.seconds)
    return table


def _part(task: Task, run: int, runs: int) -> Task:
    """The same task, whose progress counts on from one run to the next."""
    return replace(task, report=lambda done, total: task.report(done + run * total, runs * total))


def _numbers(report: search.FastReport, tables: Mapping[str, pd.DataFrame], enough: search.Reached) -> list[Number]:
    (short, long), parts, whole = report.rounds, tables["parts"], tables["ways"].iloc[-1]
    why = "The paper says more than 2, for its settings and its networks, which are far larger than these models."
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
        Number("times faster by all three, solve and scores together", float(whole.times_faster)),
        Number(f"recall of the true top {report.top} by the scores of all three", float(whole.recall)),
        Number("r of the scores of all three with the exact ones", float(whole.r)),
    ]


SHORTER_SEARCH = FigureEntry(
    title="Three ways to find influential points faster, measured apart",
    source="[Guo et al. 2020, FastIF](https://doi.org/10.48550/arXiv.2012.15781)",
    run=shorter_search,
    options=(
        Option("data", "digits", "Examples", choices=tuple(DATA), help="digits: 1 versus 7. mails: spam, by words."),
        Option("model", "logistic", "Model", choices=("logistic", "network"), help="network: a hidden layer of 16."),
        Option("tests", 5, "Test points", 1, 50),
        Option("l2", 0.0, "l2", 0.0, 10.0, empty="usual"),
    ),
    settings=SETTINGS,
    asked=problem,
)
