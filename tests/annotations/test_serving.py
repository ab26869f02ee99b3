from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Only,
    Refused,
    Store,
    decide,
    give_back,
    look,
    lookahead,
    next_card,
    skip_card,
)
from influence_core.annotations.serving import LEASE, SKIP
from influence_core.annotations.tables import lease
from tests.annotations.conftest import Clock, queue, serve


def test_two_annotators_never_hold_the_same_card(store: Store) -> None:
    number = queue(store, overlap=2).id
    held = [serve(store, number, name) for name in ("ann", "bob", "eve")]
    assert len({card.task for card in held}) == 3
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(lease)).scalar_one() == 3


def test_a_reload_serves_the_same_card_and_lease(store: Store) -> None:
    number = queue(store).id
    assert serve(store, number) == serve(store, number)


def test_a_card_asked_for_again_is_held_longer(store: Store, clock: Clock) -> None:
    number = queue(store).id
    card = serve(store, number)
    clock.wait(LEASE * 0.9)
    again = next_card(store, number, "ann")
    assert again is not None and (again.token, again.served_at) == (card.token, card.served_at)
    assert again.expires_at == clock.now + LEASE
    clock.wait(LEASE * 0.9)
    assert decide(store, card, Answer("keep")).positions == (card.position,)


def test_an_expired_card_goes_to_the_next_who_asks(store: Store, clock: Clock) -> None:
    number = queue(store).id
    card = serve(store, number)
    clock.wait(LEASE + 1)
    taken = next_card(store, number, "bob")
    assert taken is not None and taken.task == card.task
    with pytest.raises(Refused) as caught:
        decide(store, card, Answer("keep"))
    assert caught.value.reason == "stale"


def test_an_expired_card_that_nobody_took_is_refused_and_served_again(store: Store, clock: Clock) -> None:
    number = queue(store).id
    card = serve(store, number)
    clock.wait(LEASE + 1)
    with pytest.raises(Refused) as caught:
        decide(store, card, Answer("keep"))
    assert caught.value.reason == "expired"
    again = serve(store, number)
    assert again.task == card.task and again.token != card.token
    decide(store, again, Answer("keep"))


def test_overlap_asks_as_many_annotators_and_nobody_twice(store: Store) -> None:
    number = queue(store, 6, overlap=2).id
    for name in ("ann", "bob"):
        for _ in range(6):
            decide(store, serve(store, number, name), Answer("keep"))
        assert next_card(store, number, name) is None
    assert next_card(store, number, "eve") is None


def test_a_skipped_card_comes_back_after_others_and_stores_no_answer(store: Store) -> None:
    number = queue(store).id
    first = serve(store, number)
    skip_card(store, first)
    seen = []
    for _ in range(SKIP + 1):
        card = serve(store, number)
        seen.append(card.task)
        decide(store, card, Answer("keep"))
    assert seen.index(first.task) == SKIP


def test_only_skipped_cards_left_come_back_at_once_the_oldest_first(store: Store) -> None:
    number = queue(store, 3).id
    skipped = []
    for _ in range(3):
        card = serve(store, number)
        skipped.append(card.task)
        skip_card(store, card)
    assert serve(store, number).task == skipped[0]
    skip_card(store, serve(store, number))
    assert serve(store, number).task == skipped[1]


def test_what_one_skips_another_is_served(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    skip_card(store, card)
    assert serve(store, number, "bob").task == card.task


def test_pressing_skip_twice_skips_once(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    skip_card(store, card)
    after = serve(store, number)
    with pytest.raises(Refused):
        skip_card(store, card)
    assert serve(store, number) == after


def test_the_second_pass_brings_disagreements_first_then_needs_review(store: Store) -> None:
    number = queue(store, 6, overlap=2).id
    said = {}
    for name in ("ann", "bob"):
        for _ in range(6):
            card = serve(store, number, name)
            action = "review" if card.place == 1 else "exclude" if card.place == 4 and name == "ann" else "keep"
            decide(store, card, Answer(action))  # type: ignore[arg-type]
            said[card.place] = card.position
    order = []
    for _ in range(2):
        card = serve(store, number, "eve")
        assert card.round == 2
        order.append(card.place)
        decide(store, card, Answer("keep"))
    assert order == [4, 1]
    assert next_card(store, number, "eve") is None
    assert next_card(store, number, "ann") is None  # settled for everybody


def test_what_needs_review_goes_to_somebody_else_once_each_until_it_is_settled(store: Store) -> None:
    number = queue(store, 3).id
    for _ in range(3):
        decide(store, serve(store, number), Answer("review"))
    assert next_card(store, number, "ann") is None and next_card(store, number, "ann", review=True) is None
    for answer in (Answer("keep"), Answer("review"), Answer("exclude")):
        assert (card := serve(store, number, "bob")).round == 2
        decide(store, card, answer)
    assert next_card(store, number, "bob") is None
    assert serve(store, number, "eve").place == 1  # still unsettled, for somebody else


def test_the_second_pass_can_come_before_the_first_is_done(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    decide(store, card, Answer("review"))
    serve(store, number)
    serve(store, number, "bob")
    again = serve(store, number, "bob", review=True)
    assert (again.task, again.round) == (card.task, 2)
    assert serve(store, number, "bob", review=True) == again


def test_the_first_pass_goes_on_where_nothing_waits_for_the_second(store: Store) -> None:
    number = queue(store).id
    first = serve(store, number)
    assert serve(store, number, review=True).token == first.token  # the card in hand stays
    decide(store, first, Answer("review"))
    again = serve(store, number, "bob", review=True)
    assert (again.task, again.round) == (first.task, 2)
    decide(store, again, Answer("keep"))
    other = serve(store, number, "bob", review=True)
    assert (other.round, other.place) == (1, 1) and serve(store, number, "bob", review=True).token == other.token


def test_looking_around_holds_nothing_and_answers_nothing(store: Store) -> None:
    number = queue(store, 10).id
    card = serve(store, number)
    decide(store, card, Answer("re-label", card.suggested, note="seen"))
    current = serve(store, number)
    seen = look(store, number, "ann", card.place)
    assert seen.mine == Answer("re-label", card.suggested, "seen")
    other = look(store, number, "bob", card.place)
    assert other.mine is None and not other.changes
    with pytest.raises(Refused):
        decide(store, other, Answer("keep"))
    assert look(store, number, "ann", -5).place == 0 and look(store, number, "ann", 99).place == 9
    assert serve(store, number) == current


def test_lookahead_names_what_is_served_next(store: Store) -> None:
    number = queue(store).id
    serve(store, number, "bob")
    serve(store, number)
    ahead = lookahead(store, number, "ann", 4)
    for position in ahead:
        decide(store, serve(store, number), Answer("keep"))
        assert serve(store, number).position == position
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(lease)).scalar_one() == 2


def test_near_duplicates_that_are_open_are_offered_along(store: Store) -> None:
    groups = np.full(12, -1)
    groups[[0, 3, 5, 7]] = 4
    number = queue(store, 12, duplicates=groups).id
    order = [look(store, number, "x", place).position for place in range(12)]
    first = min((0, 3, 5, 7), key=order.index)
    while (card := serve(store, number)).position != first:
        assert card.peers == ()
        decide(store, card, Answer("keep"))
    assert sorted([card.position, *card.peers]) == [0, 3, 5, 7]
    while serve(store, number, "bob").position not in card.peers:
        decide(store, serve(store, number, "bob"), Answer("keep"))
    assert serve(store, number, "bob").position not in serve(store, number).peers  # bob is at it


def test_giving_back_lets_others_in(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    give_back(store, number, "ann")
    assert serve(store, number, "bob").task == card.task


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb", "a\0b"])
def test_a_name_that_is_none_is_refused(store: Store, name: str) -> None:
    with pytest.raises(AnnotationError, match="name"):
        next_card(store, queue(store).id, name)


def test_a_queue_that_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(AnnotationError, match="no queue number 99"):
        next_card(store, 99, "ann")


def test_a_filter_chooses_what_comes_next_and_keeps_the_order(store: Store) -> None:
    number = queue(store, 30).id
    order = [look(store, number, "ann", place) for place in range(30)]
    wanted = [card.task for card in order if card.given == 2]
    only = Only(given=2)
    ahead = lookahead(store, number, "ann", 4, only)
    assert [order[[c.position for c in order].index(p)].task for p in ahead] == wanted[:4]
    served = []
    while (card := next_card(store, number, "ann", only=only)) is not None:
        served.append(card.task)
        store.clock.wait()  # type: ignore[attr-defined]
        decide(store, card, Answer("keep"))
    assert served == wanted
    assert next_card(store, number, "ann", only=Only(given=0, suggested=2)) is None  # a 0 is suggested to be a 1
    card = next_card(store, number, "ann", only=Only(given=0, suggested=1))
    assert card is not None and (card.given, card.suggested) == (0, 1)


def test_a_filter_holds_for_skipped_cards_and_the_second_pass_too(store: Store) -> None:
    number, only = queue(store, 3).id, Only(given=1)
    card = next_card(store, number, "ann", only=only)
    assert card is not None and card.given == 1
    store.clock.wait()  # type: ignore[attr-defined]
    skip_card(store, card)
    again = next_card(store, number, "ann", only=only)
    assert again is not None and again.task == card.task
    store.clock.wait()  # type: ignore[attr-defined]
    decide(store, again, Answer("review"))
    second = next_card(store, number, "bob", only=only)
    assert second is not None and (second.task, second.round) == (card.task, 2)


def test_a_card_in_hand_stays_whatever_the_filter_until_it_is_given_back(store: Store) -> None:
    number = queue(store, 9).id
    card = serve(store, number)
    other = Only(given=(card.given + 1) % 3)
    assert next_card(store, number, "ann", only=other) == card
    give_back(store, number, "ann")
    taken = next_card(store, number, "ann", only=other)
    assert taken is not None and taken.given == other.given
