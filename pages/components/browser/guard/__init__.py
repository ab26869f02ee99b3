"""Watches the buttons of a card: a press belongs to the card that the browser shows."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.browser.bridge import text

_guard = st.components.v2.component(
    "influence_guard",
    html='<div class="if-slip" role="status"></div>\n',
    css=text("guard/component.css"),
    js=text("guard/component.js"),
)


def watch_buttons(key: str, data: dict[str, Any]) -> None:
    """Hold back presses of these buttons that were meant for the card before.

    Args:
        key: of the element.
        data: the card on screen and the keys of its buttons.
    """
    _guard(key=key, data=data)
