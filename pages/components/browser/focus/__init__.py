"""Puts the cursor where one starts to type."""

from __future__ import annotations

from pages.components.browser.bridge import component

_focus = component("focus", '<div class="if-focus" hidden></div>\n')


def start_in(key: str) -> None:
    """Put the cursor into the text field of this key, once, unless somebody has gone elsewhere already.

    Args:
        key: of the widget.
    """
    _focus(key=f"focus-{key}", data={"field": key.replace(".", "-")})
