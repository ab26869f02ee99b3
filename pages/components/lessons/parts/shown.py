"""Pictures on the page, and options whose values live in the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from influence_core.settings import Option, Value
from pages.components.lessons.parts.kinds import Picture
from pages.components.lessons.parts.tuning import tune_text, tuned
from pages.components.session import state
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls
from pages.components.widgets.chart_frame import show


def replaced(sentence: str) -> None:
    """What the link asks for is not to be had: a sentence says what stands in its place."""
    st.warning(plain_markdown(sentence), icon=":material/link_off:")


def values_of(described: Sequence[Option]) -> dict[str, Value]:
    """Values of all options from the link, with a sentence for every part of it that had to be ignored."""
    values, problems = tuned(state.view().tune, described)
    for sentence in problems:
        replaced(sentence)
    return values


def put(chosen: Mapping[str, Value], described: Sequence[Option]) -> None:
    """Write some values into the link; the others stay."""
    values, _ = tuned(state.view().tune, described)
    state.look(tune=tune_text({**values, **chosen}, described))


def key_of(option: Option) -> str:
    """Key of an option's widget: lessons name theirs alike."""
    return f"tune.{state.view().lesson}.{option.name}"


def widget(option: Option, now: Value, described: Sequence[Option]) -> None:
    """A widget of one option, bound to the link."""
    controls.value(option, now, key_of(option), lambda value: put({option.name: value}, described))


def pictures(found: Sequence[Picture]) -> None:
    """Pictures below each other where they are wide, else in pairs."""
    waiting: list[Picture] = []
    for picture in found:
        waiting.append(picture)
        if picture.wide or len(waiting) == 2:
            _row(waiting)
            waiting = []
    _row(waiting)


def _row(row: Sequence[Picture]) -> None:
    if len(row) == 1:
        one(row[0])
    elif row:
        for column, picture in zip(st.columns(len(row), gap="medium"), row, strict=True):
            with column:
                one(picture)


def one(picture: Picture) -> None:
    """A single picture in its frame."""
    show(picture.figure, picture.caption, picture.table, picture.name)
    if picture.below:
        st.html(picture.below)
