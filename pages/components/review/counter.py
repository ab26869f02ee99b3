"""The strongest counter-example, which may itself be the one with the wrong label: relabelled from the card in hand."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session import cached, links, state
from pages.components.session.door import annotating
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Case
    from influence_core.annotations import Card
    from influence_core.reviewing import Scored

SELDOM = "6 to 10 of 50"
ABSENT = "This queue does not ask about it: it was settled earlier, or the queue is short."


def counter(desk: Desk, served: Served, scored: Scored, found: Case) -> None:
    """What speaks most against the label of this card, with a relabel button of its own."""
    if found.counter is None:
        return
    position, train = found.counter.row, scored.split.train
    try:
        other = annotating.find_card(cached.store(), desk.queue.id, desk.person.name, position)
    except annotating.StoreUnavailable:
        return  # the card has said so
    words, answer, way = st.columns([4, 3, 2], vertical_alignment="center")
    label = desk.queue.class_names[int(train.y[position])]
    words.markdown(
        f"**Strongest counter-example:** {plain_markdown(str(train.ids[position]))}, labelled {plain_markdown(label)}. "
        + plain_markdown(ABSENT if other is None else _standing(desk, other))
    )
    with answer:
        if other is not None:
            _relabel(desk, served, other)
    with way:
        _way(desk, other, position)


def _standing(desk: Desk, other: Card) -> str:
    """What this annotator has said of it, or why it may matter."""
    if other.mine is not None:
        return f"Your answer: {desks.outcome(desk, other, other.mine)}."
    if desks.concealed(desk.queue, other):
        return "Its card asks for a first answer."
    return "It is seldom the one with the wrong label."


def _relabel(desk: Desk, served: Served, other: Card) -> None:
    """Relabels it to its most probable other class, after a question; this card stays."""
    if other.mine is not None or desks.concealed(desk.queue, other):
        return
    name = plain_markdown(desk.queue.class_names[other.suggested])
    if st.session_state.get(desks.ASKED) != (served.card.task, other.task):
        st.button(
            f"Relabel it: {name} …",
            help="Its most probable other class. You are asked first.",
            key="review-counter",
            icon=":material/swap_horiz:",
            on_click=safely(_ask),
            args=((served.card.task, other.task),),
            disabled=not served.held,
            width="stretch",
        )
        return
    st.caption(f"Where this was measured, {SELDOM} counter-examples were wrong themselves. Sure?")
    st.button(
        f"Yes, it is {name}",
        help="This card stays, and undo takes the relabelling back.",
        key="review-counter-yes",
        type="primary",
        on_click=safely(desks.answer_beside),
        args=(desk, served.card, other, other.suggested),
        disabled=not served.held,
        width="stretch",
    )
    st.button("No, leave it", key="review-counter-no", on_click=safely(_ask), args=(None,), width="stretch")


@desks.heard  # else the answer to the question is taken for a second press on the card
def _ask(pair: tuple[int, int] | None) -> None:
    st.session_state[desks.ASKED] = pair


def _way(desk: Desk, other: Card | None, position: int) -> None:
    """To its card, or to the page that shows every training point."""
    if other is None:
        there = links.write(state.settings(), replace(state.view(), train=position, ask="train"))
        with suppress(StreamlitPageNotFoundError):  # a page run on its own has no siblings
            st.page_link("pages/3_Explore.py", label="See it in Explore", icon=":material/search:", query_params=there)
        return
    st.button(
        "Open its card",
        help="For any other answer; this card comes back later.",
        key="review-counter-open",
        icon=":material/open_in_new:",
        on_click=safely(desks.take),
        args=(desk, other),
        width="stretch",
    )
