"""Remembers in this browser which lessons were finished: a tick for a person, and nothing on the server."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from pages.components.browser.bridge import component
from pages.components.session.errors import safely

KEY = "done"
_done = component("done", '<div class="if-done" hidden></div>\n')


def finished(known: Collection[str], now: str = "") -> frozenset[str]:
    """Which of the lessons were finished in this browser; it tells on the run after the first.

    Args:
        known: names of all lessons: a browser may remember others.
        now: the one that has just been finished.
    """
    _done(key=KEY, data={"now": now}, on_names_change=safely(lambda: None))
    told = st.session_state.get(KEY, {}).get("names")
    return frozenset(known) & frozenset(name for name in told if isinstance(name, str)) if told else frozenset()
