"""The cards of a queue as a list: what one annotator may know of each, which is their own answer and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from influence_core.annotations.cards import said_of
from influence_core.annotations.names import by
from influence_core.annotations.records import Card, Said
from influence_core.annotations.statements import stands
from influence_core.annotations.store import Store
from influence_core.annotations.tables import decision, prediction, queue, sample, task


@dataclass(frozen=True)
class Item:
    """One card of a queue.

    Attributes:
        place: 0, 1, … in the queue.
        position: row of the training set.
        name: the user's id of the row.
        given: class index.
        suggested: best class other than the given one.
        action: one's own standing answer, the latest; "" for none.
        label: the class of that answer, where it relabels.
        note: of that answer.
    """

    place: int
    position: int
    name: str
    given: int
    suggested: int
    action: str
    label: int | None
    note: str = ""


def items(store: Store, number: int, annotator: str) -> tuple[Item, ...]:
    """All cards of a queue in its order.  Whether one is a control is not told.

    Args:
        store: where.
        number: of the queue.
        annotator: whose answers are listed.

    Returns:
        One item per card.
    """
    latest = (
        sa.select(decision.c.task_id, sa.func.max(decision.c.id).label("id"))
        .where(decision.c.queue_id == number, by(decision.c.annotator, annotator), stands())
        .group_by(decision.c.task_id)
        .subquery()
    )
    mine = sa.select(decision.c.task_id, decision.c.action, decision.c.new_label, decision.c.note).join(
        latest, latest.c.id == decision.c.id
    )
    said = mine.subquery()
    wanted = (
        sa.select(task.c.place, task.c.position, sample.c.name, sample.c.given_label, prediction.c.suggested_label)
        .add_columns(said.c.action, said.c.new_label, said.c.note)
        .join(queue, queue.c.id == task.c.queue_id)
        .join(sample, sa.and_(sample.c.dataset_id == queue.c.dataset_id, sample.c.position == task.c.position))
        .join(prediction, sa.and_(prediction.c.run_id == queue.c.run_id, prediction.c.position == task.c.position))
        .join(said, said.c.task_id == task.c.id, isouter=True)
        .where(task.c.queue_id == number)
        .order_by(task.c.place)
    )
    with store.reading() as connection:
        rows = connection.execute(wanted).all()
    return tuple(
        Item(
            row.place,
            row.position,
            row.name,
            row.given_label,
            row.suggested_label,
            action=row.action or "",
            label=row.new_label,
            note=row.note or "",
        )
        for row in rows
    )


def told(store: Store, card: Card) -> tuple[Said, ...]:
    """Everybody's standing answers to a card, with their notes, for leads."""
    with store.reading() as connection:
        return said_of(connection, card.task)
