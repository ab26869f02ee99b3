"""Keeps a name in a cookie of this browser, as a courtesy."""

from __future__ import annotations

from pages.components.browser.bridge import component

_keep_name = component("keep_name", '<div class="if-keep-name" hidden></div>\n')


def keep_name(cookie: str, name: str) -> None:
    """Remember who sits here.

    Args:
        cookie: its name.
        name: of the person.
    """
    _keep_name(key="keep-name", data={"cookie": cookie, "name": name})
