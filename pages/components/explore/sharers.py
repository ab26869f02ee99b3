"""The training texts sorted by their share on one word of the test text, as a table and a file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.lenses import lens_of
from pages.components.problem.asked import Shown
from pages.components.problem.listed import described
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import form_of, plain_markdown
from pages.components.widgets.linked_table import linked_table

LISTED = 12
NONE = "—"


def chosen_word(shown: Shown) -> str:
    """The word by which the training texts are sorted; empty where none is, or the test text has it no more."""
    train, word = shown.analysis.problem.split.train, shown.view.word
    asked = shown.single is not None and shown.side == "train" and train.worded
    if not (word and asked and shown.analysis.problem.fitted.kind.closed_form):
        return ""
    if word not in train.feature_names or not core.ESTIMATORS[shown.settings.estimator].splits:
        return ""
    held = shown.analysis.problem.split.test.take(np.array([shown.single])).x
    return word if held[:, [train.feature_names.index(word)]].sum() else ""


def pick_word(word: str) -> None:
    """Sort by this word, or with an empty text as usual."""
    state.look(word=word)


def choose_word(shown: Shown, names: list[str]) -> None:
    """The click on a word of the test text as a box, which also offers pairs of words."""
    key, current = f"word-shared-{shown.single}", chosen_word(shown)
    names = [*names, current] if current and current not in names else names
    st.session_state[key] = current or NONE

    def chosen() -> None:
        picked = st.session_state[key]
        pick_word("" if picked == NONE or picked not in names else picked)

    label = "Sort the training texts by a word of the test text"
    st.selectbox(label, [NONE, *names], key=key, on_change=safely(chosen))


def sharers(shown: Shown, word: str) -> None:
    """The training texts whose score goes most through the word."""
    carried = core.carried(shown.analysis, int(shown.single or 0), word)
    order, split = np.argsort(-np.abs(carried), kind="stable"), shown.analysis.problem.split
    rows = order[:LISTED]
    form, listed = form_of(carried[rows], shown.own_unit), split.train.take(rows)
    share = f"share of '{word}', {form.scaled_unit}"
    frame = pd.DataFrame(described(listed) | {share: form.scale(carried[rows])}, index=rows)
    frame = lens_of(listed).beside(frame, listed, split.scaling)
    said, back = st.columns([4, 1], vertical_alignment="bottom")
    said.caption(
        f"Sorted by what **{plain_markdown(word)}** of the test text has of the score of each; all its words and the "
        f"constant sum to the score. {_whose(shown)} > 0 {shown.ends[1]}, < 0 {shown.ends[0]}."
    )
    back.button("All words", key="word-back", icon=":material/close:", on_click=safely(pick_word), args=("",))
    linked_table(frame, shown.selected, shown.pick, "word-sharers", [share])
    st.download_button(
        "Download all as CSV", lambda: _file(shown, word, carried, order), "word-sharers.csv", "text/csv",
        key="word-sharers-csv", on_click="ignore", icon=":material/download:",
    )  # fmt: skip


def _whose(shown: Shown) -> str:
    exact = core.divides(shown.analysis) or shown.settings.estimator == "influence"
    title = core.ESTIMATORS[shown.settings.estimator].title if exact else "First order, for several classes"
    return f"{title}."


def _file(shown: Shown, word: str, carried: np.ndarray, order: np.ndarray) -> bytes:
    train = shown.analysis.problem.split.train.take(order)
    unit = f"{shown.own_unit}, > 0 {shown.ends[1]}, < 0 {shown.ends[0]}"
    frame = pd.DataFrame({"row": order} | described(train))
    frame[f"share of the word '{word}' of the test text ({_whose(shown)[:-1]}), {unit}"] = carried[order]
    frame[f"predicted change of {shown.watched} if removed, new minus old, {unit}"] = shown.scores[order]
    return bytes(core.cells.to_csv(frame.assign(**{f"made of: {name}": said for name, said in shown.made_of.items()})))
