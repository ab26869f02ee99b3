"""All queues of a database: who works in them, how far they are, and when somebody last answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from influence_core.annotations.names import by, enter_person, key_of
from influence_core.annotations.queue_progress import Progress, progress
from influence_core.annotations.queues import get_queue
from influence_core.annotations.records import Queue
from influence_core.annotations.statements import stands
from influence_core.annotations.store import Store
from influence_core.annotations.tables import assignment, dataset, decision, event, queue, run

SHOWN = 50  # queues


@dataclass(frozen=True)
class Overview:
    """One queue.

    Attributes:
        queue: its version, size and so on.
        title: of the data.
        settings: of the run, which lead to the data.
        progress: how far it is, seen by whoever asked.
        assigned: people whom a lead has assigned.
        last_by: who answered last; "" where nobody has.
        last_at: seconds since 1970.
    """

    queue: Queue
    title: str
    settings: Mapping[str, Any]
    progress: Progress
    assigned: tuple[str, ...]
    last_by: str
    last_at: float

    def is_for(self, name: str) -> bool:
        """Whether this person was assigned."""
        return key_of(name) in {key_of(one) for one in self.assigned}


def has_queues(store: Store) -> bool:
    """Whether anybody has made a queue."""
    with store.reading() as connection:
        return bool(connection.execute(sa.select(sa.exists(sa.select(queue.c.id)))).scalar_one())


def overviews(store: Store, annotator: str) -> tuple[Overview, ...]:
    """The newest queues, those first that are assigned to this person, then those where something happened last."""
    with store.reading() as connection:
        wanted = (
            sa.select(queue.c.id, dataset.c.name, run.c.settings)
            .join(dataset, dataset.c.id == queue.c.dataset_id)
            .join(run, run.c.id == queue.c.run_id)
            .order_by(queue.c.id.desc())
            .limit(SHOWN)
        )
        rows = connection.execute(wanted).all()
        people = connection.execute(sa.select(assignment).order_by(assignment.c.annotator)).all()
        newest = sa.select(sa.func.max(decision.c.id)).where(stands()).group_by(decision.c.queue_id)
        last = {row.queue_id: row for row in connection.execute(sa.select(decision).where(decision.c.id.in_(newest)))}
    found = []
    for number, title, settings in rows:
        assigned = tuple(one.annotator for one in people if one.queue_id == number)
        latest = last.get(number)
        who, when = ("", 0.0) if latest is None else (latest.annotator, latest.decided_at)
        done = progress(store, number, annotator)
        found.append(Overview(get_queue(store, number), title, dict(settings), done, assigned, who, when))
    return tuple(sorted(found, key=lambda one: (not one.is_for(annotator), -max(one.last_at, one.queue.created_at))))


def assign(store: Store, number: int, names: Sequence[str], lead: str) -> None:
    """From now on these people, and nobody else, are assigned to a queue; others may still work there."""
    data = get_queue(store, number).dataset
    with store.writing() as connection:
        people = sorted({enter_person(connection, name) for name in names})
        connection.execute(sa.delete(assignment).where(assignment.c.queue_id == number))
        if people:
            connection.execute(sa.insert(assignment), [{"queue_id": number, "annotator": name} for name in people])
        said = {"queue": number, "people": ", ".join(people) or "nobody"}
        row = {"at": store.now(connection), "annotator": enter_person(connection, lead), "kind": "assign"}
        connection.execute(sa.insert(event).values(**row, dataset_id=data, detail=said))


def last_queue(store: Store, number: int, annotator: str) -> int | None:
    """Where somebody answered last among the versions of a data set's queue.

    Args:
        store: where.
        number: of the data set.
        annotator: who.

    Returns:
        Number of the queue; None for somebody who has not answered yet.
    """
    mine = sa.and_(queue.c.dataset_id == number, by(decision.c.annotator, annotator), stands())
    wanted = sa.select(decision.c.queue_id).join(queue, queue.c.id == decision.c.queue_id).where(mine)
    with store.reading() as connection:
        found = connection.execute(wanted.order_by(decision.c.id.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)


def everybody(store: Store) -> tuple[str, ...]:
    """Everybody who has come, by name."""
    wanted = sa.select(event.c.annotator).where(event.c.kind == "login").distinct()
    with store.reading() as connection:
        return tuple(sorted(connection.execute(wanted).scalars()))
