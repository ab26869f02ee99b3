"""How texts become features, by words or as a whole: for data in use, and for a file that is being mapped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Option, Options, SettingsError, Value, resolve
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.data import Source

ID = "id"  # of uploaded data, which no widget takes
CHOSEN = "upload.words"  # what differs from the usual, for the file that is being mapped


def options_of(source: Source) -> None:
    """The options of the data in use, and what to know of them."""
    for described in _in_columns(source):
        controls.option("data", described)
    try:
        said = source.said(resolve(state.settings().data.options, source.options))
    except SettingsError:  # said beside its widget
        return
    if said:
        st.caption(plain_markdown(said))


def choose_words() -> None:
    """The same for texts of a file that is being mapped."""
    source, chosen = core.DATASETS["upload"], dict(chosen_words())
    for described in _in_columns(source):
        now, put = chosen.get(described.name, described.default), partial(_put, described.name)
        controls.value(described, now, f"{CHOSEN}.{described.name}", put)
    if said := source.said(resolve(chosen_words(), source.options)):
        st.caption(plain_markdown(said))


def chosen_words() -> Options:
    """What was chosen for the file that is being mapped."""
    found: Options = st.session_state.get(CHOSEN, ())
    return found


def _put(name: str, value: Value) -> None:
    st.session_state[CHOSEN] = tuple(sorted((dict(chosen_words()) | {name: value}).items()))


def _in_columns(source: Source) -> Iterator[Option]:
    """Options as they are offered, each inside the column that it is to be drawn in.

    Yields:
        One after the other.
    """
    options = [source.offer(one) for one in source.options if one.name != ID]
    columns = st.columns(5 if len(options) == 5 else 4)
    for k, described in enumerate(options):
        with columns[k % len(columns)]:
            yield described
