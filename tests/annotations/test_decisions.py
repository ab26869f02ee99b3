from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import AnnotationError, Answer, Refused, Store, decide, look, next_card, undo
from influence_core.annotations.tables import decision, task
from tests.annotations.conftest import Clock, queue, serve


def rows(store: Store) -> list[sa.Row]:  # type: ignore[type-arg]
    with store.reading() as connection:
        return list(connection.execute(sa.select(decision).order_by(decision.c.id)).all())


def counts(store: Store) -> list[int]:
    with store.reading() as connection:
        return [row.answers for row in connection.execute(sa.select(task).order_by(task.c.place)).all()]


def test_an_answer_is_stored_with_all_that_the_guide_asks_for(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    clock.wait(6.0)
    decided = decide(store, card, Answer("re-label", card.suggested, "blurred"))
    (row,) = rows(store)
    assert (row.id,) == decided.ids
    assert (row.task_id, row.annotator, row.action, row.new_label, row.note) == (
        card.task, "ann", "re-label", card.suggested, "blurred",
    )  # fmt: skip
    assert (row.origin, row.saw_suggestion, row.stage, row.supersedes, row.undoes) == (
        "prediction", True, "final", None, None,
    )  # fmt: skip
    assert row.served_at == card.served_at and row.decided_at == clock.now and row.lead_time == pytest.approx(7.0)


def test_where_an_answer_came_from(store: Store) -> None:
    number = queue(store).id
    for answer, origin in [
        (Answer("keep"), "prediction-changed"),
        (Answer("keep", saw_suggestion=False), "manual"),
        (Answer("exclude"), "prediction-changed"),
    ]:
        decide(store, serve(store, number), answer)
        assert rows(store)[-1].origin == origin
    card = serve(store, number)
    other = ({0, 1, 2} - {card.given, card.suggested}).pop()
    decide(store, card, Answer("re-label", other))
    assert rows(store)[-1].origin == "prediction-changed"


def test_the_same_answer_again_is_acknowledged_and_adds_nothing(store: Store, clock: Clock) -> None:
    card = serve(store, queue(store).id)
    first = decide(store, card, Answer("exclude"))
    clock.wait(10_000)  # the confirmation was lost, the lease is long over
    again = decide(store, card, Answer("exclude"))
    assert again.repeated and again.ids == first.ids and again.positions == first.positions
    assert len(rows(store)) == 1 and sum(counts(store)) == 1


def test_another_key_for_an_answered_card_is_stale(store: Store) -> None:
    card = serve(store, queue(store).id)
    decide(store, card, Answer("exclude"))
    with pytest.raises(Refused, match="no longer yours"):
        decide(store, card, Answer("keep"))
    assert len(rows(store)) == 1


def test_a_key_within_a_quarter_of_a_second_is_a_slip(store: Store, clock: Clock) -> None:
    number = queue(store).id
    card = next_card(store, number, "ann")
    assert card is not None
    clock.wait(0.24)
    with pytest.raises(Refused) as caught:
        decide(store, card, Answer("keep"))
    assert caught.value.reason == "early" and rows(store) == []
    clock.wait(0.02)
    decide(store, card, Answer("keep"))


def test_a_token_of_somebody_else_is_stale(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    for other in (replace(card, annotator="bob"), replace(card, token="0" * 16), replace(card, token="")):
        with pytest.raises(Refused) as caught:
            decide(store, other, Answer("keep"))
        assert caught.value.reason == "stale"
    assert rows(store) == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer("re-label"),
        Answer("keep", 1),
        Answer("re-label", 3),
        Answer("re-label", -1),
        Answer("undo"),  # type: ignore[arg-type]
        Answer("keep", note="x" * 4001),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_and_the_card_stays(store: Store, answer: Answer) -> None:
    number = queue(store).id
    card = serve(store, number)
    with pytest.raises(AnnotationError, match="Expected"):
        decide(store, card, answer)
    assert rows(store) == [] and serve(store, number) == card


def test_a_new_label_that_is_the_given_one_keeps_it(store: Store) -> None:
    card = serve(store, queue(store).id)
    decide(store, card, Answer("re-label", card.given))
    assert (rows(store)[0].action, rows(store)[0].new_label) == ("keep", None)


def test_notes_of_any_text_survive(store: Store) -> None:
    note = "=cmd|' /C calc'!A0 \0 \U0001f44d '; DROP TABLE decision; --"
    decide(store, serve(store, queue(store).id), Answer("keep", note=note))
    assert rows(store)[0].note == note.replace("\0", "")


def _grouped(store: Store, n: int = 9) -> int:
    return queue(store, n, duplicates=np.arange(n) % 3).id


def test_near_duplicates_are_answered_together_and_each_by_its_own_label(store: Store) -> None:
    number = _grouped(store)
    card = serve(store, number)
    decided = decide(store, card, Answer("re-label", card.suggested), also=card.peers)
    assert sorted(decided.positions) == [p for p in range(9) if p % 3 == card.position % 3]
    assert sum(row.lead_time for row in rows(store)) == pytest.approx(1.0)
    assert sum(counts(store)) == 3
    assert decide(store, card, Answer("re-label", card.suggested), also=card.peers).repeated
    assert len(rows(store)) == 3


def test_a_bulk_answer_keeps_where_the_new_label_was_given_already(store: Store) -> None:
    number = queue(store, 6, duplicates=np.zeros(6, int)).id
    card = serve(store, number)
    decide(store, card, Answer("re-label", card.suggested), also=card.peers)
    for row in rows(store):
        assert (row.action == "keep") == (row.new_label is None)
    assert sorted(row.action for row in rows(store)) == ["keep"] * 2 + ["re-label"] * 4


def test_a_bulk_answer_leaves_what_is_no_peer_or_taken_alone(store: Store) -> None:
    number = _grouped(store)
    card = serve(store, number)
    while serve(store, number, "bob").position not in card.peers:
        decide(store, serve(store, number, "bob"), Answer("keep"))
    taken = serve(store, number, "bob").position
    decided = decide(store, card, Answer("exclude"), also=range(9))
    assert taken not in decided.positions
    assert all(position % 3 == card.position % 3 for position in decided.positions)


def test_undo_adds_a_row_serves_the_card_again_and_goes_further_back(store: Store) -> None:
    number = queue(store).id
    served = []
    for action in ("keep", "exclude", "review"):
        served.append(serve(store, number))
        decide(store, served[-1], Answer(action))  # type: ignore[arg-type]
    serve(store, number)
    for card in reversed(served):
        back = undo(store, number, "ann")
        assert back is not None and back.task == card.task and back.token != card.token
        assert serve(store, number) == back  # across a reload
    with pytest.raises(AnnotationError, match="no answer of yours"):
        undo(store, number, "ann")
    kept = rows(store)
    assert [row.action for row in kept] == ["keep", "exclude", "review", "undo", "undo", "undo"]
    assert [row.undoes for row in kept[3:]] == [kept[2].id, kept[1].id, kept[0].id]
    assert sum(counts(store)) == 0


def test_an_undone_card_takes_another_answer(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number)
    decide(store, card, Answer("keep"))
    back = undo(store, number, "ann")
    assert back is not None
    store.clock.wait()  # type: ignore[attr-defined]
    decide(store, back, Answer("exclude"))
    assert look(store, number, "ann", card.place).mine == Answer("exclude")
    assert sum(counts(store)) == 1


def test_undo_takes_back_a_bulk_answer_whole_and_nothing_of_others(store: Store) -> None:
    number = _grouped(store)
    decide(store, serve(store, number, "bob"), Answer("keep"))
    card = serve(store, number)
    decide(store, card, Answer("exclude"), also=card.peers)
    undo(store, number, "ann")
    assert sum(counts(store)) == 1
    with pytest.raises(AnnotationError):
        undo(store, number, "ann")


def test_an_undone_card_that_somebody_took_meanwhile_is_theirs(store: Store) -> None:
    number = queue(store, overlap=2).id
    card = serve(store, number)
    decide(store, card, Answer("keep"))
    taken = serve(store, number, "bob")
    assert taken.task == card.task
    assert undo(store, number, "ann") is None
    assert serve(store, number).task != card.task


def test_the_blind_first_answer_and_the_final_one_are_both_kept(store: Store, clock: Clock) -> None:
    number = queue(store, blind=True).id
    card = serve(store, number)
    blind = decide(store, card, Answer("keep", saw_suggestion=False, first=True))
    shown = blind.card
    assert shown is not None and shown.task == card.task and shown.token != card.token
    assert shown.first == Answer("keep", saw_suggestion=False, first=True)
    assert serve(store, number) == shown  # a reload does not ask blindly again
    assert sum(counts(store)) == 0
    clock.wait()
    decide(store, shown, Answer("re-label", card.suggested))
    first, final = rows(store)
    assert (first.stage, first.origin, final.stage, final.origin) == ("first", "manual", "final", "prediction")
    assert final.supersedes == first.id and sum(counts(store)) == 1


def test_the_key_that_answered_blindly_does_not_answer_twice(store: Store) -> None:
    number = queue(store, blind=True).id
    card = serve(store, number)
    shown = decide(store, card, Answer("keep", saw_suggestion=False, first=True)).card
    assert decide(store, card, Answer("keep", saw_suggestion=False, first=True)).repeated
    with pytest.raises(Refused):
        decide(store, card, Answer("keep"))
    assert shown is not None
    with pytest.raises(Refused, match="250 ms"):
        decide(store, shown, Answer("keep"))


def test_undoing_the_final_answer_leaves_the_blind_one(store: Store, clock: Clock) -> None:
    number = queue(store, blind=True).id
    shown = decide(store, serve(store, number), Answer("keep", saw_suggestion=False, first=True)).card
    assert shown is not None
    clock.wait()
    decide(store, shown, Answer("exclude"))
    back = undo(store, number, "ann")
    assert back is not None and back.first is not None and back.mine is None


def test_a_second_pass_answer_supersedes_and_can_be_undone(store: Store) -> None:
    number = queue(store, 1).id
    decide(store, serve(store, number), Answer("review"))
    card = serve(store, number, "bob")
    decide(store, card, Answer("keep"))
    assert (rows(store)[1].round, rows(store)[1].supersedes) == (2, None)
    back = undo(store, number, "bob")
    assert back is not None and back.round == 2 and counts(store) == [1]
