"""Opening one item on purpose: a counter-example that may itself be the wrong one."""

from __future__ import annotations

import sqlalchemy as sa

from influence_core.annotations.cards import free, open_to
from influence_core.annotations.errors import AnnotationError, Refused
from influence_core.annotations.records import Card
from influence_core.annotations.serving import annotator_name, grant
from influence_core.annotations.statements import only_writer
from influence_core.annotations.store import Store
from influence_core.annotations.tables import task


def take_card(store: Store, number: int, annotator: str, position: int) -> Card:
    """Put the card in hand back, without an answer, and serve the one of this row of the data out of turn.

    Args:
        store: where.
        number: of the queue.
        annotator: who asks.
        position: row of the training set.

    Returns:
        The card, with a lease.

    Raises:
        Refused: somebody else is working on it.
        AnnotationError: it is not in this queue, or has its answers.
    """
    name = annotator_name(annotator)
    with store.writing() as connection:
        row, now = only_writer(connection, number), store.clock()
        wanted = sa.select(task).where(task.c.queue_id == number, task.c.position == position)
        item = connection.execute(wanted).one_or_none()
        if item is None:
            raise AnnotationError("That example is not in this queue: it was settled earlier, or the queue is short.")
        if connection.execute(wanted.where(free(name, now))).one_or_none() is None:
            raise Refused("held")
        if connection.execute(wanted.where(open_to(name, row, now))).one_or_none() is None:
            raise AnnotationError("That example has its answers already: undo yours to change it.")
        return grant(connection, row, item, name, (now, 1))
