"""Explore: click a test point, see which training points shaped its prediction, and how far to trust it."""

from __future__ import annotations

import streamlit as st

from pages.components import cached, explore, explore_details, loo_panel, question, state
from pages.components.bootstrap import bootstrap, guarded
from pages.components.influence_map import park
from pages.components.scene import scene


@st.fragment
def view() -> None:
    """Everything that follows the selected test point; a click reruns this and nothing else."""
    with guarded(), cached.core().interactive():
        settings = state.settings()
        analysis = cached.analysis(settings)
        question.question(analysis)
        shown = explore.Shown.of(analysis, state.settings(), loo_panel.refits(state.settings()))
        left, right = st.columns(2, gap="medium")
        with left:
            explore.draw_map(shown)
        with right:
            explore.draw_truth(shown)
        explore.trust_line(shown)
        explore.examples(shown)
        explore_details.details(shown)
        state.mirror()


bootstrap("Explore", "Click a test point: the training points take the colour of their influence on it.")
with guarded():
    with st.spinner("Fitting the model …"):
        cached.fit(state.settings())
    question.clamp(cached.analysis(state.settings()))
    park(scene(state.settings()), "map-positions")
    view()
