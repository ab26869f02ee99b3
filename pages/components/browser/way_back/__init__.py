"""Brings a browser back to the address from which it was sent to the login."""

from __future__ import annotations

import streamlit as st

from pages.components.browser.bridge import text

_way_back = st.components.v2.component(
    "influence_way_back",
    html='<div class="if-way-back" hidden></div>\n',
    js=text("way_back/component.js"),
)


def way_back(known: bool) -> None:
    """Keep the address before a login, and return to it after.

    Args:
        known: whether somebody is logged in.
    """
    _way_back(key="way-back", data={"known": known})
