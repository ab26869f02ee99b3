"""Home: the question in one sentence, the current problem, and presets that open the pages in a chosen state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from influence_core.settings import DataSettings, Settings
from pages.components.browser.map import park
from pages.components.frame.bootstrap import bootstrap
from pages.components.frame.presets import PRESETS, Preset
from pages.components.home.blame import SETTINGS, blame, wrong_ones
from pages.components.home.live import SEEN, live
from pages.components.problem.scene import scene
from pages.components.review import opening
from pages.components.session import state
from pages.components.session.net import guarded


def card(name: str, preset: Preset) -> None:
    """One preset with the button that opens it."""
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.markdown(f"**{preset.title}**")
        st.caption(preset.sentence)
        if st.button(preset.button, key=f"preset-{name}", icon=":material/arrow_forward:", width="stretch"):
            state.put(preset.settings)
            state.look(test=preset.test, train=None, ask="test")
            st.switch_page("pages/3_Explore.py", query_params=state.link())


def own_data() -> None:
    """The way to data that a user brings."""
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.markdown("**Your own data**")
        st.caption("A table, arrays, embeddings or a zip of picture folders: checked, mapped and in, in three clicks.")
        if st.button("Upload a file", key="preset-upload", icon=":material/upload:", width="stretch"):
            state.put(Settings(data=DataSettings("upload")))
            st.switch_page("pages/1_Data.py", query_params=state.link())


def review() -> None:
    """The way to the queue of suspicious labels."""
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.markdown("**Mislabels**")
        st.caption("Labels that look wrong, ranked: the evidence on every card, one key per answer, nothing ever lost.")
        if st.button("Find mislabels", key="preset-review", icon=":material/fact_check:", width="stretch"):
            opening.take_demo()
            st.switch_page("pages/4_Mislabels.py", query_params=state.link())


bootstrap(
    "Influence Explorer",
    "**Which training points shaped this prediction?** Remove one, refit, and the prediction changes. This app "
    "predicts that change for every training point at once, and measures it by exact refits beside it.",
)
with guarded():
    stage = st.container(key="live")  # the presets below it do not wait for its first picture, and do not move after it
    place = stage.empty()
    if not st.session_state.get(SEEN):
        place.html('<div class="if-waiting" role="status">Fitting a model to 900 handwritten digits …</div>')
    cards: list[Callable[[], None]] = [partial(card, name, preset) for name, preset in PRESETS.items()]
    cards += [review, own_data]
    for start in range(0, len(cards), 3):
        for column, draw in zip(st.columns(3), cards[start : start + 3], strict=False):
            with column:
                draw()

    with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
        st.page_link(
            "pages/6_Lessons.py",
            label="Lessons: how influence works, step by step; and published figures, computed again",
            icon=":material/school:",
        )
    drawn = scene(SETTINGS)
    blame(wrong_ones()[0])
    place.empty()
    st.session_state[SEEN] = True
    with stage:
        park(drawn, "home-positions")
        live()
