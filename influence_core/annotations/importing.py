"""Label Studio's files read back in: never twice, and the newer of two answers of one person stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.label_studio_file import Foreign, Reader
from influence_core.annotations.names import enter_person, people_of
from influence_core.annotations.people import record
from influence_core.annotations.queues import get_queue
from influence_core.annotations.statements import insert_all, only_writer, stands
from influence_core.annotations.store import Store
from influence_core.annotations.summary import summarise
from influence_core.annotations.tables import decision, sample, task


@dataclass(frozen=True)
class Imported:
    """What became of the annotations of a file.

    Attributes:
        stored: new answers, those included that change an older one.
        known: answers that were here already, or are older than what the same person has said here.
        left_out: sentence with the tasks it is about -> how many annotations it is true of.
    """

    stored: int
    known: int
    left_out: Mapping[str, int]


def import_label_studio(store: Store, number: int, content: bytes, by: str) -> Imported:
    """Add the annotations of a JSON or JSON-MIN export of Label Studio to a queue, as answers of their authors.

    Tasks are matched by the id of the row.  What was exported from here comes back with its author and its pass; where
    it was edited there, the edit takes the place of the answer if it is the newer of the two.  Cancelled annotations
    and drafts are no answers.  The same file again adds nothing.

    Args:
        store: where.
        number: of the queue.
        content: the file.
        by: who imports, and whose an annotation without an author is.

    Returns:
        Counts, and why something was left out.
    """
    queue = get_queue(store, number)
    with store.writing() as connection:
        row, now = only_writer(connection, number), store.now(connection)
        reader = Reader(_known(connection, row), queue.class_names, by, now)
        read = reader.read(content)
        people = {name: enter_person(connection, name) for name in {one.annotator for one in read}}
        named = [replace(one, annotator=people[one.annotator]) for one in read]
        here, tokens = _standing(connection, number)
        fresh: dict[tuple[int, str, int], Foreign] = {}
        for one in sorted(named, key=lambda one: one.at):  # the newest of one author
            old = here.get((one.item, one.annotator, one.round))
            newer = old is None or (one.at > old.decided_at and _differs(one, old))
            if newer and (one.item, one.token) not in tokens:
                fresh[one.item, one.annotator, one.round] = one
        insert_all(connection, decision, (_columns(number, one, here.get(key)) for key, one in fresh.items()))
        summarise(connection, sorted({one.item for one in fresh.values()}))
    found = Imported(len(fresh), len(read) - len(fresh), reader.told())
    record(store, "import", by, {"queue": number, "stored": found.stored, "known": found.known}, queue.dataset)
    return found


def _known(connection: Connection, row: sa.Row[Any]) -> dict[str, tuple[int, int]]:
    """Task and given class by the user's id of the row."""
    wanted = (
        sa.select(sample.c.name, task.c.id, sample.c.given_label)
        .join(task, task.c.position == sample.c.position)
        .where(task.c.queue_id == row.id, sample.c.dataset_id == row.dataset_id)
    )
    return {name: (item, given) for name, item, given in connection.execute(wanted)}


def _standing(
    connection: Connection, number: int
) -> tuple[dict[tuple[int, str, int], sa.Row[Any]], set[tuple[int, str]]]:
    """What everybody's answer to a task is now, and what was imported before: undone, it does not come back."""
    names = people_of(connection)
    rows = connection.execute(sa.select(decision).where(decision.c.queue_id == number, stands())).all()
    here = {(row.task_id, names.get(row.annotator, row.annotator), row.round): row for row in rows}
    imported = sa.and_(decision.c.queue_id == number, decision.c.token.startswith("import "))
    tokens = connection.execute(sa.select(decision.c.task_id, decision.c.token).where(imported)).all()
    return here, {(item, token) for item, token in tokens}


def _differs(one: Foreign, old: sa.Row[Any]) -> bool:
    return (one.action, one.label, one.note) != (old.action, old.new_label, old.note)


def _columns(number: int, one: Foreign, old: sa.Row[Any] | None) -> dict[str, Any]:
    return {
        "queue_id": number,
        "task_id": one.item,
        "annotator": one.annotator,
        "action": one.action,
        "new_label": one.label,
        "note": one.note,
        "origin": one.origin,
        "saw_suggestion": one.origin != "manual",
        "stage": "final",
        "round": one.round,
        "served_at": one.at - one.lead_time,
        "decided_at": one.at,
        "lead_time": one.lead_time,
        "token": one.token,
        "supersedes": None if old is None else old.id,
    }
