"""Make a lesson link of what is on Explore: what it asks, what it leaves out, how large; copy it, hand it out."""

from __future__ import annotations

from html import escape

import streamlit as st

from pages.components.browser.copy_link import copy_lesson_link
from pages.components.session import state
from pages.components.session.errors import safely
from pages.components.session.view import HIDABLE, SENTENCES, sentence

KEY = "lesson-link"
USUAL = ("pages", "settings", "measure")  # what a class needs least
LINES = {
    "title": ("Title", "Who holds this prediction?"),
    "question": ("Question", "Which three images would you remove?"),
}


def heading() -> None:
    """Title and question of the link that one came by, as the text they are: a link may hold anything."""
    view = state.view()
    title = f"<h2>{escape(view.title)}</h2>" if view.title else ""
    asked = f"<p>{escape(view.question)}</p>" if view.question else ""
    if title or asked:
        with st.container(key="lesson-heading"):
            st.html(title + asked)


def offer() -> None:
    """Beside the sidebar, which is narrow: what the link says and leaves out, the link, and a way to see it first."""
    with st.sidebar, st.popover("Make this a lesson link", icon=":material/school:", width="stretch"):
        said = {name: _line(name) for name in LINES}
        chosen = st.multiselect(
            "Leave out", list(HIDABLE), list(USUAL), key=f"{KEY}.hide", format_func=lambda name: HIDABLE[name]
        )
        present = st.checkbox("For a projector: no sidebar, larger letters", key=f"{KEY}.present")
        words = said | {"hide": ",".join(chosen)}
        copy_lesson_link("copy-lesson-link", words | {"present": "1" if present else ""})
        st.button(
            "See it here",
            icon=":material/visibility:",
            on_click=safely(lambda: state.look(**words, present=present)),
            width="stretch",
            disabled=not (present or any(words.values())),
        )


def _line(name: str) -> str:
    label, example = LINES[name]
    typed = st.text_input(
        label, state.view().title if name == "title" else state.view().question, max_chars=SENTENCES[name],
        key=f"{KEY}.{name}", placeholder=example,
    )  # fmt: skip
    return sentence(name, typed)
