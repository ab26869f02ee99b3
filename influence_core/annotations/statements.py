"""Pieces of SQL that several modules share: which decisions stand, rows in bulk, one writer per queue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause, Table
from sqlalchemy.dialects import postgresql, sqlite

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.tables import dataset, decision, queue

CHUNK = 20_000
_undo, _newer = decision.alias("undo"), decision.alias("newer")


def alive(table: FromClause = decision) -> ColumnElement[bool]:
    """An answer, first or final, that was not undone.

    Returns:
        The condition on rows of ``table``, an alias of ``decision``.
    """
    undone = sa.exists().where(_undo.c.undoes == table.c.id)
    return sa.and_(table.c.action != "undo", ~undone)


def stands(table: FromClause = decision) -> ColumnElement[bool]:
    """A final answer that was neither undone nor changed since; by construction one per task, annotator and round.

    Returns:
        The condition on rows of ``table``, an alias of ``decision``.
    """
    follows = sa.and_(_newer.c.supersedes == table.c.id, _newer.c.round == table.c.round, _newer.c.stage == "final")
    changed = sa.exists().where(follows, alive(_newer))
    return sa.and_(table.c.stage == "final", alive(table), ~changed)


def insert(connection: Connection, table: Table) -> Any:
    """An insert that knows ON CONFLICT, which both databases spell the same.

    Returns:
        The statement of this connection's dialect.
    """
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def insert_all(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert many rows of the same columns; PostgreSQL by COPY, which measured ten times faster than INSERT."""
    for piece in pieces(rows):
        if connection.dialect.name == "postgresql":
            _copy(connection, table, piece)
        else:
            connection.execute(sa.insert(table), piece)


def pieces(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in lists that bound the memory, and the time that a transaction takes.

    Yields:
        At most 20,000 rows.
    """
    left = iter(rows)
    while piece := list(islice(left, CHUNK)):
        yield piece


def _copy(connection: Connection, table: Table, rows: list[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([_plain(table, name, row[name]) for name in names])


def _plain(table: Table, name: str, value: Any) -> Any:
    """COPY takes JSON as a text."""
    return json.dumps(value) if isinstance(table.c[name].type, sa.JSON) and value is not None else value


def only_writer(connection: Connection, number: int) -> sa.Row[Any]:
    """Make this transaction the only one that changes queues of these data; SQLite has one writer anyway.

    Versions of a queue share rows of the data, which two people must not hold at once.

    Raises:
        AnnotationError: there is no such queue.
    """
    wanted = sa.select(queue).join(dataset, dataset.c.id == queue.c.dataset_id).where(queue.c.id == number)
    found = connection.execute(wanted.with_for_update()).one_or_none()
    if found is None:
        raise AnnotationError(f"There is no queue number {number} in this database: choose one from the list.")
    return found
