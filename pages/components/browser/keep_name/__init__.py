"""Keeps a name in a cookie of this browser, as a courtesy."""

from __future__ import annotations

import streamlit as st

from pages.components.browser.bridge import text

_keep_name = st.components.v2.component(
    "influence_keep_name",
    html='<div class="if-keep-name" hidden></div>\n',
    js=text("keep_name/component.js"),
)


def keep_name(cookie: str, name: str) -> None:
    """Remember who sits here.

    Args:
        cookie: its name.
        name: of the person.
    """
    _keep_name(key="keep-name", data={"cookie": cookie, "name": name})
