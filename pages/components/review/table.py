"""The working table: progress, the card with its keys, and the evidence; a press reruns this and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review import card as cards
from pages.components.review import choice, evidence, guard, guideline, keys, strip, twins
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown
from pages.components.widgets.trust_line import LOOKS

if TYPE_CHECKING:
    from influence_core.reviewing import Recipe


@st.fragment
def table(desk: Desk, recipe: Recipe) -> None:
    """Everything that follows a key."""
    with guarded(), core.interactive():
        served, trouble = desks.serve(desk)
        state.mirror()
        desks.show_toasts()
        if trouble:
            st.error(plain_markdown(trouble), icon=":material/database_off:")
        if served is not None:
            _draw(desk, served, recipe)
            evidence.prefetch(desk, recipe)
        elif not trouble:
            _nothing(desk)


def _draw(desk: Desk, served: Served, recipe: Recipe) -> None:
    card = served.card
    split = cached.problem(state.settings()).split
    hidden = desks.concealed(desk.queue, card)
    keys.decisions(desk, served, hidden)
    keys.movements(desk, served)
    if st.session_state.get("review.help"):
        st.markdown(keys.HELP)
    guideline.panel(desk)
    left, right = st.columns([5, 6], gap="large")
    with left:
        _state(desk, served)
        cards.item(desk, card, split)
        twins.twins(desk, served, split)
    with right:
        st.text_input("Note", key=desks.NOTE, placeholder="Goes with the answer", max_chars=4000)
        if hidden:
            st.info(
                "Blind: answer first; suggestion and evidence follow, and both answers are kept.",
                icon=":material/visibility_off:",
            )  # noqa: E501
        else:
            cards.why(card, desk.queue.class_names, "confident_learning" in recipe.signals)
        guard.guard(desk.queue.class_names, card)
        if not hidden:
            evidence.relabelling(desk, served, recipe)
    if not hidden:
        evidence.evidence(desk, served, recipe)
    trust(desk.queue.trust)
    choice.choice(desk, strip.strip(desk))


def trust(text: str) -> None:
    """What the scores of the queue rest on; amber with advice where an assumption is broken."""
    line, *advice = text.split(core.ADVICE)
    said = " ".join((f"{line}.", *advice)) if advice else line
    colour, icon = LOOKS["roughly" if advice else "agrees"]
    st.caption(f":{colour}[:material/{icon}:] Trust: {plain_markdown(said)}")


def _state(desk: Desk, served: Served) -> None:
    card = served.card
    last = st.session_state.get(desks.LAST, "")
    st.caption(
        f"Card {card.place + 1:,} of {desk.queue.size:,}, queue {desk.queue.version}"
        + (f" · {plain_markdown(last)}" if last else "")
    )
    if not served.held:
        said = "You have answered this card." if card.mine else "This card is only to look at."
        st.info(said, icon=":material/visibility:")
        st.button("Back to my card", on_click=safely(desks.resume), key="review-back", icon=":material/reply:")
    elif card.round == 2:
        st.info("Second pass: the answers differed, or somebody asked for review.", icon=":material/rule:")
    elif card.first is not None:
        st.info(
            "Your first answer is kept. Now with suggestion and evidence: your final answer.",
            icon=":material/visibility:",
        )  # noqa: E501


def _nothing(desk: Desk) -> None:
    if choice.words(desk):
        choice.nothing(desk)
        return
    st.success("Nothing is open to you in this queue: every card has its answers.", icon=":material/check_circle:")
    st.button("Undo my last answer", on_click=safely(desks.undo), args=(desk,), key="review-U", shortcut="U")
