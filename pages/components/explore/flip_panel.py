"""How few training points must leave to turn the prediction at the star: asked, searched for as a job, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.browser.strips import Strip
from pages.components.explore.listing import download, listing
from pages.components.lenses import Strongest, lens_of
from pages.components.problem.asked import EACH, Shown
from pages.components.problem.groups import Rows
from pages.components.problem.loo_panel import RATE
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import group_text
from pages.components.session.words import plain_markdown, signed
from pages.components.widgets import controls, job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import FlipQuestion, Fragility

PANEL = "flip-panel"
UNASKED = 2.0  # seconds up to which the search begins when the panel is open
ASKS = {
    "flip": "to flip the predicted class",
    "right": "to make it right",
    "cross": "to take the prediction across a threshold",
}


def flip_panel(shown: Shown) -> None:
    """Ask, and show the smallest set found; only drawn where it is open."""
    st.session_state[PANEL] = shown.view.flip is not None
    box = st.expander(_title(shown), key=PANEL, on_change=safely(lambda: _toggled(shown)))
    if not box.open:
        return
    with box:
        if shown.single is None:
            st.caption("This is asked about one test point: choose one above.")
        elif sentence := core.fragility.why_not(shown.analysis.problem):
            st.info(plain_markdown(sentence), icon=":material/info:")
        else:
            _asked(shown, _question(shown))


def _title(shown: Shown) -> str:
    if not shown.analysis.problem.split.test.classes:
        return "How few must leave to move this prediction across a threshold?"
    if shown.single is not None and core.fragility.wants(shown.analysis.problem, shown.view.point) == ("right",):
        return "How few must leave to flip this prediction and make it right?"
    return "How few must leave to flip this prediction?"


def _toggled(shown: Shown) -> None:
    closed = shown.view.flip is None
    state.look(flip=core.fragility.wants(shown.analysis.problem, shown.view.point)[0] if closed else None)


def _question(shown: Shown) -> FlipQuestion:
    """What is asked, with the widgets that change it."""
    problem, view = shown.analysis.problem, shown.view
    offered = core.fragility.wants(problem, view.point)
    want = view.flip if view.flip in offered else offered[0]
    if want == "cross":
        chosen = core.fragility.middle(problem) if view.threshold is None else view.threshold
        st.session_state["flip-threshold"] = chosen
        st.number_input(
            "Threshold of the prediction",
            key="flip-threshold",
            format="%g",
            on_change=safely(lambda: state.look(threshold=float(st.session_state["flip-threshold"]))),
            help="At first the mean of the training targets.",
            width=260,
        )
        return core.FlipQuestion(view.point, want, view.threshold)
    if len(offered) > 1:
        controls.choice("How few must leave", offered, want, "flip-want", lambda w: state.look(flip=w), titles=ASKS)
    return core.FlipQuestion(view.point, want)


def _asked(shown: Shown, question: FlipQuestion) -> None:
    """The answer, or the way to it."""
    work = _work(shown, question)
    found = _result(shown, question, work.key)
    if found is not None:
        _answer(shown, found)
        return
    if work.seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)


def _result(shown: Shown, question: FlipQuestion, key: str) -> Fragility | None:
    """What a job found, or an earlier session stored."""
    if jobs().get(key) is None:
        try:
            stored = core.fragility.stored_fragility(shown.analysis.problem, question)
        except core.DataError:
            return None  # the job says it
        if stored is not None:
            jobs().keep(key, stored)
    found: Fragility | None = job_panel.result(key)
    return found


def _work(shown: Shown, question: FlipQuestion) -> job_panel.Work:
    problem = shown.analysis.problem
    asked = f"{question.test} {question.want} {question.threshold}"
    seconds = core.fragility.seconds(problem, RATE)
    return job_panel.Work(
        f"flip {shown.settings.key('data', 'model', 'seed')} {asked}",
        "Looking for the fewest points",
        "steps",
        lambda task: core.fragility.fragility(problem, question, task),
        seconds,
        "Points leave by their one-step scores, come back where they can, and every claim is a certified refit.  \n"
        f":small[About {job_panel.duration(max(seconds, 1))} on two cores; the result is kept for every session.]",
        "Find the fewest that must leave",
    )


def _answer(shown: Shown, found: Fragility) -> None:
    """The sentence, three numbers, first order beside them, and the set itself."""
    turned = found.turned
    st.markdown(f"**{plain_markdown(found.sentence)}**")
    size, first, margin = st.columns(3)
    size.metric("Smallest set found", f"{len(turned.rows):,}" if turned.found else "none")
    size.caption(
        f"{len(turned.rows) / found.n:.1%} of the training points" if turned.found else f"up to {found.most:,}"
    )
    first.metric("First order alone (AMIP)", f"{len(turned.first):,}" if len(turned.first) else "none")
    first.caption(plain_markdown(found.first_order))
    margin.metric(f"Margin, {found.unit}", f"{signed(turned.before)} → {signed(turned.after)}")
    margin.caption(plain_markdown(_certified(found)))
    if turned.found:
        _members(shown, turned.rows)


def _certified(found: Fragility) -> str:
    turned = found.turned
    text = f"Before and after; certified to {turned.certificate:.0e}, {turned.refits:,} refits."
    if turned.held and len(turned.rows) > 1:
        text += f" With any one member back it is at least about {turned.closest:.2g}."
    return text


def _members(shown: Shown, rows: Rows) -> None:
    """The set through the lens of the examples, what to do with it, and a file."""
    split, strength = shown.analysis.problem.split, shown.helpfulness
    order = rows[np.argsort(-strength[rows], kind="stable")].tolist()
    sides = [i for i in order if strength[i] > 0], [i for i in order[::-1] if strength[i] < 0]
    down, up = shown.ends[:: shown.sign]
    most = EACH if all(sides) else 2 * EACH
    words = [_listed(name, len(side), most) for name, side in zip((up, down), sides, strict=True)]
    content = Strip(
        shown.scene.test_labels[shown.view.point],
        sides[0][:most],
        sides[1][:most],
        shown.scores,
        shown.form,
        shown.selected,
        (words[0], words[1]),
        heading="The points that leave",
        file="flip-set",
        about=shown.about,
    )
    asked = split.test.take(np.array([shown.view.point]))
    ranked = rows[np.argsort(-np.abs(shown.scores[rows]), kind="stable")]
    listed = Strongest(
        shown.data,
        asked,
        shown.labels,
        content,
        shown.pick,
        "flip-strip",
        lambda: listing(shown, ranked, "flip-table"),
        shown.on_map,
    )
    lens_of(shown.data).strongest(listed)
    _buttons(shown, rows)


def _listed(name: str, count: int, most: int) -> str:
    """What one side of the strip shows; the words before the colon name it."""
    return f"{name.capitalize()}: {count:,} of the set" + (f", the {most} strongest" if count > most else "")


def _buttons(shown: Shown, rows: Rows) -> None:
    same = np.array_equal(shown.group, rows)
    with st.container(horizontal=True):
        st.button(
            "Let this set leave together",
            icon=":material/group_remove:",
            key="flip-group",
            disabled=same,
            help="It becomes the group below and is ringed on the map; a refit there says what else it changes.",
            on_click=safely(lambda: state.choose_group(group_text(rows))),
        )
        label = f"Download these {len(rows):,} points as CSV"
        download(shown, rows, label, f"flip-set-{shown.settings.data.name}-test-{shown.view.point}")
