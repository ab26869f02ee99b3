"""What every page starts with: page config, link, sidebar; and the net that turns errors into words."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from pages.components import cached, state
from pages.components.assets import ensure_plotly, favicon
from pages.components.controls import plain_markdown

log = logging.getLogger("influence_explorer")


PAGES = {
    "app.py": ("Home", ":material/home:"),
    "pages/1_Data.py": ("Data", ":material/database:"),
    "pages/2_Model.py": ("Model", ":material/show_chart:"),
    "pages/3_Explore.py": ("Explore", ":material/my_location:"),
    "pages/5_Solvers.py": ("Solvers", ":material/calculate:"),
}


def bootstrap(title: str, lead: str) -> None:
    """Start a page: title and one sentence are painted before anything heavy is imported.

    Args:
        title: of the page.
        lead: the question the page answers, in one sentence.
    """
    st.set_page_config(page_title=f"{title} · Influence Explorer", page_icon=favicon(), layout="wide")
    problems = state.restore()
    st.title(title, anchor=False)
    st.markdown(lead)
    ensure_plotly()
    for sentence in problems:
        st.warning(plain_markdown(sentence), icon=":material/link_off:")
    with st.spinner("Loading the numerical libraries (only once per server) …", show_time=False):
        cached.core()
    with guarded():
        _sidebar()
    state.mirror()


def _sidebar() -> None:
    current, core = state.settings(), cached.core()
    with st.sidebar:
        for path, (label, icon) in PAGES.items():
            with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
                st.page_link(path, label=label, icon=icon)
        st.divider()
        st.subheader("Current problem", anchor=False)
        source = core.DATASETS.get(current.data.name)
        model = core.MODELS.get(current.model.name)
        solver = core.SOLVERS.get(current.solver.name)  # absent for the automatic choice
        st.markdown(
            f"**Data** {source.title if source else '–'}  \n"
            f"**Model** {model.title if model else '–'}, l2 = {current.model.l2:g}  \n"
            f"**Solver** {solver.title if solver else 'automatic'}  \n"
            f"**Seed** {current.seed}"
        )
        st.caption("The address bar is a link to exactly this view.")
        if st.button("Start over", help="Back to MNIST 1 versus 7 with default settings.", width="stretch"):
            state.put(core.Settings())
            state.choose_test(0)
            st.rerun()


@contextmanager
def guarded() -> Generator[None]:
    """Show what was expected, what came and what to do; anything unforeseen gets an id that stands in the log.

    Yields:
        Nothing.
    """
    try:
        yield
    except cached.core().EXPECTED_ERRORS as error:
        st.error(plain_markdown(str(error)), icon=":material/warning:")
        st.caption("Choose other data on the *Data* page, or another model or penalty on the *Model* page.")
        st.stop()
    except Exception:  # noqa: BLE001 - the last net: no traceback ever reaches a user
        number = uuid.uuid4().hex[:8]
        log.exception("error %s with settings %s", number, state.settings())
        st.error(
            f"This did not work, for a reason nobody foresaw. The server's log has it as {number}. "
            "Change a setting, or press *Start over* in the sidebar.",
            icon=":material/warning:",
        )
        st.stop()
