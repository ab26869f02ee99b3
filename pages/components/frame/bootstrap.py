"""What every page starts with: page config, login, link and sidebar."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.browser.bridge import ensure_static, favicon
from pages.components.frame import sidebar
from pages.components.frame.login import require_login
from pages.components.session import state
from pages.components.session.busy import settle
from pages.components.session.door import opened
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown

NAME = "Influence Explorer"
SIDEBAR = 220  # pixels: a picture needs the others


def bootstrap(title: str, lead: str = "", teaches: bool = False) -> None:
    """Start a page: title and one sentence are painted before anything heavy is imported.

    Args:
        title: of the page.
        lead: the question the page answers, in one sentence; a page without one begins with its picture, and its title
            is there for screen readers only.
        teaches: whether the page may show the problem of a lesson; every other page shows one's own.
    """
    name = title if title == NAME else f"{title} · {NAME}"
    st.set_page_config(page_title=name, page_icon=favicon(), layout="wide", initial_sidebar_state=SIDEBAR)
    st.html(Path(__file__).with_name("page.css"))
    with guarded():
        settle()
        ensure_static()
        require_login()
        state.restore()
        if teaches and state.view().lesson:
            lead = ""  # an open lesson needs the height of the screen
        else:
            state.leave_lesson()
        with st.container(key="title" if lead else "quiet-title"):
            st.title(title, anchor=False)
            if lead:
                st.markdown(lead)
        with st.spinner("Loading the numerical libraries: about five seconds, once per server start …", show_time=True):
            opened()
        for sentence in (*sidebar.news(), *state.settle()):
            st.warning(plain_markdown(sentence), icon=":material/link_off:")
        if state.view().present:
            _presenting()
        else:
            sidebar.draw()
        state.mirror()


def _presenting() -> None:
    """No sidebar and larger letters; one small button ends it."""
    st.html(f"<style>{Path(__file__).with_name('presenting.css').read_text(encoding='utf-8')}</style>")
    with st.container(key="presenting"):
        st.button(
            "Leave the presentation",
            icon=":material/close_fullscreen:",
            type="tertiary",
            on_click=safely(lambda: state.look(present=False)),
        )
