"""The Lessons page: the list of lessons and figures, or the one that the link names."""

from __future__ import annotations

import streamlit as st

from pages.components.lessons import LESSONS, lesson_view
from pages.components.lessons.figures import view as figure_view
from pages.components.lessons.parts.kinds import FigurePage, Lesson, Tool
from pages.components.lessons.parts.shown import replaced
from pages.components.session import state
from pages.components.session.door import figures
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown


def settle() -> None:
    """Replace a lesson or a step that does not exist, with a sentence; a plain link brings the lesson's own problem."""
    view = state.view()
    if view.lesson and view.lesson not in LESSONS:
        replaced(f"Unknown lesson {view.lesson[:40]!r}: expected one of {', '.join(LESSONS)}. All lessons are shown.")
        state.look(lesson="", step=0, tune="")
        return
    entry = LESSONS.get(view.lesson)
    if st.session_state.pop("plain", False) and isinstance(entry, Lesson):
        begin(view.lesson, view.step)
        state.tell_again()
        st.rerun()
    steps = len(entry.steps) if isinstance(entry, Lesson) else 1
    if view.lesson and view.step >= steps:
        replaced(f"Step {view.step} does not exist: expected 0 to {steps - 1}. The first step is shown.")
        state.look(step=0)


def begin(name: str, step: int = 0) -> None:
    """Open a lesson with its own problem; a figure leaves the problem of the session alone."""
    entry = LESSONS[name]
    if isinstance(entry, Lesson):
        state.put(entry.own)
        state.look(test=entry.test)
        st.session_state.plain = False
    state.look(lesson=name, step=step, tune="" if name != state.view().lesson else state.view().tune)


def close() -> None:
    """Back to the list."""
    state.look(lesson="", step=0, tune="")


def draw() -> None:
    """The list, or one lesson or figure."""
    settle()
    name = state.view().lesson
    entry = LESSONS.get(name)
    if entry is None:
        overview()
        return
    with st.container(key="lesson"):
        if isinstance(entry, FigurePage):
            st.button("All lessons", icon=":material/arrow_back:", on_click=safely(close), type="tertiary")
            st.header(title(entry), anchor=False)
            figure_view.draw(entry)
        elif isinstance(entry, Tool):
            st.button("All lessons", icon=":material/arrow_back:", on_click=safely(close), type="tertiary")
            st.header(entry.title, anchor=False)
            entry.draw()
        else:
            lesson_view.draw(name, entry)


def title(entry: Lesson | FigurePage | Tool) -> str:
    """What a lesson or figure is called."""
    if not isinstance(entry, FigurePage):
        return entry.title
    return f"Figure {entry.figure}. {figures.FIGURES[entry.figure].title}"


def overview() -> None:
    """Every lesson and figure with the question it answers."""
    state.mirror()
    faces = (
        ("Lessons: predict, then reveal", Lesson),
        ("Compare", Tool),
        ("Figures: published results, computed again", FigurePage),
    )
    for words, kind in faces:
        names = [name for name, entry in LESSONS.items() if isinstance(entry, kind)]
        if not names:
            continue
        st.subheader(words, anchor=False)
        for start in range(0, len(names), 3):
            for column, name in zip(st.columns(3), names[start : start + 3], strict=False):
                with column:
                    _card(name)


def _card(name: str) -> None:
    entry = LESSONS[name]
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        with st.container(gap=None):
            st.markdown(f"**{plain_markdown(title(entry))}**")
            st.caption(entry.question)
        st.button(
            "Open",
            key=f"open-{name}",
            icon=":material/arrow_forward:",
            width="stretch",
            on_click=safely(begin),
            args=(name,),
        )
