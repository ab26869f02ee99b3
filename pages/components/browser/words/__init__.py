"""A text whose coloured words can be clicked: each is a button, and what the user wrote goes in as text alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.components.browser.bridge import component, pack
from pages.components.session.errors import safely

_text = component("words", '<div class="if-text" dir="auto"></div>\n')


GAP = " … "  # begins and ends a window


@dataclass(frozen=True)
class Word:
    """A word with its share.

    Attributes:
        written: as it stands in the text.
        name: in small letters.
        said: its share in words.
        up: whether it is on the blue side.
        tint: 0 to 255.
        stop: whether the Tab key stops at it.
    """

    written: str
    name: str
    said: str
    up: bool
    tint: int
    stop: bool


def clickable(pieces: Sequence[str | Word], chosen: str, on_click: Callable[[str], None], key: str) -> None:
    """Draw the text; clicking a word chooses it, and clicking the chosen one lets it go.

    Args:
        pieces: of the text, in their order.
        chosen: the word with a ring; empty for none.
        on_click: called with the word, or with an empty text.
        key: of the element.
    """
    sent = [piece if isinstance(piece, str) else [*vars(piece).values()] for piece in pieces]
    names = {piece.name for piece in pieces if isinstance(piece, Word)}

    def clicked() -> None:
        event: Any = st.session_state[key]["clicked"]
        name = event.get("word") if isinstance(event, dict) else None
        if name in names:
            on_click("" if name == chosen else name)

    _text(
        key=key,
        data=pack({"pieces": sent, "chosen": chosen, "whole": pieces[0] != GAP}),
        on_clicked_change=safely(clicked),
    )
