"""What one browser session has chosen: the Settings and the View.  The URL mirrors both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from influence_core.settings import Settings, Value, from_query, to_query
from pages.components import view as views
from pages.components.view import View


def restore() -> tuple[str, ...]:
    """On the first run of a session, take settings and view from the link.

    Returns:
        A sentence for every part of the link that had to be ignored.
    """
    if "settings" in st.session_state:
        return ()
    query = dict(st.query_params)
    settings, problems = from_query(query)
    view, more = views.from_query(query)
    st.session_state.settings, st.session_state.view = settings, view
    return (*problems, *more)


def link() -> dict[str, str]:
    """The choices of this session as URL parameters.

    Returns:
        Readable and versioned.
    """
    return to_query(settings()) | views.to_query(view())


def mirror() -> None:
    """Write the choices into the URL, so that the address bar always holds a link to this view."""
    query = link()
    if dict(st.query_params) != query:
        st.query_params.from_dict(query)


def settings() -> Settings:
    """The settings of this session.

    Returns:
        The current value.
    """
    current: Settings = st.session_state.settings
    return current


def view() -> View:
    """What this session looks at.

    Returns:
        The current value.
    """
    current: View = st.session_state.view
    return current


def look(**values: Any) -> None:
    """Replace parts of the view."""
    st.session_state.view = replace(view(), **values)


def test() -> int:
    """The selected test point.

    Returns:
        Its index.
    """
    return view().test


def put(new: Settings) -> None:
    """Replace the settings; on other data the selections start anew, because they name rows."""
    old = settings()
    st.session_state.settings = new
    if (old.data, old.seed) != (new.data, new.seed):
        fresh = View()
        look(test=0, train=None, ask=fresh.ask, tests=fresh.tests, group=fresh.group)


def redraw(points: str, keep: bool) -> None:
    """Another drawing; ``keep`` the selections where points only moved, so that the rows they name are the same."""
    current = settings()
    new = replace(current, data=replace(current.data, options=(("points", points),)))
    if keep:
        st.session_state.settings = new
    else:
        put(new)


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
    """Select a test point and ask about it; the training point selected before belonged to another question."""
    look(test=int(index), train=None, ask="test")


def choose_train(index: int | None) -> None:
    """Select a training point."""
    look(train=index)
