"""Make a lesson link of what is on Explore: choose what the link leaves out, copy it, hand it out."""

from __future__ import annotations

import streamlit as st

from pages.components.browser.copy_link import copy_lesson_link
from pages.components.session import state
from pages.components.session.errors import safely
from pages.components.session.view import HIDABLE

CHOSEN = "lesson-link.hide"
USUAL = ("pages", "settings", "measure")  # what a class needs least


def offer() -> None:
    """In the sidebar: what to hide, the link, and a way to see it first."""
    with st.sidebar, st.expander("Make this a lesson link", icon=":material/school:"):
        chosen = st.multiselect(
            "Leave out", list(HIDABLE), list(USUAL), key=CHOSEN, format_func=lambda name: HIDABLE[name]
        )
        hide = ",".join(chosen)
        copy_lesson_link("copy-lesson-link", hide)
        st.button(
            "See it here",
            icon=":material/visibility:",
            on_click=safely(lambda: state.look(hide=hide)),
            width="stretch",
            disabled=not hide,
        )
