"""Mislabels: which training labels look wrong?  A queue, one card at a time, one key per answer, nothing lost."""

from __future__ import annotations

import streamlit as st

from pages.components.frame.bootstrap import bootstrap
from pages.components.problem.suit import say_once, suit_model
from pages.components.review import card, opening, panels, people
from pages.components.session import cached, state
from pages.components.session.net import guarded

bootstrap(
    "Mislabels",
    "Which training labels are wrong? The most suspicious come first, with the evidence; one key answers.",
)
with guarded():
    person = people.person()
    if person is None:
        opening.ask_name()
        st.stop()
    with st.spinner("Loading the data …"):
        split = cached.problem(state.settings()).split
    if not split.train.classes:
        opening.no_classes()
        st.stop()
    suit_model(split.train)
    say_once()
    queue = opening.current(person)
    state.mirror()
    if queue is None:
        opening.first(person)
        st.stop()
    card.style()
    panels.panels(queue, person)
