"""Brings a browser back to the address from which it was sent to the login."""

from __future__ import annotations

from pages.components.browser.bridge import component

_way_back = component("way_back", '<div class="if-way-back" hidden></div>\n')


def way_back(known: bool) -> None:
    """Keep the address before a login, and return to it after.

    Args:
        known: whether somebody is logged in.
    """
    _way_back(key="way-back", data={"known": known})
