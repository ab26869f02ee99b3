"""The Lessons page: the list of lessons and figures, or the one that the link names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from pages.components.browser.done import finished
from pages.components.lessons import LESSONS, PATH, lesson_view, number_of
from pages.components.lessons.figures import view as figure_view
from pages.components.lessons.parts.kinds import FigurePage, Lesson, Tool
from pages.components.lessons.parts.shown import replaced
from pages.components.lessons.sketches import sketch
from pages.components.session import state
from pages.components.session.door import figures
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

ACROSS = 4  # cards in a row: the first chapter is one


def settle() -> None:
    """Replace a lesson or a step that does not exist, with a sentence; a plain link brings the lesson's own problem."""
    view = state.view()
    if view.lesson and view.lesson not in LESSONS:
        replaced(f"Unknown lesson {view.lesson[:40]!r}: expected one of {', '.join(LESSONS)}. All lessons are shown.")
        state.leave_lesson()
        return
    entry = LESSONS.get(view.lesson)
    if st.session_state.pop("plain", False) and isinstance(entry, Lesson):
        lesson_view.begin(view.lesson, view.step)
        state.tell_again()
        st.rerun()
    if entry is not None and state.aside() is None:
        state.set_aside(fresh=isinstance(entry, Lesson))
    steps = len(entry.steps) if isinstance(entry, Lesson) else 1
    if view.lesson and view.step > steps:
        replaced(f"Step {view.step} does not exist: expected 1 to {steps}. The first step is shown.")
        state.look(step=1)


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
            st.button("All lessons", icon=":material/arrow_back:", on_click=safely(state.leave_lesson), type="tertiary")
            st.header(title(entry), anchor=False)
            figure_view.draw(entry)
        elif isinstance(entry, Tool):
            st.button("All lessons", icon=":material/arrow_back:", on_click=safely(state.leave_lesson), type="tertiary")
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
    """Every lesson and figure with its picture and the question it answers."""
    state.mirror()
    done = finished(LESSONS)
    for chapter, names in PATH.items():
        st.subheader(chapter, anchor=False)
        _cards(names, done)
    st.subheader("Figures: published results, computed again; and two models compared", anchor=False)
    _cards([name for name, entry in LESSONS.items() if not isinstance(entry, Lesson)], done)


def _cards(names: Sequence[str], done: Collection[str]) -> None:
    for start in range(0, len(names), ACROSS):
        for column, name in zip(st.columns(ACROSS), names[start : start + ACROSS], strict=False):
            with column:
                _card(name, name in done)


def _card(name: str, done: bool) -> None:
    entry = LESSONS[name]
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        with st.container(gap=None):
            if picture := sketch(name):
                st.html(picture)
            st.markdown(f"**{plain_markdown(title(entry))}**")
            if isinstance(entry, Lesson):
                tick = " · :green[:material/check_circle: done]" if done else ""
                st.markdown(f":small[Lesson {number_of(name)} · {entry.text.minutes} min{tick}]")
            st.caption(entry.question)
        st.button(
            f"Open lesson {number_of(name)}" if isinstance(entry, Lesson) else f"Open {_short(entry)}",
            key=f"open-{name}",
            icon=":material/arrow_forward:",
            width="stretch",
            on_click=safely(lesson_view.begin),
            args=(name,),
        )


def _short(entry: FigurePage | Tool) -> str:
    return f"figure {entry.figure}" if isinstance(entry, FigurePage) else "the comparison"
