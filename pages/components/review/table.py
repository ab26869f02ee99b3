"""The working table: progress, the card with its keys, and the evidence; a press reruns this and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review import card as cards
from pages.components.review import choice, evidence, example, guard, guideline, keys, shelf, strip, twins
from pages.components.review import desk as desks
from pages.components.review.desk import Desk, Served
from pages.components.session import cached, state
from pages.components.session.door import annotating, core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import counted, plain_markdown
from pages.components.widgets.trust_line import LOOKS

if TYPE_CHECKING:
    from influence_core.annotations import Card, Progress
    from influence_core.reviewing import Recipe

NOTE, NOTE_HEIGHT = 4_000, 68  # characters, pixels


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
    split = shelf.whole(recipe.settings).split
    hidden = desks.concealed(desk.queue, card)
    keys.decisions(desk, served, hidden)
    keys.movements(desk, served)
    if st.session_state.get("review.help"):
        st.markdown(keys.HELP)
    guideline.panel(desk)
    found = strip.read(desk)
    left, right = st.columns([4, 8], gap="medium")
    with left:
        _state(desk, served, found)
        cards.title(desk, card)
        example.example(card, recipe, split, hidden)
        twins.twins(desk, served, split)
    with right:
        _reasons(desk, served, recipe, hidden)
    trust(desk.queue.trust)
    if found is not None:
        strip.said(found)
    choice.choice(desk, found)


def _reasons(desk: Desk, served: Served, recipe: Recipe, hidden: bool) -> None:
    """The note, and unless they stay hidden the signals and the evidence."""
    one, two = st.columns(2, gap="medium")
    with one:
        if hidden:
            st.info(
                "Blind: answer first; suggestion and evidence follow, and both answers are kept.",
                icon=":material/visibility_off:",
            )
        else:
            cards.why(served.card, desk.queue.class_names, "confident_learning" in recipe.signals)
        guard.guard(desk.queue.class_names, served.card)
    with two:
        _note(served.card)
        if not hidden:
            evidence.relabelling(desk, served, recipe)
    if not hidden:
        evidence.evidence(desk, served, recipe)


def trust(text: str) -> None:
    """What the scores of the queue rest on; amber with advice where an assumption is broken."""
    line, *advice = text.split(core.ADVICE)
    said = " ".join((f"{line}.", *advice)) if advice else line
    colour, icon = LOOKS["roughly" if advice else "agrees"]
    st.caption(f":{colour}[:material/{icon}:] Trust: {plain_markdown(said)}")


def _state(desk: Desk, served: Served, found: Progress | None) -> None:
    card = served.card
    last = st.session_state.get(desks.LAST, "")
    number = f"Card {card.place + 1:,} of {desk.queue.size:,}, queue {desk.queue.version}"
    if found is not None:
        strip.bar(found, f"{number} · {strip.mine(found)}")
    if last or found is None:
        st.caption(plain_markdown(last or number))
    if not served.held:
        _looked_at(desk, card)
    elif card.round == 2:
        st.info(
            "Second pass: the answers differ, or somebody asked for review. Yours settles it.", icon=":material/rule:"
        )
        if not desks.concealed(desk.queue, card):
            cards.others(desk, card, card.others)
    elif card.first is not None:
        st.info(
            "Your first answer is kept. Now with suggestion and evidence: your final answer.",
            icon=":material/visibility:",
        )  # noqa: E501


def _looked_at(desk: Desk, card: Card) -> None:
    said = "This card is only to look at."
    if card.mine is not None:
        said = f"Your answer: {plain_markdown(desks.outcome(desk, card, card.mine))}. A key changes it, undo goes back."
    st.info(said, icon=":material/visibility:")
    if desk.person.lead and (given := annotating.told(cached.store(), card)):
        cards.others(desk, card, given)
    st.button("Back to my card", on_click=safely(desks.resume), key="review-back", icon=":material/reply:")


def _note(card: Card) -> None:
    desks.begin_note(card)
    st.text_area(
        "Note",
        key=desks.NOTE,
        placeholder="Goes with the answer",
        max_chars=NOTE,
        height=NOTE_HEIGHT,
        on_change=safely(desks.keep_note),
        args=(card,),
    )


def _nothing(desk: Desk) -> None:
    if choice.words(desk):
        choice.nothing(desk)
        return
    st.success("Nothing is open to you in this queue.", icon=":material/check_circle:")
    found = annotating.progress(cached.store(), desk.queue.id, desk.person.name)
    waiting = found.disagreements + found.needs_review
    if waiting:
        st.info(
            f"{counted(waiting, 'card')} {'waits' if waiting == 1 else 'wait'} for a second look by somebody who has "
            "not answered yet. An answer of your own can be changed: look at its card.",
            icon=":material/group:",
        )
    st.button("Undo my last answer", on_click=safely(desks.undo), args=(desk,), key="review-U", shortcut="U")
