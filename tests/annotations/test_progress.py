from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import Answer, Found, Store, decide, progress, queue_progress, undo
from influence_core.annotations.queue_progress import advise
from influence_core.annotations.statements import stands
from influence_core.annotations.tables import decision, task
from tests.annotations.conftest import Clock, queue, serve

ACTIONS = ("keep", "re-label", "exclude", "review")


def _work(store: Store, number: int, steps: int, seed: int) -> None:
    """Two annotators who answer, take back and disagree at random."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        name = ("ann", "bob")[rng.integers(2)]
        if rng.random() < 0.2 and progress(store, number, name).mine:
            undo(store, number, name)
            continue
        card = serve(store, number, name)
        action = ACTIONS[rng.integers(4)]
        label = card.suggested if action == "re-label" else None
        decide(store, card, Answer(action, label))  # type: ignore[arg-type]


def _outcomes(store: Store, number: int) -> dict[int, list[tuple[int, str, int | None]]]:
    """Standing answers by task, from the decisions alone, in plain Python."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(decision).where(decision.c.queue_id == number)).all()
    undone = {row.undoes for row in rows}
    found: dict[int, list[tuple[int, str, int | None]]] = {}
    for row in rows:
        if row.action != "undo" and row.id not in undone:
            found.setdefault(row.task_id, []).append((row.round, row.action, row.new_label))
    return found


def test_what_is_kept_in_the_tasks_is_what_the_decisions_say(store: Store) -> None:
    number = queue(store, 12, overlap=2).id
    _work(store, number, 24, seed=1)
    outcomes = _outcomes(store, number)
    with store.reading() as connection:
        tasks = connection.execute(sa.select(task)).all()
    for row in tasks:
        said = outcomes.get(row.id, [])
        first = {(action, label) for turn, action, label in said if turn == 1 and action != "review"}
        second = [action for turn, action, _ in said if turn == 2 and action != "review"]
        asked = any(action == "review" for turn, action, _ in said if turn == 1)
        assert row.answers == sum(turn == 1 for turn, _, _ in said)
        assert row.waits == (0 if second else 2 if len(first) > 1 else int(asked))
        counted = second or [action for _, action, _ in said if action != "review"]
        errors = [action != "keep" for action in counted]
        assert row.error == (int(np.mean(errors) > 0.5) if errors and np.mean(errors) != 0.5 else None)
    seen = progress(store, number, "ann")
    assert seen.answers == sum(row.answers for row in tasks) > 0
    assert seen.disagreements == sum(row.waits == 2 for row in tasks) > 0
    assert seen.needs_review == sum(row.waits == 1 for row in tasks)
    assert seen.flagged.checked + seen.controls.checked == sum(row.error is not None for row in tasks)


def test_the_strip_counts_answers_people_and_pace(store: Store, clock: Clock) -> None:
    number = queue(store, 10, overlap=2).id
    empty = progress(store, number, "ann")
    assert (empty.size, empty.done, empty.wanted, empty.mine, empty.per_minute, empty.advice) == (10, 0, 20, 0, 0, "")
    assert np.isnan(empty.flagged.rate)
    for name in ("ann", "ann", "ann", "bob"):
        decide(store, serve(store, number, name), Answer("keep"))
    seen = progress(store, number, "ann")
    assert (seen.answers, seen.done, seen.mine, seen.by_annotator) == (4, 1, 3, {"ann": 3, "bob": 1})
    assert seen.per_minute == pytest.approx(60 * 3 / 4)  # one second a card, the last one bob's
    clock.wait(3600)
    assert progress(store, number, "ann").per_minute == 0


def test_errors_of_flagged_items_and_controls_are_told_apart(store: Store) -> None:
    number = queue(store, 30, control_fraction=0.1).id
    with store.reading() as connection:
        controls = set(connection.execute(sa.select(task.c.id).where(task.c.is_control)).scalars())
    for _ in range(30):
        card = serve(store, number)
        decide(store, card, Answer("keep" if card.task in controls else "exclude"))
    seen = progress(store, number, "ann")
    assert (seen.flagged, seen.controls, seen.last) == (Found(27, 27), Found(3, 0), Found(27, 27))


@pytest.mark.parametrize(
    ("last", "controls", "stop"),
    [
        (Found(50, 5), Found(20, 2), True),
        (Found(50, 6), Found(20, 2), False),
        (Found(49, 0), Found(20, 2), False),
        (Found(50, 0), Found(9, 0), False),
        (Found(50, 0), Found(10, 0), True),
    ],
)
def test_stop_when_flagged_items_are_no_worse_than_controls(last: Found, controls: Found, stop: bool) -> None:
    assert bool(advise(last, controls)) == stop


def test_the_last_flagged_items_answered_bring_the_advice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_progress, "LAST", 10)
    monkeypatch.setattr(queue_progress, "ENOUGH", 3)
    number = queue(store, 30, control_fraction=0.1).id
    for index in range(30):
        decide(store, serve(store, number), Answer("exclude" if index < 12 else "keep"))
    seen = progress(store, number, "ann")
    assert seen.last == Found(10, 0) and seen.flagged.errors > 8
    assert "You may stop: 0 of the last 10" in seen.advice


def test_progress_after_ten_thousand_decisions_is_counted_by_the_database(store: Store) -> None:
    number = queue(store, 10_000).id
    common = {"queue_id": number, "annotator": "ann", "action": "keep", "note": "", "origin": "manual", "round": 1}
    common |= {"saw_suggestion": True, "stage": "final", "lead_time": 1.0, "served_at": store.clock()}
    with store.writing() as connection:
        ids = connection.execute(sa.select(task.c.id)).scalars().all()
        rows = [{**common, "task_id": item, "token": str(item), "decided_at": store.clock()} for item in ids]
        connection.execute(sa.insert(decision), rows)
        connection.execute(sa.update(task).values(answers=1, error=0, last=task.c.id))
        connection.execute(sa.text("ANALYZE"))
        assert connection.execute(sa.select(sa.func.count()).where(stands())).scalar_one() == 10_000

    statements: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    found = progress(store, number, "ann")
    assert found.mine == found.done == 10_000
    assert len(statements) <= 12  # the database counts: no statement per decision


def test_a_second_pass_decides_what_was_an_error(store: Store) -> None:
    number = queue(store, 1, overlap=2).id
    for name, action in (("ann", "exclude"), ("bob", "keep"), ("eve", "keep")):
        decide(store, replace(serve(store, number, name)), Answer(action))  # type: ignore[arg-type]
    seen = progress(store, number, "ann")
    assert seen.controls == Found(1, 0) and seen.disagreements == 0
