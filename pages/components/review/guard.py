"""A press belongs to the card that the browser shows: what the server cannot know is watched there.

The arguments of a button stay on the server, so that a press which a slow browser sends from the card before would act
on the card after it.  The lease token refuses presses that were on their way; this holds back those that were not yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.browser.guard import watch_buttons
from pages.components.review import desk as desks
from pages.components.review import keys

if TYPE_CHECKING:
    from influence_core.annotations import Card

RUN = "review.run"
OTHERS = ("review-counter", "review-counter-yes", "review-counter-open", "review-back")
FREE = ("review-U",)  # means the last answer, whatever is on screen


def guard(names: tuple[str, ...], card: Card) -> None:
    """Watch the buttons of this card; belongs behind what one must have seen of it.

    Args:
        names: classes.
        card: on screen.
    """
    st.session_state[RUN] = st.session_state.get(RUN, 0) + 1
    letters = {key.lower(): f"review-{key}" for key in "QWENSU"}
    arrows = {"arrowleft": "review-Left", "arrowright": "review-Right"}
    digits = {key: f"review-class-{key}" for key in keys.digits(names, card)}
    watch_buttons(
        "review-guard",
        {
            "card": f"{card.task} {card.token}",
            "heard": st.session_state.get(desks.HEARD, 0),
            "run": st.session_state[RUN],
            "keys": letters | arrows | digits,
            "others": list(OTHERS),
            "free": list(FREE),
            "box": {"key": keys.BOX.lower(), "name": desks.CHOSEN.replace(".", "-")},
        },
    )
