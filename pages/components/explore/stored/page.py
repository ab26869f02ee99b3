"""The page: question, which of two answers one sees, map, the selected row, strongest rows and windows of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.browser.map import MapView, Reactions, Side, influence_map, park
from pages.components.charts.scale import colour_limit
from pages.components.explore.stored import ready, tables
from pages.components.explore.stored.answer import StoredAnswer, answer, complete
from pages.components.session import state
from pages.components.session.door import core, streaming
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.data.stored import Stored

MAP = 450
TOP = 10  # strongest rows that the first answer is judged by


def page() -> None:
    """A stored set on Explore."""
    settings = state.settings()
    stored = streaming.stored_of(settings.data.options)
    for sentence in state.fit_in(len(stored.train), len(stored.test)):
        st.warning(plain_markdown(sentence), icon=":material/link_off:")
    if state.view().test is None:
        state.start_at(0)
    _measure(stored)
    if ready.atlas(state.settings(), stored) is not None:
        _view()


def _measure(stored: Stored) -> None:
    """Whose rows, watched quantity and estimator."""
    settings = state.settings()
    if settings.estimator not in streaming.ESTIMATORS:
        st.warning(
            f"{core.ESTIMATORS[settings.estimator].title} is not offered for all rows of a stored set. First-order "
            "influence is shown.",
            icon=":material/link_off:",
        )
        state.change(estimator="influence")
    loss = streaming.model_of(settings.model, stored).loss
    what, how, who = st.columns([2.4, 2.6, 3], vertical_alignment="bottom")
    with what:
        titles = {name: entry.title for name, entry in core.QUANTITIES.items() if entry.applies(loss)}
        controls.choice(
            "Watch the",
            list(titles),
            settings.quantity,
            "quantity",
            lambda name: state.change(quantity=name, target=-1),
            titles=titles,
        )
    with how:
        controls.choice(
            "Predict its change by",
            list(streaming.ESTIMATORS),
            state.settings().estimator,
            "estimator",
            lambda name: state.change(estimator=name),
            titles={name: core.ESTIMATORS[name].title for name in streaming.ESTIMATORS},
        )
    who.caption(
        f"**{plain_markdown(stored.name)}**: {len(stored.train):,} training and {len(stored.test):,} test rows, fitted "
        "on all of them. *Explore asks* on the Data page goes to a sample in memory, with refits and groups."
    )


@st.fragment
def _view() -> None:
    """Everything that follows the question; a click reruns this and nothing else."""
    with guarded(), core.interactive():
        state.mirror()
        settings = state.settings()
        found = ready.atlas(settings, streaming.stored_of(settings.data.options))
        if found is None:
            st.rerun()
        answered = answer(found, settings)
        _question(answered)
        _which(answered)
        left, right = st.columns([1.1, 1], gap="medium")
        with left:
            _map(answered)
        with right:
            tables.strongest(answered)
        tables.pictures(answered)
        tables.windows(answered)


def _question(answered: StoredAnswer) -> None:
    """Which test row, in one line what it is and what the model says."""
    m, now = len(answered.stored.test), answered.test
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="steps"):
        st.session_state["test-box"] = now
        st.number_input(
            "Test point", 0, m - 1, key="test-box", width=150, label_visibility="collapsed",
            on_change=safely(lambda: state.choose_test(st.session_state["test-box"])),
            help=f"Test row, from 0 to {m - 1:,}.",
        )  # fmt: skip
        random = int(np.random.default_rng().integers(m))
        for label, icon, target in (
            ("Previous", ":material/chevron_left:", (now - 1) % m),
            ("Next", ":material/chevron_right:", (now + 1) % m),
            ("Random", ":material/casino:", random),
        ):
            st.button(label, icon=icon, on_click=safely(state.choose_test), args=(target,))
        st.markdown(_verdict(answered), width="stretch")


def _verdict(answered: StoredAnswer) -> str:
    asked, f = answered.stored.dataset(np.array([answered.test])), answered.watched.outputs
    name, probability = plain_markdown(str(asked.ids[0])), answered.atlas.at.model.loss.probabilities(f)
    if not asked.classes:
        return f"**{name}** · true {asked.y[0]:.4g} · predicted {float(f[0, 0]):.4g}"
    best = int(f[0, 0] > 0) if probability is None else int(probability[0].argmax())
    sure = "" if probability is None else f" with p = {float(probability[0, best]):.3f}"
    true, said = (plain_markdown(asked.class_names[k]) for k in (int(asked.y[0]), best))
    mark = "✓" if best == int(asked.y[0]) else "✗ misclassified"
    return f"**{name}** · labelled **{true}** · model says **{said}**{sure} {mark}"


def _which(answered: StoredAnswer) -> None:
    """Which of the two answers one sees; below the first one the pass that completes it."""
    atlas, n = answered.atlas, len(answered.stored.train)
    if answered.whole is not None:
        top = answered.whole.rows[:TOP]
        had = int(np.isin(top, answered.first.rows).sum())
        st.success(
            f"**Complete answer**: all {n:,} training rows were looked at. The first answer had {had} of the "
            f"{len(top)} strongest.",
            icon=":material/check_circle:",
        )
        return
    near = answered.first.looked - len(atlas.known)
    by = f"and {near:,} nearest by the index on disk" if near else "no index of neighbours is here"
    st.info(
        f"**First answer**, from {answered.first.looked:,} of {n:,} training rows: {len(atlas.drawn):,} drawn at "
        f"random, {len(atlas.strong):,} of largest self-influence, {by}. A full pass completes it.",
        icon=":material/hourglass_top:",
    )
    complete(answered)


def _map(answered: StoredAnswer) -> None:
    st.markdown("**Training rows, coloured by influence on the star**")
    scene, form = answered.scene, answered.form
    train, rows = state.view().train, answered.rows
    park(scene, "map-positions")
    helpful = form.scale(answered.sign * answered.changes)
    influence_map(
        scene,
        helpful,
        MapView(
            selected_test=int(np.flatnonzero(answered.tests == answered.test)[0]),
            selected_train=int(np.flatnonzero(rows == train)[0]) if train in rows else None,
            limit=colour_limit(helpful),
            sign=answered.sign,
            words=("harmful", "helpful") if answered.orientation else ("removal pushes down", "pushes up"),
            unit=form.scaled_unit,
            about=answered.about,
            alt=f"Map of {len(rows)} of {len(answered.stored.train)} training rows, coloured by their influence.",
            title=f"{answered.stored.name}: influence on test row {answered.test}",
            height=MAP,
        ),
        Reactions(lambda side, index: _clicked(answered, side, index)),
        "map",
    )
    atlas, more = answered.atlas, len(rows) - len(answered.atlas.known)
    st.caption(
        f"{len(atlas.drawn):,} training rows drawn at random, the {len(atlas.strong):,} of largest self-influence and "
        f"{more:,} more of the strongest found. {core.wording.meaning(answered.quantity, answered.orientation)}"
    )


def _clicked(answered: StoredAnswer, side: Side, index: int) -> None:
    if side == "test":
        state.choose_test(int(answered.tests[index]))
    else:
        state.choose_train(int(answered.rows[index]))
