"""Explore: click a test point, see which training points shaped its prediction, and how far to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.browser.gallery import park_tiles
from pages.components.browser.map import park
from pages.components.explore import details, lesson_link, measure, pictures, question, selection, stored, why
from pages.components.explore.flip_panel import flip_panel
from pages.components.explore.forest_panel import forest_panel
from pages.components.explore.group_panel import Group, group_of, group_panel
from pages.components.explore.removal_panel import removal_panel
from pages.components.frame.bootstrap import bootstrap
from pages.components.problem import draw_panel, loo_panel, reading_panel, suit, train_panel
from pages.components.problem.asked import Shown
from pages.components.problem.scene import scene, tiles
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.net import guarded
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.analysis import Analysis


@st.fragment
def view() -> None:
    """Everything that follows the question; a click reruns this and nothing else."""
    with guarded():
        state.mirror()
        analysis = cached.analysis(state.settings())
        with core.interactive():
            if "question" not in state.view().hidden:
                question.question(analysis)
            if not train_panel.unrolled(analysis):
                return
        train_panel.solve(analysis)
        with core.interactive():
            answer(analysis)


def answer(analysis: Analysis) -> None:
    """Map, truth, examples and panels."""
    shown = Shown.of(analysis, loo_panel.refits(analysis.settings))
    group = group_of(shown)
    map_and_truth(shown, group)
    below = {
        "examples": pictures.examples,
        "flip": flip_panel,
        "removal": removal_panel,
        "forest": forest_panel,
        "group": lambda shown: group_panel(shown, group),
        "details": details.details,
    }
    for name, draw in below.items():
        if name not in state.view().hidden:
            draw(shown)


def map_and_truth(shown: Shown, group: Group | None) -> None:
    """The map; beside it the truth, and what is known of one training point: a click answers where one looks."""
    beside = {"truth": pictures.draw_truth, "selection": selection.selection, "why": why.why}
    shown_beside = [draw for name, draw in beside.items() if name not in state.view().hidden]
    left, right = st.columns([1.1, 1], gap="medium")
    with left:
        pictures.draw_map(shown, group)
        pictures.trust_line(shown)
    with right:
        for draw in shown_beside:
            draw(shown)


bootstrap("Explore")
with guarded():
    if draw_panel.gate():
        st.stop()
    suit.say_once()
    turn = cached.in_turn(state.settings())
with guarded(), turn:
    reading_panel.wait(state.settings())
    suit.suit_model(cached.problem(state.settings()).split.train)
    if stored.explores_all(state.settings()):
        stored.page()
        st.stop()
    train_panel.wait(state.settings())
    with st.spinner("Fitting the model …"):
        cached.fit(state.settings())
    controls.exist(cached.problem(state.settings()))
    question.clamp(cached.analysis(state.settings()))
    lesson_link.heading()
    if "measure" not in state.view().hidden:
        measure.measure(cached.analysis(state.settings()))
    train_panel.wait_for_members(state.settings())
    park(scene(state.settings(), state.view().axes), "map-positions")
    found = tiles(state.settings())
    if found is not None:
        park_tiles(found, "gallery-tiles")
    view()
    if not (state.view().hidden or state.view().present):
        lesson_link.offer()
