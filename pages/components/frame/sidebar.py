"""The sidebar: the pages, what is chosen now, the link to it, and the same as a file."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from influence_core.settings import Settings, SettingsError
from pages.components.browser.copy_link import copy_link
from pages.components.session import cached, links, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

PAGES = {
    "app.py": ("Home", ":material/home:"),
    "pages/1_Data.py": ("Data", ":material/database:"),
    "pages/2_Model.py": ("Model", ":material/show_chart:"),
    "pages/3_Explore.py": ("Explore", ":material/my_location:"),
    "pages/4_Mislabels.py": ("Mislabels", ":material/fact_check:"),
    "pages/5_Solvers.py": ("Solvers", ":material/calculate:"),
    "pages/6_Lessons.py": ("Lessons", ":material/school:"),
}
NEWS = "sidebar.news"
FILE = "settings-file"


def draw() -> None:
    """Links to the pages, the current problem, and three ways to keep or leave it."""
    current, hidden = state.settings(), state.view().hidden
    with st.sidebar:
        for path, (label, icon) in PAGES.items() if "pages" not in hidden else ():
            with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
                # Without parameters, which would be those of the last full run: a fragment has chosen since.
                st.page_link(path, label=label, icon=icon)
        st.divider()
        own = state.aside()
        elsewhere = own is not None and own.settings != current
        st.subheader("Problem of the lesson" if elsewhere else "Current problem", anchor=False)
        model = core.MODELS[current.model.name]
        solver = core.SOLVERS.get(current.solver.name)  # absent for the automatic choice
        st.markdown(
            f"**Data** {core.DATASETS[current.data.name].title}  \n"
            f"**Model** {model.title}{f', l2 = {current.model.l2:g}' if model.penalty else ''}  \n"
            f"**Solver** {solver.title if solver else 'automatic'}  \n"
            f"**Seed** {current.seed}"
        )
        if own is not None and elsewhere:
            _way_back(own)
        if hidden or state.view().title or state.view().question:
            st.button("Show everything", icon=":material/visibility:", on_click=safely(_show_all))
        if state.view().lesson:
            st.button(
                "Present",
                icon=":material/slideshow:",
                width="stretch",
                help="No sidebar and larger letters, for a projector.",
                on_click=safely(lambda: state.look(present=True)),
            )
        copy_link("copy-link")
        if "settings" not in hidden:
            with st.expander("Save, load, start over", icon=":material/more_horiz:"):
                _file()
                _start_over()


def _show_all() -> None:
    state.look(hide="", title="", question="")


def _way_back(own: state.Aside) -> None:
    """A lesson replaces nothing: one press brings back what was there before."""
    words = f"Back to your problem: {plain_markdown(_named(own.settings))}"
    if st.button(words, type="primary", icon=":material/undo:", key="own-problem", width="stretch"):
        state.back()
        st.switch_page("pages/3_Explore.py", query_params=state.link())


def _named(settings: Settings) -> str:
    """The data of a problem: for one's own the name of the file."""
    if settings.data.name == "upload":
        with suppress(*cached.expected_errors()):
            return str(core.uploads.upload_store().manifest(str(dict(settings.data.options).get("id", "")))["file"])
    return core.DATASETS[settings.data.name].title


def _start_over() -> None:
    """Everything goes, so it asks."""
    with st.popover("Start over", icon=":material/restart_alt:", width="stretch"):
        st.markdown("Data, model and selections go back to the start. A copied link keeps them; your uploads stay.")
        if st.button("Yes, start over", type="primary", key="start-over"):
            state.start_over()


def _file() -> None:
    """The same choices as a JSON file, to keep or for the library; and back."""
    st.download_button(
        "Download settings",
        lambda: links.write_file(state.settings(), state.view()),
        "settings.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )
    st.file_uploader(
        "Use settings from a file",
        type="json",
        max_upload_size=1,
        key=FILE,
        on_change=safely(_take_file),
        help=f"A settings.json as it is downloaded here, at most {links.LARGEST_FILE // 1024} KB.",
    )


def _take_file() -> None:
    """Use an uploaded file; whatever is wrong with it is told on the run that follows."""
    file = st.session_state.get(FILE)
    if file is None:
        return
    try:
        state.take(links.read_file(file.read(links.LARGEST_FILE + 1)))
    except SettingsError as error:
        st.session_state[NEWS] = (f"{error} Nothing was changed.",)


def news() -> tuple[str, ...]:
    """What went wrong with a file on the run before, once."""
    found: tuple[str, ...] = st.session_state.pop(NEWS, ())
    return found
