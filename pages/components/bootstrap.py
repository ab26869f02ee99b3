"""What every page starts with: page config, link, sidebar; and the net that turns errors into words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from pages.components import cached, sidebar, state
from pages.components.assets import HERE, ensure_static, favicon
from pages.components.errors import report
from pages.components.review.people import require_login
from pages.components.tour import tour
from pages.components.words import plain_markdown

DATA = ("pages/1_Data.py", "Choose other data, or other options of these", ":material/database:")
MODEL = ("pages/2_Model.py", "Choose another model or penalty", ":material/show_chart:")
SOLVERS = ("pages/5_Solvers.py", "Choose another solver or damping", ":material/calculate:")


def bootstrap(title: str, lead: str) -> None:
    """Start a page: title and one sentence are painted before anything heavy is imported.

    Args:
        title: of the page.
        lead: the question the page answers, in one sentence.
    """
    st.set_page_config(page_title=f"{title} · Influence Explorer", page_icon=favicon(), layout="wide")
    st.html(HERE / "page.css")
    with guarded():
        require_login()
        state.restore()
        st.title(title, anchor=False)
        st.markdown(lead)
        if st.session_state.get("newcomer"):
            tour(title)
        ensure_static()
        with st.spinner("Loading the numerical libraries: about five seconds, once per server start …", show_time=True):
            cached.core()
        for sentence in (*sidebar.news(), *state.settle()):
            st.warning(plain_markdown(sentence), icon=":material/link_off:")
        sidebar.draw()
        state.mirror()


@contextmanager
def guarded() -> Generator[None]:
    """Show what was expected, what came and what to do; anything unforeseen gets an id that stands in the log.

    Yields:
        Nothing.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the last net: no traceback ever reaches a user
        if isinstance(error, cached.expected_errors()):
            st.error(plain_markdown(str(error)), icon=":material/warning:")
            _ways_out(error)
        else:
            st.error(f"{report(error)} Change a setting, or start over.", icon=":material/warning:")
        if st.button("Start over", key="error-start-over", icon=":material/restart_alt:"):
            sidebar.start_over()
        st.stop()


def _ways_out(error: Exception) -> None:
    """Links to where the cause can be changed, and one click where one click is enough."""
    state.mirror()  # the address names what failed, also where it was chosen in a fragment
    core = cached.core()
    if cached.is_store_trouble(error):
        if st.button("Try again", key="error-again", icon=":material/refresh:"):
            st.rerun()
        return
    if isinstance(error, core.QuantityError) and st.button("Watch the loss instead", icon=":material/visibility:"):
        state.change(quantity="loss", target=-1)
        st.rerun()
    if isinstance(error, core.DataError):
        ways = (DATA,)
    elif isinstance(error, (core.NoMinimumError, core.SingularRefitError)):
        ways = (MODEL, DATA)
    elif isinstance(error, core.SingularError):
        ways = (SOLVERS, MODEL)
    else:
        ways = (DATA, MODEL)
    for path, label, icon in ways:
        with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
            st.page_link(path, label=label, icon=icon, query_params=state.link())
