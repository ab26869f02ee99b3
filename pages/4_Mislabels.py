"""Mislabels: which training labels look wrong?  A queue, one card at a time, one key per answer, nothing lost."""

from __future__ import annotations

import streamlit as st

from pages.components.frame.bootstrap import bootstrap
from pages.components.problem import reading_panel
from pages.components.problem.suit import say_once, suit_model
from pages.components.review import card, lobby, opening, panels, people
from pages.components.session import cached, state
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown

bootstrap("Mislabels")
with guarded():
    person = people.person()
    if person is None:
        opening.ask_name()
        st.stop()
    if not person.lead:
        st.html("<style>[data-testid='stSidebar'], [data-testid='stExpandSidebarButton'] { display: none; }</style>")
    if person.lead and (advice := cached.store_advice()):
        st.warning(plain_markdown(advice), icon=":material/folder_off:")
    if lobby.lobby(person):
        state.mirror()
        st.stop()
    reading_panel.wait(state.settings())
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
