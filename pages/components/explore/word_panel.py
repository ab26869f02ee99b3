"""Below two texts: other training texts in its place, measured by a refit; and a word of the test text to sort by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.components.explore.sharers import choose_word
from pages.components.problem.asked import Shown
from pages.components.session.door import core
from pages.components.session.words import form_of, plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Why, WordTruth

OFFERED = 40
WORDS = 3  # of a text in a list
MEASURED = "word-truth"  # the last refit of this session, with what it was asked for
HERE, EVERYWHERE, RELABEL, TWICE = (
    "Delete a word from this text",
    "Delete a word from every training text",
    "Give this text another label",
    "Count this text twice",
)
NOT_A_SHARE = (
    "A share is the word's part of the predicted change if the whole text were removed. Deleting the word alone is "
    "another experiment: its number vanishes, the other words of the text weigh more, and the model is fitted again to "
    "a certified minimum."
)


def word_panel(shown: Shown, found: Why) -> None:
    """Both questions, for texts with one test point or several; nothing for other data."""
    train = shown.analysis.problem.split.train
    if not found.columns or train.texts is None:
        return
    with st.expander("What if a word were deleted, or the label another one? Who shares a word?"):
        _refit(shown, found)
        if shown.single is not None and found.asked is not None:
            shares = found.asked.features
            order = [int(k) for k in np.argsort(-np.abs(shares), kind="stable") if shares[k]][:OFFERED]
            choose_word(shown, [found.columns[k].name for k in order])


def with_words(shown: Shown, rows: NDArray[np.int64], frame: pd.DataFrame) -> pd.DataFrame:
    """A table of training texts with the words that carry most of each score; any other table as it is."""
    split, fitted = shown.analysis.problem.split, shown.analysis.problem.fitted
    texts = split.train.worded and shown.side == "train" and fitted.kind.closed_form
    if not texts or shown.single is None or not len(rows) or not core.ESTIMATORS[shown.settings.estimator].splits:
        return frame
    names = split.train.feature_names
    shares = core.feature_shares(shown.analysis, shown.single, rows)
    lines = []
    for share in shares:
        top = [k for k in np.argsort(-np.abs(share), kind="stable")[:WORDS] if share[k]]
        lines.append(", ".join(f"{names[k]} {shown.form.text(share[k])}" for k in top))
    return frame.assign(**{"strongest words": lines})


def _refit(shown: Shown, found: Why) -> None:
    """One change of the training text, and on a button the refit with it."""
    train, row = shown.analysis.problem.split.train, found.row
    offered = [*([HERE, EVERYWHERE] if train.worded else []), *([RELABEL] if train.classes else []), TWICE]
    change = st.selectbox("Another training text", offered, key="word-change")
    which, go = st.columns([3, 2], vertical_alignment="bottom")
    chosen: str | None = ""
    with which:
        if change in {HERE, EVERYWHERE}:
            chosen = _word(shown, found)
        elif change == RELABEL:
            names = [name for k, name in enumerate(train.class_names) if k != train.y[row]]
            chosen = st.selectbox("Label", names, key=f"word-label-{row}")
    asked = (shown.settings.key("data", "model", "seed", "quantity", "target"), shown.tests, row, change, chosen)
    if go.button("Refit", key="word-refit", icon=":material/refresh:", width="stretch") and chosen is not None:
        with st.spinner("Fitting again …"):
            st.session_state[MEASURED] = asked, _measured(shown, found, change, chosen)
    kept = st.session_state.get(MEASURED)
    if kept is not None and _same(kept[0], asked):
        st.markdown(_said(shown, change, chosen or "", kept[1]))
    if train.worded:
        st.caption(NOT_A_SHARE)


def _same(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    return all(np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(a, b, strict=True))


def _word(shown: Shown, found: Why) -> str | None:
    """A word of the training text, with its share."""
    words = _shares(found)
    return st.selectbox(
        "Word of the training text", [*words][:OFFERED], key=f"word-deleted-{found.row}",
        format_func=lambda name: f"{name} ({shown.form.text(words[name])})",
    )  # fmt: skip


def _shares(found: Why) -> dict[str, float]:
    return {found.columns[k].name: float(found.share[k]) for k in found.order if found.shares.values[k]}


def _measured(shown: Shown, found: Why, change: str, chosen: str) -> WordTruth:
    analysis, tests, row = shown.analysis, shown.tests, found.row
    if change == HERE:
        return core.word_deleted(analysis, tests, row, chosen, _shares(found)[chosen])
    if change == EVERYWHERE:
        return core.word_deleted_everywhere(analysis, tests, chosen)
    if change == RELABEL:
        return core.text_relabelled(analysis, tests, row, analysis.problem.split.train.class_names.index(chosen))
    return core.counted_twice(analysis, tests, row)


def _said(shown: Shown, change: str, chosen: str, told: WordTruth) -> str:
    form, name = form_of(np.array([told.beside, told.change]), shown.own_unit), plain_markdown(chosen)
    start, beside = {
        HERE: (f"Without **{name}** in this text", "beside a share of"),
        EVERYWHERE: (f"Without **{name}** in any training text", "beside shares that sum, to first order, to"),
        RELABEL: (f"With the label **{name}** for this text", "predicted to first order"),
        TWICE: ("With this text counted **twice**", "predicted to first order"),
    }[change]
    end = "" if told.certified else " The refit did not reach its minimum, so this is rough."
    return (
        f"{start} the {plain_markdown(shown.watched)} goes from {told.before:.4g} to {told.after:.4g}: measured "
        f"**{form.text(told.change)}**, {beside} {form.text(told.beside)} {form.scaled_unit}.{end}"
    )
