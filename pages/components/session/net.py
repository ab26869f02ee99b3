"""The net that turns errors into words and ways out: no traceback ever reaches a user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import report
from pages.components.session.words import plain_markdown

DATA = ("pages/1_Data.py", "Choose other data, or other options of these", ":material/database:")
MODEL = ("pages/2_Model.py", "Choose another model or penalty", ":material/show_chart:")
SOLVERS = ("pages/5_Solvers.py", "Choose another solver or damping", ":material/calculate:")


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
            state.start_over()
        st.stop()


def _ways_out(error: Exception) -> None:
    """Links to where the cause can be changed, and one click where one click is enough."""
    state.mirror()  # the address names what failed, also where it was chosen in a fragment
    if cached.is_store_trouble(error):
        if st.button("Try again", key="error-again", icon=":material/refresh:"):
            st.rerun()
        return
    if isinstance(error, core.QuantityError) and st.button("Watch the loss instead", icon=":material/visibility:"):
        state.change(quantity="loss", target=-1)
        st.rerun()
    if isinstance(error, core.DataError):
        ways = [DATA]
    elif isinstance(error, (core.NoMinimumError, core.SingularRefitError)):
        ways = [MODEL, DATA]
    elif isinstance(error, core.SingularError):
        ways = [SOLVERS, MODEL]
    else:
        ways = [DATA, MODEL]
    for path, label, icon in ways:
        with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
            st.page_link(path, label=label, icon=icon, query_params=state.link())
