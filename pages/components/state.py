"""What one browser session has chosen: the Settings, the test point and the training point.  The URL mirrors it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from influence_core.settings import Settings, Value, from_query, to_query


def restore() -> tuple[str, ...]:
    """On the first run of a session, take settings and test point from the link.

    Returns:
        A sentence for every part of the link that had to be ignored.
    """
    if "settings" in st.session_state:
        return ()
    query = dict(st.query_params)
    settings, problems = from_query(query)
    st.session_state.settings = settings
    st.session_state.train = None
    text = query.get("test", "0")
    st.session_state.test = int(text) if text.isdecimal() and len(text) < 10 else 0
    if not text.isdecimal():
        problems = (*problems, f"test: expected the number of a test point, got {text[:40]!r}. Test point 0 is shown.")
    return problems


def mirror() -> None:
    """Write the choices into the URL, so that the address bar always holds a link to this view."""
    query = to_query(settings()) | {"test": str(st.session_state.test)}
    if dict(st.query_params) != query:
        st.query_params.from_dict(query)


def settings() -> Settings:
    """The settings of this session.

    Returns:
        The current value.
    """
    current: Settings = st.session_state.settings
    return current


def test() -> int:
    """The selected test point.

    Returns:
        Its index.
    """
    return int(st.session_state.test)


def put(new: Settings) -> None:
    """Replace the settings; another data set or seed starts at its first test point."""
    old = settings()
    st.session_state.settings = new
    if (old.data, old.seed) != (new.data, new.seed):
        choose_test(0)


def change(part: str | None = None, **values: Any) -> None:
    """Replace some settings, of ``part`` (data, model, solver) or of the top level."""
    current = settings()
    if part is None:
        put(replace(current, **values))
    else:
        put(replace(current, **{part: replace(getattr(current, part), **values)}))


def change_option(part: str, name: str, value: Value) -> None:
    """Set one option of the chosen dataset, model or solver."""
    options = dict(getattr(settings(), part).options) | {name: value}
    change(part, options=tuple(sorted(options.items())))


def choose_test(index: int) -> None:
    """Select a test point; the training point selected before belonged to another question."""
    st.session_state.test, st.session_state.train = int(index), None


def choose_train(index: int | None) -> None:
    """Select a training point."""
    st.session_state.train = index
