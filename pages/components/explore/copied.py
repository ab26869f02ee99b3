"""What a training text and the test text say word for word, apart from influence: copied is not caused."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.problem.asked import Shown
from pages.components.session.door import core
from pages.components.session.words import counted

if TYPE_CHECKING:
    from influence_core.data.overlap import Runs

AROUND = 60  # characters on either side of a passage
STYLE = (
    "<style>.if-copied{font-size:.9rem;line-height:1.75;overflow-wrap:anywhere;max-height:16rem;overflow-y:auto}"
    ".if-copied u{text-decoration:underline wavy 1px;text-underline-offset:3px;font-weight:600}"
    ".if-copied i{opacity:.6;font-style:normal}</style>"
)


def copied(shown: Shown, row: int) -> None:
    """Passages of both texts underlined, and where this text stands by overlap and by influence."""
    split = shown.analysis.problem.split
    if split.train.texts is None or split.test.texts is None or shown.single is None:
        return
    mine, theirs = str(split.train.texts[row]), str(split.test.texts[shown.single])
    known = core.overlap.shared([mine], [theirs])
    with st.expander("What both texts say word for word", icon=":material/content_copy:"):
        if not known:
            st.caption(f"No {core.overlap.RUN} words in a row stand in both texts.")
            return
        for place, name, text in zip(st.columns(2), ("training text", "test text"), (mine, theirs), strict=True):
            place.html(f"{STYLE}<div class='if-said'>{name}</div>{passages(text, known)}")
        st.caption(_said(shown, row, theirs, known))


def passages(text: str, known: Runs) -> str:
    """The passages underlined, with what surrounds them; all of it escaped."""
    places, pieces, done = core.overlap.copied(text, known), [], 0
    for place in places:
        before = max(done, place.start - AROUND)
        pieces.append("<i> … </i>" if before > done else "")
        pieces.append(f"{html.escape(text[before : place.start])}<u>{html.escape(text[place])}</u>")
        done = place.stop
        following = min((other.start for other in places if other.start >= done), default=len(text))
        after = min(done + AROUND, following)
        pieces.append(html.escape(text[done:after]))
        done = after
    pieces.append("<i> … </i>" if done < len(text) else "")
    return f'<div class="if-copied" dir="auto">{"".join(pieces)}</div>'


def _said(shown: Shown, row: int, test: str, known: Runs) -> str:
    """How much of the test text that is, and how far it is from mattering."""
    there, every = core.overlap.covered(test, known)
    passages_of = counted(len(core.overlap.copied(test, known)), "passage")
    scores = np.abs(shown.scores)
    rank = 1 + int(np.count_nonzero(scores > scores[row]))
    return (
        f"{counted(there, 'word')} of the test text ({there / max(every, 1):.0%}) in {passages_of} of at least "
        f"{core.overlap.RUN} words. **Copied is not caused:** by the size of its influence this text is number "
        f"{rank:,} of {len(scores):,}; *Did they matter?* measures both rankings by refits."
    )
