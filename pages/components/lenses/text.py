"""TEXT: an example as its text, whose words are the features: lists carry a window of it, never the whole."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.components.browser.words import clickable
from pages.components.lenses import words
from pages.components.lenses.lens import Floats, Reason
from pages.components.lenses.row import ROW
from pages.components.lenses.row import hover as row_hover
from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.analysis import Why
    from influence_core.data import Dataset, Scaling, Split

HOVER, CELL = 90, 180  # characters
ROWS = 10


def texts(data: Dataset) -> NDArray[np.object_]:
    """The texts: all data of this kind have some."""
    return np.asarray(data.texts, dtype=object)


def start(text: str, most: int) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 2 * most].split())
    return line if len(line) <= most and len(text) <= 2 * most else f"{line[: most - 1]}…"


def hover(data: Dataset, original: NDArray[Any] | None = None) -> list[str]:
    """Id, label and the beginning of the text."""
    said = np.array([start(text, HOVER) for text in texts(data)], dtype=str)
    return row_hover(replace(data, hover=said), original)


def cells(data: Dataset, _scaling: Scaling, _columns: object) -> pd.DataFrame:
    """The beginning of the text."""
    return pd.DataFrame({"text": [start(text, CELL) for text in texts(data)]})


def full(split: Split, row: int, _name: str, _label: str) -> None:
    """The whole text."""
    st.html(f'{words.STYLE}<div class="if-text if-whole" dir="auto">{html.escape(texts(split.train)[row])}</div>')


def why(pair: Reason) -> None:
    """Both texts side by side, every word in the colour of its share; the words as a table."""
    found, worded = pair.why, pair.split.train.worded and bool(pair.why.columns)
    if not worded:
        _beside(pair, [_painted(pair, [], np.zeros(0))] * 2)
        reads = "An embedding reads a text as a whole" if found.columns else "A network reads words through its layers"
        st.caption(f"{reads}: its score is no sum over words, and no word has a share.")
        return
    names = [column.name for column in found.columns]
    mine = _painted(pair, names, found.shares.features)
    _beside(pair, [mine] if found.asked is None else [mine, _painted(pair, names, found.asked.features)])
    click = " A click on a word of the test text sorts the training texts by it." if pair.pick else ""
    orange, blue = pair.ends[:: pair.sign]
    all_words = float(found.shares.features.sum())
    rest = pair.form.text(found.shares.intercept + found.shares.penalty)
    st.caption(
        f"Blue words, underlined: {blue}; orange words, dashed: {orange}; the number of each at the pointer and by the "
        f"Tab key.{click} All words of the training text together {pair.form.text(all_words)}, the constant {rest}: "
        f"the score {pair.form.text(found.shares.score)} {pair.form.scaled_unit}. The words of the test text share "
        "the same score. A share is not what deleting the word would do: that is another fit."
    )
    table = _table(pair, found, names)
    with st.expander("Words and shares: table and CSV", icon=":material/table:"):
        st.dataframe(table, hide_index=True, height=36 * (1 + min(len(table), ROWS)) + 2)
        st.download_button(
            "Download CSV", lambda: core.cells.to_csv(table), "word-shares.csv", "text/csv", key="word-shares-csv",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip


def _beside(pair: Reason, painted: list[words.Painted]) -> None:
    """The training text, and the test text where there is one; its words can be clicked."""
    sides = [("training text", texts(pair.split.train)[pair.why.row])]
    if pair.test is not None:
        sides.append((pair.asked, texts(pair.split.test)[pair.test]))
    for k, (place, (name, text), shares) in enumerate(zip(st.columns(len(sides)), sides, painted, strict=False)):
        with place:
            st.html(f"{words.STYLE}<div class='if-said'>{html.escape(name)}</div>")
            _side(pair, text, shares, bool(k))


def _side(pair: Reason, text: str, painted: words.Painted, asked: bool) -> None:
    """A window of one text, and all of it on request."""
    if not (asked and pair.pick and painted.share):
        st.html(f"{words.STYLE}{words.window(text, painted)}")
        if len(text) > words.SHORT:
            with st.expander("Show all"):
                st.html(f"{words.STYLE}{words.whole(text, painted)}")
        return
    clickable(words.clickable_window(text, painted), pair.word, pair.pick, "asked-words")
    if len(text) > words.SHORT:
        with st.expander("Show all"):
            clickable(words.clickable_whole(text, painted), pair.word, pair.pick, "asked-words-all")


def _painted(pair: Reason, names: list[str], share: Floats) -> words.Painted:
    told = np.flatnonzero(share)
    return words.Painted({names[k]: float(share[k]) for k in told}, pair.sign, pair.form)


def _table(pair: Reason, found: Why, names: list[str]) -> pd.DataFrame:
    """Every word of either text: share and count in both, the strongest first."""
    mine, theirs = found.shares.features, np.zeros(len(names)) if found.asked is None else found.asked.features
    counts = words.counted(texts(pair.split.train)[found.row])
    others = words.counted(texts(pair.split.test)[pair.test]) if pair.test is not None else {}
    rows = np.flatnonzero((mine != 0) | (theirs != 0))
    rows = rows[np.argsort(-np.maximum(np.abs(mine), np.abs(theirs))[rows], kind="stable")]
    unit = pair.form.unit
    return pd.DataFrame(
        {
            "word": [names[k] for k in rows],
            f"share in the training text, {unit}": mine[rows],
            "times there": [counts.get(names[k], 0) for k in rows],
            f"share in the test text, {unit}": theirs[rows],
            "times in the test text": [others.get(names[k], 0) for k in rows],
        }
    )


def first(data: Dataset) -> int:
    """The word that counts most in all texts together."""
    return int(np.asarray(data.x.sum(axis=0)).argmax())


TEXT = replace(ROW, hover=hover, cells=cells, full=full, why=why, first=first, tabular=False)
