"""Which cards come next: those with one given label or one best alternative, and the second pass now or after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review import desk as desks
from pages.components.review.desk import SECOND, Desk
from pages.components.session import state
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.annotations import Progress

ALL = "any"
FIELDS = {"given": "Given label", "instead": "Best alternative"}


def choice(desk: Desk, found: Progress | None) -> None:
    """What is served from now on, in the order of the queue; everybody chooses for themselves."""
    left, right = st.columns([2, 5], vertical_alignment="center")
    with left, st.popover(words(desk) or "All cards", icon=":material/filter_alt:", width="stretch"):
        st.caption("Only these cards come next, in the order of the queue; the one in hand goes back.")
        for name in FIELDS:
            if name != "instead" or not desk.queue.blind:
                _select(desk, name)
    if found is not None and (found.disagreements or found.needs_review):
        right.toggle(
            "Second pass now: disagreements first, then what needs review",
            key=SECOND,
            help="Without it the second pass follows the first.",
        )


def nothing(desk: Desk) -> None:
    """No card that is open passes the filter."""
    st.info(f"No card that is open to you passes the filter: {words(desk)}.", icon=":material/filter_alt_off:")
    st.button(
        "Show all cards",
        key="review-all",
        icon=":material/filter_alt_off:",
        on_click=safely(desks.choose),
        args=(desk,),
        kwargs=dict.fromkeys(FIELDS),
    )


def words(desk: Desk) -> str:
    """The filter.

    Returns:
        For example ``given label 3, best alternative 5``; empty for all cards.
    """
    only, names = desks.only(desk.queue), desk.queue.class_names
    chosen = {"given": only.given, "instead": only.suggested}
    parts = [f"{FIELDS[name].lower()} {plain_markdown(names[k])}" for name, k in chosen.items() if k is not None]
    return ", ".join(parts)


def _select(desk: Desk, name: str) -> None:
    key, names = f"review.only-{name}", [ALL, *desk.queue.class_names]
    chosen = getattr(state.view(), name)
    st.session_state[key] = 0 if chosen is None or chosen >= len(desk.queue.class_names) else chosen + 1

    def changed() -> None:
        picked = st.session_state[key]
        desks.choose(desk, **{name: picked - 1 if picked else None})

    st.selectbox(FIELDS[name], range(len(names)), format_func=names.__getitem__, key=key, on_change=safely(changed))
