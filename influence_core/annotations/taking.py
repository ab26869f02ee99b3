"""An item out of turn: a counter-example that may itself be the wrong one, to look at, to open, or to answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.cards import free, open_to, read_card
from influence_core.annotations.errors import AnnotationError, Refused
from influence_core.annotations.names import enter_person, known_person
from influence_core.annotations.records import Card
from influence_core.annotations.serving import grant
from influence_core.annotations.statements import only_writer
from influence_core.annotations.store import Store
from influence_core.annotations.tables import queue, task


def find_card(store: Store, number: int, annotator: str, position: int) -> Card | None:
    """The card of a row of the data, to look at; it holds no lease, and only one's own answer to it can be changed.

    Args:
        store: where.
        number: of the queue.
        annotator: who looks.
        position: row of the training set.

    Returns:
        A card without a lease; None where the queue does not ask about this row.
    """
    with store.reading() as connection:
        row = connection.execute(sa.select(queue).where(queue.c.id == number)).one()
        item, annotator = connection.execute(_item(number, position)).one_or_none(), known_person(connection, annotator)
        return None if item is None else read_card(connection, row, item, annotator, None)


def take_card(store: Store, number: int, annotator: str, position: int) -> Card:
    """Put the card in hand back, without an answer, and serve the one of this row of the data out of turn.

    Args:
        store: where.
        number: of the queue.
        annotator: who asks.
        position: row of the training set.

    What is held by somebody else, absent or answered is refused as by :func:`open_item`.

    Returns:
        The card, with a lease.
    """
    with store.writing() as connection:
        row, now, name = only_writer(connection, number), store.now(connection), enter_person(connection, annotator)
        return grant(connection, row, open_item(connection, row, name, position, now), name, (now, 1))


def open_item(connection: Connection, row: sa.Row[Any], annotator: str, position: int, now: float) -> sa.Row[Any]:
    """The task of a row of the data, if this annotator may answer it now, in the first pass.

    Args:
        connection: of a transaction that is the queue's only writer.
        row: the queue.
        annotator: who asks.
        position: row of the training set.
        now: seconds since 1970.

    Raises:
        Refused: somebody else is working on it.
        AnnotationError: it is not in this queue, or has its answers.
    """
    wanted = _item(row.id, position)
    item = connection.execute(wanted).one_or_none()
    if item is None:
        raise AnnotationError("That example is not in this queue: it was settled earlier, or the queue is short.")
    if connection.execute(wanted.where(free(row, annotator, now))).one_or_none() is None:
        raise Refused("held")
    if connection.execute(wanted.where(open_to(annotator, row, now))).one_or_none() is None:
        raise AnnotationError("That example has its answers already: if one of them is yours, its card can change it.")
    return item


def _item(number: int, position: int) -> sa.Select[Any]:
    return sa.select(task).where(task.c.queue_id == number, task.c.position == position)
