"""The card in hand: served, answered, skipped, undone; one rerun of a fragment each, and nothing is ever lost.

Keys are buttons with static widget keys; the card with its lease token travels in their ``args``, so that a press that
arrives late, twice or for another card is seen as what it is, and refused by the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

from pages.components.review.people import Person
from pages.components.session import cached, state
from pages.components.session.door import annotating

if TYPE_CHECKING:
    from influence_core.annotations import Answer, Card, Only, Queue, Said
    from influence_core.annotations.records import Action

KEPT, TROUBLE, TOASTS, LAST = "review.card", "review.trouble", "review.toasts", "review.last"
HEARD = "review.heard"  # presses of this session that were acted on, for the browser to know
NOTE, ALONG, CHOSEN, SECOND = "review.note", "review.along", "review.class", "review.second"
WRITTEN = "review.note-for"  # the card that the note in the box was written for
ASKED = "review.counter-asked"  # the card and the counter-example that is about to be relabelled
FRESH = {ASKED: None, WRITTEN: None, ALONG: False, CHOSEN: None}  # what belongs to one card


P = ParamSpec("P")


def heard(call: Callable[P, None]) -> Callable[P, None]:
    """A callback of a button that acts on the card, counted, so that the browser lets the next press go.

    Returns:
        The same callback.
    """

    @wraps(call)
    def counted(*args: P.args, **more: P.kwargs) -> None:
        st.session_state[HEARD] = st.session_state.get(HEARD, 0) + 1
        call(*args, **more)

    return counted


@dataclass(frozen=True)
class Desk:
    """Who works in which queue."""

    queue: Queue
    person: Person


@dataclass(frozen=True)
class Served:
    """What is on the desk.

    Attributes:
        card: to show.
        held: whether it is in hand, and not only looked at.
    """

    card: Card
    held: bool = True

    @property
    def answerable(self) -> bool:
        """Whether a key answers it, or changes the answer that was given."""
        return self.held or self.card.changes


def serve(desk: Desk) -> tuple[Served | None, str]:
    """The card in hand, or the one that is looked at; what the database gave last where it is in trouble.

    Returns:
        What to show, None when nothing is open; and why the database could not do it, in one sentence.
    """
    place = state.view().place
    trouble: str = st.session_state.pop(TROUBLE, "")
    try:
        if place is not None:
            there = annotating.look(cached.store(), desk.queue.id, desk.person.name, place)
            return Served(there, held=False), trouble
        second = bool(st.session_state.get(SECOND))
        card = annotating.next_card(
            cached.store(), desk.queue.id, desk.person.name, review=second, only=only(desk.queue)
        )
    except annotating.StoreUnavailable as error:
        kept: Card | None = st.session_state.get(KEPT)
        return None if kept is None else Served(kept), str(error)
    st.session_state[KEPT] = card
    return None if card is None else Served(card), trouble


def only(queue: Queue) -> Only:
    """Which cards are asked for; a blind queue does not tell by what it serves which alternative there is.

    Returns:
        The filter of the link, where it names classes of these data.
    """
    c, view = len(queue.class_names), state.view()
    given, instead = (k if k is not None and k < c else None for k in (view.given, view.instead))
    return annotating.Only(given, None if queue.blind else instead)


def choose(desk: Desk, **labels: int | None) -> None:
    """Serve other cards from now on; the one in hand goes back."""
    try:
        annotating.give_back(cached.store(), desk.queue.id, desk.person.name)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
        return
    st.session_state.update(FRESH)
    state.look(place=None, **labels)


def begin_note(card: Card) -> None:
    """The box holds what was written for this card, and nothing of another; before it is drawn."""
    if st.session_state.get(WRITTEN) != _sheet(card):
        given = card.mine.note if card.changes and card.mine is not None else card.draft
        st.session_state.update({NOTE: given, WRITTEN: _sheet(card)})


def _sheet(card: Card) -> tuple[int, bool]:
    return card.task, card.changes


def keep_note(card: Card) -> None:
    """A note is kept with its card as soon as it is left, so that a reload brings both back."""
    if card.changes or st.session_state.get(WRITTEN) != _sheet(card):
        return
    try:
        annotating.save_draft(cached.store(), card, st.session_state[NOTE])
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)


def concealed(queue: Queue, card: Card) -> bool:
    """Whether suggestion and evidence stay hidden: blind mode, before the first answer of this annotator.

    Returns:
        False outside blind mode; in the second pass too it depends on whether this annotator has said anything.
    """
    return queue.blind and card.first is None and card.mine is None


@heard
def answer(desk: Desk, card: Card, action: Action, label: int | None = None) -> None:
    """Store an answer to exactly this card; a callback, so that the rerun shows the next one."""
    hidden = concealed(desk.queue, card)
    along = card.peers if st.session_state.get(ALONG) and not hidden else ()
    note = st.session_state.get(NOTE, "") if st.session_state.get(WRITTEN) == _sheet(card) else card.draft
    said = annotating.Answer(action, label, note, saw_suggestion=not hidden, first=hidden)
    try:
        decided = annotating.decide(cached.store(), card, said, also=along)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
        return
    except (annotating.Refused, annotating.AnnotationError) as error:
        keep_note(card)
        toast(str(error))
        return
    if decided.card is None:
        st.session_state.update(FRESH)
        st.session_state[LAST] = _words(desk, card, said, len(decided.positions))


def _words(desk: Desk, card: Card, said: Answer, count: int) -> str:
    """What was just stored."""
    more = f", with {count - 1} near-duplicate{'s' * (count > 2)}" if count > 1 else ""
    return f"{card.name}: {outcome(desk, card, said)}{more}{', changed' if card.changes else ''}"


def outcome(desk: Desk, card: Card, said: Answer | Said) -> str:
    """An answer in words.

    Returns:
        For example ``3 → 5``, or ``kept``.
    """
    names, action = desk.queue.class_names, said.action
    if action == "re-label" and said.label is not None and said.label != card.given:
        return f"{names[card.given]} → {names[said.label]}"
    return {"keep": "kept", "re-label": "kept", "exclude": "excluded", "review": "needs review"}[action]


@heard
def undo(desk: Desk) -> None:
    """Take the last answer back; its card is served again."""
    state.look(place=None)
    try:
        card = annotating.undo(cached.store(), desk.queue.id, desk.person.name)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
    except (annotating.Refused, annotating.AnnotationError) as error:
        toast(str(error))
    else:
        kept: Card | None = st.session_state.get(KEPT)
        if card is None or kept is None or card.task != kept.task:
            st.session_state.update(FRESH)
        st.session_state[LAST] = "Undone."
        if card is None:
            toast("Your answer was taken back, but somebody else has taken up that item meanwhile.")


@heard
def skip(_desk: Desk, card: Card) -> None:
    """Put the card back; it comes again later, and nothing is stored as an answer."""
    try:
        annotating.skip_card(cached.store(), card)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
    except (annotating.Refused, annotating.AnnotationError) as error:
        toast(str(error))
    else:
        st.session_state.update(FRESH)
        st.session_state[LAST] = f"{card.name}: skipped"


@heard
def move(card: Card, step: int) -> None:
    """Look at the card before or after this one; at the place of the card in hand one can answer again."""
    held: Card | None = st.session_state.get(KEPT)
    place = max(card.place + step, 0)
    state.look(place=None if held is not None and held.place == place else place)


@heard
def answer_beside(desk: Desk, card: Card, other: Card, label: int) -> None:
    """Relabel another item from the card in hand, which stays."""
    said = annotating.Answer("re-label", label)
    try:
        annotating.decide_beside(cached.store(), card, other.position, said)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
    except (annotating.Refused, annotating.AnnotationError) as error:
        toast(str(error))
    else:
        st.session_state.update({LAST: _words(desk, other, said, 1), ASKED: None})


@heard
def take(desk: Desk, other: Card) -> None:
    """Put this card back and open the one of another training point; one that is not free is only looked at."""
    place = None
    try:
        annotating.take_card(cached.store(), desk.queue.id, desk.person.name, other.position)
    except annotating.StoreUnavailable as error:
        st.session_state[TROUBLE] = str(error)
        return
    except (annotating.Refused, annotating.AnnotationError) as error:
        toast(str(error))
        place = other.place
    else:
        st.session_state.update(FRESH)
    state.look(place=place)


@heard
def resume() -> None:
    """Back to the card in hand."""
    state.look(place=None)


def flip(name: str) -> None:
    """Open what is closed, and close what is open."""
    st.session_state[name] = not st.session_state.get(name, False)


def toast(sentence: str) -> None:
    """Something to say on the run that follows."""
    st.session_state.setdefault(TOASTS, []).append(sentence)


def show_toasts() -> None:
    """What callbacks had to say."""
    for sentence in st.session_state.pop(TOASTS, []):
        st.toast(sentence, icon=":material/info:")
