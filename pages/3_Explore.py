"""Explore: click a test point, see which training points shaped its prediction, and how far to trust it."""

from __future__ import annotations

import streamlit as st

from pages.components import (
    cached,
    controls,
    draw_panel,
    explore,
    explore_details,
    lesson_link,
    loo_panel,
    measure,
    question,
    selection,
    state,
    suit,
    train_panel,
)
from pages.components.asked import Shown
from pages.components.bootstrap import bootstrap, guarded
from pages.components.gallery import park_tiles
from pages.components.group_panel import Group, group_of, group_panel
from pages.components.influence_map import park
from pages.components.scene import scene, tiles


@st.fragment
def view() -> None:
    """Everything that follows the question; a click reruns this and nothing else."""
    with guarded(), cached.core().interactive():
        state.mirror()
        settings = state.settings()
        analysis = cached.analysis(settings)
        hidden = state.view().hidden
        if "question" not in hidden:
            question.question(analysis)
        shown = Shown.of(analysis, loo_panel.refits(settings))
        group = group_of(shown)
        pictures(shown, group)
        explore.trust_line(shown)
        below = {
            "selection": selection.selection,
            "examples": explore.examples,
            "group": lambda shown: group_panel(shown, group),
            "details": explore_details.details,
        }
        for name, draw in below.items():
            if name not in hidden:
                draw(shown)


def pictures(shown: Shown, group: Group | None) -> None:
    """The map, and beside it the truth."""
    if "truth" in state.view().hidden:
        explore.draw_map(shown, group)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        explore.draw_map(shown, group)
    with right:
        explore.draw_truth(shown)


bootstrap("Explore", "Click a test point: the training points take the colour of their influence on it.")
with guarded():
    if draw_panel.gate():
        st.stop()
    suit.say_once()
    suit.suit_model(cached.problem(state.settings()).split.train)
    train_panel.wait(state.settings())
    with st.spinner("Fitting the model …"):
        cached.fit(state.settings())
    controls.exist(cached.problem(state.settings()).split)
    question.clamp(cached.analysis(state.settings()))
    if "measure" not in state.view().hidden:
        measure.measure(cached.analysis(state.settings()))
    train_panel.wait_for_members(state.settings())
    park(scene(state.settings()), "map-positions")
    images = tiles(state.settings())
    if images is not None:
        park_tiles(images, "gallery-tiles")
    view()
    if not state.view().hidden:
        lesson_link.offer()
