"""Did they matter?  The most helpful points leave, for real, against random ones and against other rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.charts.removal import removal_curve
from pages.components.problem import truths
from pages.components.problem.asked import Shown
from pages.components.problem.loo_panel import RATE
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import form_of, plain_markdown
from pages.components.widgets import chart_frame, job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Removal, RemovalQuestion

PANEL = "removal-panel"
UNASKED = 2.0  # seconds up to which the run begins when the panel is open


def removal_panel(shown: Shown) -> None:
    """Ask, and show the curve as it grows; only drawn where it is open."""
    st.session_state[PANEL] = shown.view.removal
    title = "Did they matter? The most helpful leave, against random ones"
    box = st.expander(title, key=PANEL, on_change=safely(_toggled))
    if not box.open:
        return
    with box:
        if shown.side == "test":
            st.caption("This is asked about test points: ask about one of them, or about a group, above.")
            return
        question = core.RemovalQuestion(tuple(shown.tests.tolist()), truth=state.view().truth)
        work = _work(shown, question)
        found = _result(shown, question, work.key)
        if found is None:
            if work.seconds <= UNASKED:
                job_panel.start(work)
            job_panel.panel(work)
            found = job_panel.partial(work.key)
        if found is not None:
            _draw(shown, found)


def _toggled() -> None:
    state.look(removal=not state.view().removal)


def _result(shown: Shown, question: RemovalQuestion, key: str) -> Removal | None:
    """What a job measured, or an earlier session stored."""
    if jobs().get(key) is None and (stored := core.removal.stored_removal(shown.analysis, question)) is not None:
        jobs().keep(key, stored)
    found: Removal | None = job_panel.result(key)
    return found


def _work(shown: Shown, question: RemovalQuestion) -> job_panel.Work:
    analysis, way = shown.analysis, core.removal.truth_of(shown.analysis, question).way
    seconds = core.removal.cost(analysis, question) / RATE
    count = question.count(analysis) * way.seeds
    return job_panel.Work(
        f"removal {shown.settings.key()} {','.join(map(str, question.tests))}{truths.mark(shown.settings)}",
        "The most helpful leave",
        "groups",
        lambda task: core.removal.removal(analysis, question, task),
        seconds,
        f"**A ranking is tested as a whole.** The 1 % to 10 % that it calls the most helpful leave together, and "
        f"{question.draws} random groups of the same size; beside it every ranking that asks no curvature: nearest "
        f"neighbours, cosine, representer points, losses{_of_words(question, analysis)}.  \n"
        f":small[About {count:,} {truths.many_of(way)}, "
        f"{job_panel.duration(max(seconds, 1))} on two cores; each is kept.]",
        "Measure it",
    )


def _of_words(question: RemovalQuestion, analysis: Analysis) -> str:
    return ", of texts BM25, their words and what was copied" * ("bm25" in question.rankings(analysis))


def _draw(shown: Shown, found: Removal) -> None:
    values = np.concatenate([*found.change.values(), found.random.ravel()])
    form = form_of(values, found.unit)
    figure = removal_curve(found, 10.0**form.power, form.scaled_unit, shown.orientation >= 0)
    sure = truths.one_of(truths.chosen(shown.settings).way)
    caption = (
        f"Every mark is {sure} without that group; change of the {shown.watched}, new minus old. "
        f"Band: where {core.removal.LEVEL:.0%} of random groups lie, by {found.random.shape[1]} draws of each size "
        "(mean ± t·s·√(1 + 1/draws))."
    )
    st.markdown(f"**{plain_markdown(found.sentence(form.text, form.scaled_unit))}**")
    change = f"change of the {shown.watched} without them, new minus old, {found.unit}"
    named = {"change": change, "random_mean": "random, mean", "random_low": "random, from"}
    table = found.table().rename(columns=named | {"random_high": "random, to", "outside": "beyond random"})
    chart_frame.show(figure, caption, table, "removal", shown.made_of)
