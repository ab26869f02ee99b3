"""Second looks and second thoughts: who settles, what they are shown, notes that stay, answers that are changed."""

from __future__ import annotations

import pandas as pd
import pytest

from influence_core.annotations import (
    Answer,
    Refused,
    Store,
    activity,
    answers,
    decide,
    export,
    items,
    look,
    next_card,
    progress,
    read_csv,
    resolve,
    save_draft,
    told,
    undo,
)
from tests.annotations.conftest import Clock, queue, serve
from tests.annotations.test_decisions import counts, rows


def test_a_tie_stays_open_and_out_of_every_file_until_somebody_else_settles_it(store: Store) -> None:
    made = queue(store, 1, overlap=2)
    decide(store, serve(store, made.id, "ann"), Answer("keep", note="clearly an a"))
    decide(store, serve(store, made.id, "bob"), Answer("exclude", note="blurred"))
    seen = progress(store, made.id, "ann")
    assert (seen.disagreements, seen.flagged.checked + seen.controls.checked) == (1, 0)
    assert resolve(answers(store, made.dataset)).action.tolist() == [""]
    frame = read_csv(export(store, made.id, "lead")["label_issues.csv"])
    assert frame["waits_for"].tolist() == ["disagreement"] and frame["action"].isna().all()
    assert frame["notes"].tolist() == ["ann: clearly an a · bob: blurred"]
    for name in ("ann", "bob"):
        assert next_card(store, made.id, name, review=True) is None
    card = serve(store, made.id, "eve")
    assert [(one.annotator, one.action, one.note) for one in card.others] == [
        ("ann", "keep", "clearly an a"),
        ("bob", "exclude", "blurred"),
    ]
    decide(store, card, Answer("exclude"))
    assert resolve(answers(store, made.dataset)).action.tolist() == ["exclude"]
    assert progress(store, made.id, "ann").disagreements == 0
    assert read_csv(export(store, made.id, "lead")["label_issues.csv"])["waits_for"].isna().all()


def test_a_first_look_shows_nobody_elses_answers(store: Store) -> None:
    number = queue(store, 2, overlap=2).id
    decide(store, serve(store, number, "ann"), Answer("keep", note="mine"))
    card = serve(store, number, "bob")
    assert card.others == () and card.mine is None
    assert [one.note for one in told(store, card)] == ["mine"]  # for leads


def test_what_needs_review_is_said_in_every_file(store: Store) -> None:
    made = queue(store, 3)
    card = serve(store, made.id)
    decide(store, card, Answer("review", note="3 or 5?"))
    frame = read_csv(export(store, made.id, "lead")["label_issues.csv"]).set_index("id")
    assert frame.loc[card.name, "waits_for"] == "review" and frame.loc[card.name, "notes"] == "ann: 3 or 5?"
    assert pd.isna(frame.loc[card.name, "action"])
    assert any("— “3 or 5?”" in line.text for line in activity(store, made.dataset))
    assert [item.note for item in items(store, made.id, "ann")][card.place] == "3 or 5?"
    assert {item.note for item in items(store, made.id, "bob")} == {""}


def test_an_older_answer_is_changed_by_one_more_row(store: Store, clock: Clock) -> None:
    number = queue(store, 6).id
    first = serve(store, number)
    decide(store, first, Answer("keep", note="sure"))
    decide(store, serve(store, number), Answer("exclude"))
    held = serve(store, number)
    seen = look(store, number, "ann", first.place)
    assert seen.changes and seen.mine == Answer("keep", note="sure")
    clock.wait(0.01)  # looked at for long enough by the browser: the answer has its own lock
    changed = decide(store, seen, Answer("re-label", seen.suggested, "no"))
    assert changed.positions == (first.position,) and not changed.repeated
    assert decide(store, seen, Answer("re-label", seen.suggested, "no")).repeated
    with pytest.raises(Refused):
        decide(store, seen, Answer("exclude"))
    kept = rows(store)
    assert [row.action for row in kept] == ["keep", "exclude", "re-label"] and kept[2].supersedes == kept[0].id
    assert sum(counts(store)) == 2 and serve(store, number) == held
    assert look(store, number, "ann", first.place).mine == Answer("re-label", seen.suggested, "no")
    again = look(store, number, "ann", first.place)
    decide(store, again, Answer("exclude"))
    for wanted in (Answer("re-label", seen.suggested, "no"), Answer("keep", note="sure")):
        assert undo(store, number, "ann") == serve(store, number)  # the card in hand stays there
        assert look(store, number, "ann", first.place).mine == wanted
    decide(store, look(store, number, "ann", first.place), Answer("exclude"))  # and changed once more
    said = answers(store, queue_dataset(store, number))
    assert resolve(said).action[first.position] == "exclude" and sum(counts(store)) == 2


def queue_dataset(store: Store, number: int) -> int:
    with store.reading() as connection:
        found = connection.exec_driver_sql(f"SELECT dataset_id FROM queue WHERE id = {number}")
        return int(found.scalar_one())


def test_two_changes_of_one_answer_at_once_are_one(store: Store) -> None:
    number = queue(store, 2).id
    card = serve(store, number)
    decide(store, card, Answer("keep"))
    one, other = (look(store, number, "ann", card.place) for _ in range(2))
    decide(store, one, Answer("exclude"))
    with pytest.raises(Refused):
        decide(store, other, Answer("review"))
    assert [row.action for row in rows(store)] == ["keep", "exclude"]


def test_nobody_changes_the_answer_of_somebody_else(store: Store) -> None:
    number = queue(store, 2, overlap=2).id
    card = serve(store, number)
    decide(store, card, Answer("keep"))
    mine, theirs = look(store, number, "ann", card.place), look(store, number, "bob", card.place)
    assert mine.changes and theirs.token == ""
    with pytest.raises(Refused):
        decide(store, replaced(mine, "bob"), Answer("exclude"))
    assert len(rows(store)) == 1


def replaced(card, annotator):  # type: ignore[no-untyped-def]
    return type(card)(**{**vars(card), "annotator": annotator})


def test_a_change_in_the_second_pass_stays_in_the_second_pass(store: Store) -> None:
    made = queue(store, 1)
    decide(store, serve(store, made.id), Answer("review"))
    card = serve(store, made.id, "bob")
    decide(store, card, Answer("keep"))
    decide(store, look(store, made.id, "bob", 0), Answer("exclude"))
    assert resolve(answers(store, made.dataset)).action.tolist() == ["exclude"]
    undo(store, made.id, "bob")
    assert resolve(answers(store, made.dataset)).action.tolist() == ["keep"]
    assert rows(store)[2].round == 2


def test_a_note_that_was_begun_stays_with_its_card_across_reloads(store: Store) -> None:
    number = queue(store, 3).id
    card = serve(store, number)
    save_draft(store, card, "x" * 4_000)
    assert serve(store, number).draft == "x" * 4_000
    save_draft(store, card, "shorter")
    decide(store, serve(store, number), Answer("keep", note="shorter"))
    save_draft(store, card, "late")  # sent by a browser that had not seen the answer yet
    following = serve(store, number)
    assert following.task != card.task and following.draft == ""
    back = undo(store, number, "ann")
    assert back is not None and (back.task, back.draft) == (card.task, "")


def test_a_note_of_a_refused_answer_waits_for_its_author(store: Store, clock: Clock) -> None:
    number = queue(store, 2, overlap=2).id
    card = serve(store, number)
    clock.wait(3_600)
    assert serve(store, number, "bob").task == card.task  # taken by a colleague
    with pytest.raises(Refused):
        decide(store, card, Answer("keep", note="mine"))
    save_draft(store, card, "mine")
    assert serve(store, number).draft == ""  # another card
    assert serve(store, number, "bob").draft == ""  # somebody else
    decide(store, serve(store, number, "bob"), Answer("keep"))
    decide(store, serve(store, number), Answer("keep"))
    assert (serve(store, number).task, serve(store, number).draft) == (card.task, "mine")
