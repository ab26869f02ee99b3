from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from influence_core.annotations import (
    AnnotationError,
    Answer,
    Store,
    answers,
    decide,
    export,
    import_label_studio,
    progress,
    undo,
)
from influence_core.annotations.label_studio_file import ANNOTATIONS, TASKS
from influence_core.annotations.tables import decision
from tests.annotations.conftest import queue, serve


def _count(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(decision)).scalar_one()


def _annotation(label: str | None = "b", by: Any = "eve", **more: Any) -> dict[str, Any]:
    result = [{"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": [label]}}]
    return {"completed_by": {"email": by}, "result": result if label else [], **more}


def _file(*annotations: Any, name: str = "row-0000") -> bytes:
    return json.dumps([{"data": {"id": name}, "annotations": list(annotations)}]).encode()


def test_an_export_read_into_an_empty_queue_gives_the_same_answers(store: Store) -> None:
    first = queue(store, 12, overlap=2)
    for name in ("ann", "bob"):
        for action in ("keep", "re-label", "exclude", "review"):
            card = serve(store, first.id, name)
            label = card.suggested if action == "re-label" else None
            decide(store, card, Answer(action, label, "why", saw_suggestion=name == "ann"))  # type: ignore[arg-type]
    content = export(store, first.id, "lead")["label_studio_tasks.json"]
    before = answers(store, first.dataset)
    for name in ("ann", "bob"):
        for _ in range(4):
            undo(store, first.id, name)
    assert (answers(store, first.dataset).codes == -1).all()
    second = queue(store, 12, overlap=2)
    found = import_label_studio(store, second.id, content, "lead")
    assert (found.stored, found.known, found.left_out) == (8, 0, {})
    after = answers(store, first.dataset)
    assert after.annotators == before.annotators and (after.codes == before.codes).all()
    with store.reading() as connection:
        rows = connection.execute(sa.select(decision).where(decision.c.queue_id == second.id)).all()
    assert {(row.note, row.lead_time) for row in rows} == {("why", 1.0)}
    assert all(row.saw_suggestion == (row.annotator == "ann") for row in rows)
    seen = progress(store, second.id, "ann")
    assert (seen.answers, seen.mine, seen.needs_review) == (8, 4, 1)


def test_the_same_file_again_adds_nothing_even_after_an_undo(store: Store) -> None:
    number = queue(store).id
    content = _file(_annotation(), _annotation("a", "bob"))
    assert import_label_studio(store, number, content, "lead").stored == 2
    again = import_label_studio(store, number, content, "lead")
    assert (again.stored, again.known) == (0, 2)
    undo(store, number, "eve")
    assert import_label_studio(store, number, content, "lead").stored == 0
    assert _count(store) == 3


def test_an_answer_given_here_is_not_replaced(store: Store) -> None:
    number = queue(store).id
    card = serve(store, number, "eve")
    decide(store, card, Answer("exclude"))
    found = import_label_studio(store, number, _file(_annotation(), name=card.name), "lead")
    assert (found.stored, found.known) == (0, 1)


def test_a_project_with_one_choices_tag_of_any_name_is_read(store: Store) -> None:
    made = queue(store)
    said = {"type": "choices", "from_name": "sentiment", "value": {"choices": ["c"]}}
    content = _file({"completed_by": 7, "result": [said], "lead_time": 3.5, "created_at": "2023-01-02T03:04:05Z"})
    assert import_label_studio(store, made.id, content, "lead").stored == 1
    with store.reading() as connection:
        row = connection.execute(sa.select(decision)).one()
    assert (row.annotator, row.action, row.new_label) == ("label studio user 7", "re-label", 2)
    assert (row.lead_time, row.decided_at, row.origin) == (3.5, 1672628645.0, "manual")


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (_annotation("z"), "a label is no class"),
        (_annotation(None), "no label was chosen"),
        (_annotation(was_cancelled=True), "cancelled"),
        (_annotation(by="x" * 300), "the name of an annotator"),
        (_annotation(by="a\nb"), "the name of an annotator"),
        (_annotation(by=["x"]), "the name of an annotator"),
        (_annotation(created_at="yesterday"), "another form"),
        ({"result": [{"type": "choices", "from_name": "label", "value": {"choices": ["a", "b"]}}]}, "more than one"),
        ({"result": [{"type": "choices", "from_name": "label", "value": 3}]}, "another form"),
        ({"result": [{"type": "choices", "from_name": "action", "value": {"choices": ["undo"]}}]}, "an action is none"),
        ({"result": None}, "another form"),
        (None, "another form"),
        (17, "another form"),
    ],
)
def test_a_broken_annotation_is_left_out_and_said(store: Store, annotation: Any, sentence: str) -> None:
    number = queue(store).id
    found = import_label_studio(store, number, _file(annotation, _annotation("a", "bob")), "lead")
    assert found.stored == 1 and len(found.left_out) == 1
    assert sentence in next(iter(found.left_out)) and "(task row-0000)" in next(iter(found.left_out))


@pytest.mark.parametrize(
    "task", [3, None, [], {}, {"data": 1, "annotations": []}, {"data": {"id": "none"}, "annotations": [1]}]
)
def test_a_task_that_is_none_of_ours_is_left_out(store: Store, task: Any) -> None:
    found = import_label_studio(store, queue(store).id, json.dumps([task]).encode(), "lead")
    assert found.stored == 0 and sum(found.left_out.values()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xff", b"{}", b"null", b"[" * 200_000, b"[" + b"9" * 5000 + b"]", b'{"a": 1}',
        b"[" + b"0," * TASKS + b"0]",
    ],
)  # fmt: skip
def test_a_file_that_is_no_export_is_refused(store: Store, content: bytes) -> None:
    with pytest.raises(AnnotationError, match="Expected"):
        import_label_studio(store, queue(store).id, content, "lead")
    assert _count(store) == 0


def test_a_file_that_is_too_large_is_refused_unread(store: Store) -> None:
    with pytest.raises(AnnotationError, match="64 MB"):
        import_label_studio(store, queue(store).id, b" " * (64 * 2**20 + 1), "lead")


def test_limits_and_strange_numbers_do_no_harm(store: Store) -> None:
    number = queue(store).id
    many = [_annotation("a", f"user {k}") for k in range(ANNOTATIONS + 5)]
    found = import_label_studio(store, number, _file(*many), "lead")
    assert found.stored == ANNOTATIONS and sum(found.left_out.values()) == 5
    odd = _annotation("a", "odd", lead_time=float("inf"), created_at="9999-12-31T00:00:00Z")
    assert import_label_studio(store, number, _file(odd, name="row-0001"), "lead").stored == 1
    with store.reading() as connection:
        row = connection.execute(sa.select(decision).where(decision.c.annotator == "odd")).one()
    assert (row.lead_time, row.decided_at) == (0.0, store.clock())
