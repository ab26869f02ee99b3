"""Watches the buttons of a card: a press belongs to the card that the browser shows."""

from __future__ import annotations

from typing import Any

from pages.components.browser.bridge import component

_guard = component("guard", '<div class="if-slip" role="status"></div>\n')


def watch_buttons(key: str, data: dict[str, Any]) -> None:
    """Hold back presses of these buttons that were meant for the card before.

    Args:
        key: of the element.
        data: the card on screen and the keys of its buttons.
    """
    _guard(key=key, data=data)
