"""The list of cards, and opening one of them out of turn."""

from __future__ import annotations

import pytest

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Refused,
    Store,
    decide,
    find_card,
    get_queue,
    items,
    look,
    next_card,
    run_settings,
    take_card,
    undo,
)
from tests.annotations.conftest import queue, serve


def test_the_list_holds_every_card_in_order_and_only_own_standing_answers(store: Store) -> None:
    made = queue(store, overlap=2)
    ann, bob = serve(store, made.id), serve(store, made.id, "bob")
    decide(store, ann, Answer("re-label", ann.suggested))
    decide(store, bob, Answer("exclude"))
    found = items(store, made.id, "ann")
    assert [item.place for item in found] == list(range(made.size))
    assert {item.position: (item.action, item.label) for item in found if item.action} == {
        ann.position: ("re-label", ann.suggested)
    }
    assert found[ann.place].name == ann.name
    undo(store, made.id, "ann")
    assert not any(item.action for item in items(store, made.id, "ann"))


def test_taking_a_card_puts_the_one_in_hand_back(store: Store) -> None:
    made = queue(store)
    first = serve(store, made.id)
    wanted = items(store, made.id, "ann")[7]
    card = take_card(store, made.id, "ann", wanted.position)
    assert (card.position, card.place) == (wanted.position, 7)
    with pytest.raises(Refused) as refused:
        decide(store, first, Answer("keep"))
    assert refused.value.reason == "stale"
    again = next_card(store, made.id, "ann")
    assert again is not None and again.token == card.token
    assert serve(store, made.id, "bob").position == first.position


def test_a_card_that_is_held_answered_or_absent_is_not_taken(store: Store) -> None:
    made = queue(store, limit=10)
    bob = serve(store, made.id, "bob")
    with pytest.raises(Refused) as refused:
        take_card(store, made.id, "ann", bob.position)
    assert refused.value.reason == "held"
    decide(store, bob, Answer("keep"))
    with pytest.raises(AnnotationError, match="has its answers already"):
        take_card(store, made.id, "ann", bob.position)
    outside = next(row for row in range(40) if row not in {item.position for item in items(store, made.id, "ann")})
    with pytest.raises(AnnotationError, match="not in this queue"):
        take_card(store, made.id, "ann", outside)


def test_the_settings_of_a_run_are_what_was_given(store: Store) -> None:
    made = queue(store)
    assert run_settings(store, get_queue(store, made.id).run) == {"data.name": "made up"}
    with pytest.raises(AnnotationError, match="no run number 99"):
        run_settings(store, 99)


def test_a_row_has_a_card_to_look_at_where_the_queue_asks_about_it(store: Store) -> None:
    made = queue(store, limit=10)
    listed = items(store, made.id, "ann")
    seen = find_card(store, made.id, "ann", listed[3].position)
    assert seen == look(store, made.id, "ann", 3) and seen is not None and seen.token == ""
    outside = next(row for row in range(40) if row not in {item.position for item in listed})
    assert find_card(store, made.id, "ann", outside) is None
