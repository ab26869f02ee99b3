"""The selected training point: what is known of it, and what one can do with it; the keyboard twin of a click."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.components.explore.standing import standing
from pages.components.problem.asked import Shown
from pages.components.session import state
from pages.components.session.errors import safely
from pages.components.session.view import group_text
from pages.components.session.words import plain_markdown


def selection(shown: Shown) -> None:
    """Number box, facts and actions of the selected training point; nothing more than the box where none is."""
    if shown.view.ask == "train":
        return  # the question itself holds the box
    if shown.view.train is None:
        _box(shown)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="pair"):
        _box(shown)
        for label, icon, take in (
            ("Ask about it", ":material/swap_horiz:", lambda: state.look(ask="train")),
            ("Add to group", ":material/group_remove:", lambda: _add(shown)),
            ("Deselect", ":material/close:", lambda: state.choose_train(None)),
        ):
            st.button(label, icon=icon, help=label, on_click=safely(take))
    st.markdown(_facts(shown))


def _box(shown: Shown) -> None:
    st.session_state["selected-train"] = shown.view.train
    st.number_input(
        "Training point",
        0,
        len(shown.analysis.problem.split.train) - 1,
        key="selected-train",
        placeholder="Training point: click one, or type its number",
        label_visibility="collapsed",
        on_change=safely(lambda: state.choose_train(st.session_state["selected-train"])),
        help="The same as clicking a training point on a picture: it gets a ring everywhere, and actions of its own.",
        width=150 if shown.view.train is not None else "stretch",
    )


def _add(shown: Shown) -> None:
    state.choose_group(group_text(np.append(shown.group, int(shown.view.train or 0))))


def _facts(shown: Shown) -> str:
    row = int(shown.view.train or 0)
    text = f"**{plain_markdown(shown.scene.train_labels[row])}** · "
    score = float(shown.scores[row])
    word = shown.ends[1 if score > 0 else 0] if score else "no change"
    text += f"{'predicted' if shown.sized else 'ranked'} {shown.form.text(score)} {shown.form.scaled_unit}, {word}"
    if shown.measured is not None:
        form = shown.truth_form
        text += f" · measured {form.text(float(shown.measured[row]))} {form.scaled_unit}"
    found = standing(shown)
    if found is not None:
        text += f"  \n:small[{plain_markdown(found.after(score))}]"
    return text
