"""Standing answers to the rows of a data set, also those that were given to the same rows in other data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.statements import stands
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, decision, queue, run, sample, task

PIECE = 5_000
_own, _run = sample.alias("own"), run.alias("any_run")


@dataclass(frozen=True)
class StandingAnswer:
    """One answer, in the classes of the data set that was asked about.

    Attributes:
        id: of the stored row.
        position: row of the data set.
        annotator: as stored.
        action: as stored.
        label: class that the row has by this answer; None for excluded, for "needs review", and for a class that the
            data set does not have.
        round: 1 or 2.
        note: free text.
        lead_time: seconds.
        is_control: whether the card was a random control.
    """

    id: int
    position: int
    annotator: str
    action: str
    label: int | None
    round: int
    note: str
    lead_time: float
    is_control: bool


def standing(connection: Connection, number: int) -> list[StandingAnswer]:
    """Answers to a data set in all versions of its queue, and to rows of the same content elsewhere, oldest first.

    A row of another split, or of a corrected file, is the same where it holds the same; its label may differ, so that
    "keep" is read as the class that was kept.
    """
    names = connection.execute(sa.select(dataset.c.class_names).where(dataset.c.id == number)).scalar_one()
    index = {name: k for k, name in enumerate(names)}
    rows = [*connection.execute(_here(number)).all(), *connection.execute(_elsewhere(number)).all()]
    rows.sort(key=lambda row: row.id)
    return [_standing(row, index) for row in rows]


def adopt(store: Store, number: int, contents: Mapping[str, str]) -> int:
    """Name the rows of a data set that an earlier version stored by what they hold.

    Args:
        store: where.
        number: of the data set.
        contents: by id of the row.

    Returns:
        Rows that were named.
    """
    its = sa.and_(sample.c.dataset_id == number, sample.c.name == sa.bindparam("row"))
    named = sa.update(sample).where(its).values(content=sa.bindparam("what"))
    with store.writing() as connection:
        wanted = sa.select(sample.c.name).where(sample.c.dataset_id == number, sample.c.content.is_(None))
        names = [name for name in connection.execute(wanted).scalars() if name in contents]
        for start in range(0, len(names), PIECE):
            pairs = [{"row": name, "what": contents[name]} for name in names[start : start + PIECE]]
            connection.execute(named, pairs)
    return len(names)


def nameless_runs(store: Store) -> list[tuple[int, str, dict[str, Any]]]:
    """Data sets whose rows have no content yet, with their fingerprint and the settings of their newest run."""
    nameless = sa.exists().where(sample.c.dataset_id == dataset.c.id, sample.c.content.is_(None))
    newest = sa.select(sa.func.max(_run.c.id)).where(_run.c.dataset_id == dataset.c.id).scalar_subquery()
    wanted = sa.select(dataset.c.id, dataset.c.fingerprint, run.c.settings).select_from(dataset)
    wanted = wanted.join(run, run.c.id == newest)
    with store.reading() as connection:
        rows = connection.execute(wanted.where(nameless)).all()
    return [(row[0], row[1], dict(row[2])) for row in rows]


def _here(number: int) -> sa.Select[Any]:
    return _columns(_own.c.position).join(_own, _same(_own)).where(_own.c.dataset_id == number)


def _elsewhere(number: int) -> sa.Select[Any]:
    wanted = _columns(_own.c.position).join(sample, _same(sample)).join(_own, _own.c.content == sample.c.content)
    return wanted.where(_own.c.dataset_id == number, sample.c.dataset_id != number)


def _same(table: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.dataset_id == queue.c.dataset_id, table.c.position == task.c.position)


def _columns(position: sa.ColumnElement[int]) -> sa.Select[Any]:
    given = sa.select(sample.c.given_label).where(_same(sample)).correlate(queue, task).scalar_subquery()
    return (
        sa.select(decision, position.label("position"), task.c.is_control, given.label("given"), dataset.c.class_names)
        .join(task, task.c.id == decision.c.task_id)
        .join(queue, queue.c.id == decision.c.queue_id)
        .join(dataset, dataset.c.id == queue.c.dataset_id)
        .where(stands())
    )


def _standing(row: sa.Row[Any], index: Mapping[str, int]) -> StandingAnswer:
    code = row.given if row.action == "keep" else row.new_label
    label = None if row.action in {"exclude", "review"} else index.get(row.class_names[code])
    return StandingAnswer(
        row.id, row.position, row.annotator, row.action, label, row.round, row.note, row.lead_time, row.is_control
    )
