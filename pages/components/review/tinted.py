"""A text under review, and those that speak for and against it: every word in the colour of the label it points to."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.lenses import words
from pages.components.review import shelf
from pages.components.session.door import core
from pages.components.session.words import form_of, plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Card
    from influence_core.reviewing import Recipe, Scored

UNIT = "log-odds"


def tinted(card: Card, recipe: Recipe, class_names: Sequence[str]) -> bool:
    """The whole text with the words that point to its label and to the suggested one.

    Returns:
        Whether it was drawn; not where the model is still made, or has no shares of words.
    """
    scored = shelf.shelf().model(recipe)
    painted = None if scored is None else _painted(scored, card.position, (card.given, card.suggested))
    if scored is None or painted is None:
        return False
    given, other = (plain_markdown(class_names[label]) for label in (card.given, card.suggested))
    st.html(words.STYLE + words.whole(_text(scored, card.position), painted))
    st.caption(
        f"Blue words, underlined, speak for {given}; orange ones, dashed, for {other}: what each adds to the log-odds "
        "of the fitted model, which has learnt this label."
    )
    return True


def side(scored: Scored, rows: Sequence[int], heads: Sequence[str], labels: tuple[int, int]) -> None:
    """Texts of one side of the evidence, each a window around its strongest words, in the same two colours.

    Args:
        scored: the models.
        rows: of the texts.
        heads: id, label and change of each.
        labels: given and suggested class of the text under review.
    """
    for row, head in zip(rows, heads, strict=True):
        painted, text = _painted(scored, row, labels), _text(scored, row)
        shown = words.window(text, painted) if painted else html.escape(text[: words.SHORT])
        shown = shown.replace(' tabindex="0"', "")  # ten texts would put hundreds of stops before the answers
        st.html(f"{words.STYLE}<div class='if-said'>{html.escape(head)}</div>{shown}")


def _painted(scored: Scored, row: int, labels: tuple[int, int]) -> words.Painted | None:
    """By the model that judges the row."""
    judge = next((one for one in scored.sides if row in one.rows), None)
    if judge is None or scored.split.train.texts is None:
        return None
    found = core.label_words(judge.review, int(np.flatnonzero(judge.rows == row)[0]), *labels)
    if found is None:
        return None
    names = judge.review.analysis.problem.split.train.feature_names
    share = {names[k]: float(found[k]) for k in np.flatnonzero(found)}
    return words.Painted(share, 1, form_of(found, UNIT))


def _text(scored: Scored, row: int) -> str:
    texts = scored.split.train.texts
    assert texts is not None
    return str(texts[row])
