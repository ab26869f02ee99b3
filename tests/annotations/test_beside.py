"""Answering a counter-example from the card in hand, which stays there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Card,
    Refused,
    Store,
    decide,
    decide_beside,
    find_card,
    next_card,
    undo,
)
from influence_core.annotations.tables import task
from tests.annotations.conftest import Clock, queue, serve
from tests.annotations.test_decisions import rows


def other_than(store: Store, card: Card, place: int = 7) -> Card:
    with store.reading() as connection:
        wanted = sa.select(task.c.position).where(task.c.queue_id == card.queue, task.c.place == place)
        position = connection.execute(wanted).scalar_one()
    found = find_card(store, card.queue, card.annotator, position)
    assert found is not None
    return found


def test_the_other_item_is_answered_and_the_card_stays_in_hand(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    other = other_than(store, card)
    decided = decide_beside(store, card, other.position, Answer("re-label", other.suggested))
    (row,) = rows(store)
    assert (row.id,) == decided.ids and decided.positions == (other.position,)
    assert (row.task_id, row.annotator, row.action, row.new_label) == (other.task, "ann", "re-label", other.suggested)
    assert (row.origin, row.stage, row.round, row.lead_time) == ("prediction", "final", 1, pytest.approx(1.0))
    assert decided.card is not None and decided.card.task == card.task and decided.card.token != card.token
    clock.wait(3.0)
    assert next_card(store, card.queue, "ann") == decided.card
    decide(store, decided.card, Answer("keep"))
    assert rows(store)[1].lead_time == pytest.approx(3.0)  # no second counts twice
    assert serve(store, card.queue).task not in {card.task, other.task}


def test_the_same_press_again_adds_nothing_and_another_one_is_stale(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    other, third = other_than(store, card), other_than(store, card, 8)
    said = Answer("re-label", other.suggested)
    first = decide_beside(store, card, other.position, said)
    clock.wait(10_000)
    again = decide_beside(store, card, other.position, said)
    assert again.repeated and again.ids == first.ids and again.positions == first.positions
    for position, answer in ((other.position, Answer("exclude")), (third.position, said)):
        with pytest.raises(Refused, match="no longer yours"):
            decide_beside(store, card, position, answer)
    with pytest.raises(Refused, match="no longer yours"):
        decide(store, card, Answer("keep"))  # a key pressed with it: the card has a new token
    assert len(rows(store)) == 1


def test_undo_takes_it_back_keeps_the_card_and_it_can_be_answered_again(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    other = other_than(store, card)
    said = Answer("re-label", other.suggested)
    kept = decide_beside(store, card, other.position, said).card
    assert kept is not None
    assert undo(store, card.queue, "ann") == kept
    assert [row.action for row in rows(store)] == ["re-label", "undo"]
    clock.wait()
    kept = decide_beside(store, kept, other.position, said).card
    assert kept is not None
    clock.wait()
    decide(store, kept, Answer("keep"))
    serve(store, card.queue)
    back = undo(store, card.queue, "ann")
    assert back is not None and back.task == card.task  # of the card itself: it is served again
    assert undo(store, card.queue, "ann") == back and find_card(store, card.queue, "ann", other.position) == other
    with pytest.raises(AnnotationError, match="no answer of yours"):
        undo(store, card.queue, "ann")


def test_undo_without_a_card_in_hand_serves_the_other_one(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    other = other_than(store, card)
    decide_beside(store, card, other.position, Answer("exclude"))
    clock.wait(10_000)
    back = undo(store, card.queue, "ann")
    assert back is not None and back.task == other.task


def test_what_may_not_be_answered_beside_is_refused_and_the_card_stays(store: Store, clock: Clock) -> None:
    made = queue(store, limit=10)
    card, held = serve(store, made.id), serve(store, made.id, "bob")
    said = Answer("exclude")
    with pytest.raises(Refused) as caught:
        decide_beside(store, card, held.position, said)
    assert caught.value.reason == "held"
    decide(store, held, Answer("keep"))
    for position, sentence in (
        (held.position, "has its answers already"),
        (next(row for row in range(40) if find_card(store, made.id, "ann", row) is None), "not in this queue"),
        (card.position, "answer the card itself"),
    ):
        with pytest.raises(AnnotationError, match=sentence):
            decide_beside(store, card, position, said)
    other = other_than(store, card)
    for wrong in (replace(card, token="0" * 16), replace(card, token=""), replace(card, annotator="bob")):
        with pytest.raises(Refused, match="no longer yours"):
            decide_beside(store, wrong, other.position, said)
    assert len(rows(store)) == 1 and next_card(store, made.id, "ann") == card
    clock.wait(10_000)
    with pytest.raises(Refused, match="too long"):
        decide_beside(store, card, other.position, said)


def test_a_blind_queue_asks_for_a_first_answer_on_its_own_card(store: Store) -> None:
    card = serve(store, queue(store, blind=True).id)
    with pytest.raises(AnnotationError, match="open its card"):
        decide_beside(store, card, other_than(store, card).position, Answer("exclude"))
    assert rows(store) == []
