"""Search in large training sets: what an index, fewer rounds and parallel repeats save here, measured on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.charts import comparison
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.widgets import job_panel
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.compute import Task
    from influence_core.influence.search import FastReport

TESTS, TOP, ENOUGH = 5, 10, 0.95
SMALLEST = 10


def panel(settings: Settings) -> None:
    """A button, then the job, then the report."""
    problem = cached.problem(settings)
    n = len(problem.fitted.train)
    st.subheader("Search in large training sets", anchor=False)
    if n < 10 * SMALLEST:
        st.caption(f"Here are {n} training points: there is nothing to search.")
        return
    key = f"fastif:{settings.key('data', 'model', 'solver', 'quantity', 'target', 'seed')}"
    report = job_panel.result(key)
    if report is not None:
        draw(report, n)
        return
    sizes = candidates(n)

    def work(task: Task) -> FastReport:
        influence = core.Influence(problem.fitted, settings.solver, task)
        batch = problem.test.take(slice(0, TESTS))
        watched = core.watch(problem.fitted, batch, settings.quantity, settings.target)
        return core.search.measure(influence, watched, core.search.FastPlan(sizes, TOP, task=task))

    lead = (
        "**Is a shorter search enough?** Candidates by nearest neighbours in what the last layer reads, the fewest "
        "rounds of LiSSA that keep the ranking, repeats side by side; each measured against full scoring by the solver "
        f"in use, on {min(TESTS, len(problem.split.test))} test points."
    )
    seconds = 20 * core.trials.expected_seconds(problem.fitted, "lissa")
    job_panel.panel(job_panel.Work(key, "Measuring the search", "steps", work, seconds, lead, "Measure the search"))


def candidates(n: int) -> tuple[int, ...]:
    """Sizes of the candidate set, three per decade, up to all points."""
    sizes = {int(round(SMALLEST * 10 ** (k / 3))) for k in range(40)}
    return (*sorted(size for size in sizes if size < n), n)


def draw(report: FastReport, n: int) -> None:
    """Recall against time, and the three contributions in words."""
    left, right = st.columns([3, 2], gap="medium")
    table = pd.DataFrame(
        {
            "candidates": [one.k for one in report.sizes],
            "recall": [one.recall for one in report.sizes],
            "seconds per test point": [one.seconds for one in report.sizes],
        }
    )
    with left:
        caption = (
            f"Numbers at the marks: candidates per test point. Recall: share of the {report.top} largest |changes| of "
            "full scoring that are among them, mean over the test points."
        )
        show(comparison.recalls(report), caption, table, "fastif-recall")
    with right:
        st.markdown("\n".join(f"{k}. {sentence}" for k, sentence in enumerate(sentences(report, n), 1)))
        st.caption("Guo et al. 2020 (FastIF), whose sign is the opposite of ours.")


def sentences(report: FastReport, n: int) -> tuple[str, ...]:
    """What index, settings and repeats save, each with an honest word where it saves nothing, and all three."""
    full, enough = core.trials.seconds(report.full), report.enough(ENOUGH)
    one = enough or report.sizes[-1]
    gain = report.full / one.seconds
    index = (
        f"**Index.** {one.k:,} of {n:,} candidates hold {one.recall:.0%} of the true top {report.top}: "
        f"{core.trials.seconds(one.seconds)} instead of {full}"
    )
    if gain > 1.1 and one.k < n:
        index += f", {gain:.2g} times faster."
    else:
        index += ". It does not pay here: scoring everything is so cheap that looking for neighbours costs as much."
    short, long = report.rounds
    rounds = f"**Settings.** No run of LiSSA with fewer than {long} rounds keeps the ranking (ρ ≥ 0.99)."
    if short < long:
        rounds = (
            f"**Settings.** {short} of {long} rounds of LiSSA keep the ranking (ρ = {report.rho:.3f}): "
            f"{core.trials.seconds(report.short)} instead of {core.trials.seconds(report.long)}, "
            f"{_times(report.long / report.short)}."
        )
    repeats = (
        f"**Repeats side by side.** {core.trials.seconds(report.short)} instead of {core.trials.seconds(report.apart)} "
        f"one after the other, {_times(report.apart / report.short)}."
    )
    return index, rounds, repeats, *_together(report)


def _together(report: FastReport) -> list[str]:
    if not report.ways:
        return []
    slow, quick = report.ways[0], report.ways[-1]
    return [
        f"**All three**, solve and scores of one test point. {core.trials.seconds(quick.seconds)} instead of "
        f"{core.trials.seconds(slow.seconds)}, {_times(slow.seconds / quick.seconds)}. The top {report.top} by these "
        f"scores holds {quick.recall:.0%} of the true one (r = {quick.r:.3f}); without any of the three "
        f"{slow.recall:.0%} (r = {slow.r:.3f})."
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times faster" if np.isfinite(ratio) and ratio > 1.1 else "which saves nothing here"
