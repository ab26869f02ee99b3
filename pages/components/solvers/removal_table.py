"""Did the most helpful matter, on average: means over test points, of the estimator in use and of every rival."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.problem import truths
from pages.components.problem.loo_panel import RATE
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.words import form_of, plain_markdown
from pages.components.widgets import chart_frame, job_panel

if TYPE_CHECKING:
    from influence_core.analysis import RemovalMeans, RemovalQuestion

TESTS, SHARES = 10, (0.01, 0.02, 0.05, 0.1)
NOTHING = "–"


def panel(settings: Settings) -> None:
    """The offer, then the table as it grows."""
    st.subheader("Did the most helpful points matter?", anchor=False)
    m = len(cached.problem(settings).split.test)
    question = core.RemovalQuestion(some_tests(m, settings.seed), None, SHARES, truth=state.view().truth)
    work = _work(settings, question)
    found: RemovalMeans | None = job_panel.result(work.key)
    if found is None:
        job_panel.panel(work)
        found = job_panel.partial(work.key)
    if found is not None:
        _draw(settings, found)


def some_tests(m: int, seed: int) -> tuple[int, ...]:
    """A random sample of m test points, the same for a seed."""
    return tuple(np.sort(np.random.default_rng([seed, 19]).permutation(m)[:TESTS]).tolist())


def _work(settings: Settings, question: RemovalQuestion) -> job_panel.Work:
    analysis, many = cached.analysis(settings), len(question.tests)
    way = core.removal.truth_of(analysis, question).way
    seconds = core.removal.cost(analysis, question, many) / RATE
    count = question.count(analysis, many) * way.seeds
    title = core.ESTIMATORS[settings.estimator].title
    return job_panel.Work(
        f"removal means {settings.key()}{truths.mark(settings)}",
        "The most helpful leave, over test points",
        "groups",
        lambda task: core.removal_means(analysis, question, task),
        seconds,
        f"**Rankings against each other.** For each of {many} test points the 1 % to 10 % that {title} calls the most "
        "helpful leave together, those of every rival, and random groups of the same size.  \n:small[At most "
        f"{count:,} {truths.many_of(way)}, {job_panel.duration(max(seconds, 1))} on two cores; each is kept.]",
        "Measure the rankings",
    )


def _draw(settings: Settings, found: RemovalMeans) -> None:
    table, first = found.table(), found.each[0]
    form = form_of(table[["gain", "gain_low", "gain_high"]].to_numpy().ravel(), first.unit)
    words = found.sentence(form.text, form.scaled_unit)
    chart_frame.headed(f"**{plain_markdown(words)}**", _named(table, first.unit), "removal-means")
    st.table(_cells(table, form.text).map(lambda cell: plain_markdown(str(cell))), hide_index=True)
    way = truths.chosen(settings).way
    against = "fall" if first.sign < 0 else "rise"
    names = cached.problem(settings).split.test.class_names
    watched = core.wording.watched(settings, names)
    st.caption(
        f"In {form.scaled_unit}: how much further the {watched} {against}s than without random groups of the same size "
        f"({first.random.shape[1]} of each), mean over {len(found.each)} test points ± half its "
        f"{core.removal.LEVEL:.0%} interval (t·s/√t). Every number rests on {truths.one_of(way)} without the group of "
        "one test point and one ranking. An interval that reaches below zero is no more than chance."
    )


def _cells(table: pd.DataFrame, text: Callable[[float], str]) -> pd.DataFrame:
    """One row per ranking, the largest gain first; one column per size."""
    rows = []
    for title, own in table.groupby("ranking", sort=False):
        cells: dict[str, object] = {"ranking": title}
        for _, one in own.iterrows():
            cells[f"{one['share']:.1%} ({one['points']:,})"] = _cell(one, text)
        beyond = own["beyond_random"].dropna()
        cells["test points beyond chance"] = NOTHING if beyond.empty else f"{beyond.iloc[-1]:.0%}"
        known = own["gain"].dropna()
        rows.append((-np.inf if known.empty else known.iloc[-1], cells))
    return pd.DataFrame([cells for _, cells in sorted(rows, key=lambda row: -row[0])])


def _cell(one: pd.Series, text: Callable[[float], str]) -> str:
    gain, reach = float(one["gain"]), float(one["gain_high"] - one["gain"])
    if not np.isfinite(gain):
        return NOTHING
    return text(gain) + (f" ± {text(reach).lstrip('+')}" if np.isfinite(reach) else "")


def _named(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Columns that say what they are, for the file."""
    return table.rename(
        columns={
            "change": f"change without them, new minus old, {unit}",
            "random": f"change without random groups, {unit}",
            "gain": f"further than random groups, {unit}",
            "gain_low": "interval, from",
            "gain_high": "interval, to",
            "beyond_random": "share of test points beyond random groups",
            "test_points": "test points",
        }
    )
