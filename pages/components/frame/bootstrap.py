"""What every page starts with: page config, login, link and sidebar."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.browser.bridge import ensure_static, favicon
from pages.components.browser.tour import tour
from pages.components.frame import sidebar
from pages.components.frame.login import require_login
from pages.components.session import state
from pages.components.session.door import opened
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown


def bootstrap(title: str, lead: str) -> None:
    """Start a page: title and one sentence are painted before anything heavy is imported.

    Args:
        title: of the page.
        lead: the question the page answers, in one sentence.
    """
    st.set_page_config(page_title=f"{title} · Influence Explorer", page_icon=favicon(), layout="wide")
    st.html(Path(__file__).with_name("page.css"))
    with guarded():
        ensure_static()
        require_login()
        state.restore()
        st.title(title, anchor=False)
        st.markdown(lead)
        if st.session_state.get("newcomer"):
            tour(title)
        with st.spinner("Loading the numerical libraries: about five seconds, once per server start …", show_time=True):
            opened()
        for sentence in (*sidebar.news(), *state.settle()):
            st.warning(plain_markdown(sentence), icon=":material/link_off:")
        sidebar.draw()
        state.mirror()
