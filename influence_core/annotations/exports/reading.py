"""Everything an export is made of, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from influence_core.annotations.queues import get_queue, ranks
from influence_core.annotations.records import Queue
from influence_core.annotations.resolving import Answers, Resolved, answers, resolve
from influence_core.annotations.store import Store
from influence_core.annotations.tables import (
    dataset,
    decision,
    event,
    guideline,
    prediction,
    queue,
    run,
    score,
    skip,
    task,
)
from influence_core.compute import FloatArray


@dataclass(frozen=True, eq=False)
class Material:
    """One queue's view of its data set.

    Attributes:
        queue: its version, strategy and so on.
        dataset: row of the data set, as a dict.
        run: row of the run.
        predictions: column -> (n,) of the table prediction.
        signals: name -> (n,) suspicion.
        rank: (n,) 1 for the most suspicious by the queue's strategy.
        controls: (n,) bool, random controls of this queue.
        answers: of everybody.
        resolved: one outcome per row.
        decisions: every row ever stored of this data set, with ``position`` and ``queue_version``.
        skips: who skipped which position.
        events: of this data set, and logins.
        guideline: newest version, 0 for none.
    """

    queue: Queue
    dataset: dict[str, Any]
    run: dict[str, Any]
    predictions: dict[str, NDArray[Any]]
    signals: dict[str, FloatArray]
    rank: NDArray[np.int64]
    controls: NDArray[np.bool_]
    answers: Answers
    resolved: Resolved
    decisions: list[dict[str, Any]]
    skips: list[dict[str, Any]]
    events: list[dict[str, Any]]
    guideline: int


def read_material(store: Store, number: int) -> Material:
    """Read a queue, its scores and all that was decided."""
    chosen = get_queue(store, number)
    said = answers(store, chosen.dataset)
    with store.reading() as connection:
        signals = _signals(connection, chosen.run, len(said.ids))
        controls = np.zeros(len(said.ids), dtype=bool)
        marked = sa.select(task.c.position).where(task.c.queue_id == number, task.c.is_control)
        controls[connection.execute(marked).scalars().all()] = True
        wanted = sa.select(prediction).where(prediction.c.run_id == chosen.run).order_by(prediction.c.position)
        newest = sa.select(sa.func.max(guideline.c.version)).where(guideline.c.dataset_id == chosen.dataset)
        here = sa.or_(event.c.dataset_id == chosen.dataset, event.c.dataset_id.is_(None))
        return Material(
            queue=chosen,
            dataset=_all(connection, sa.select(dataset).where(dataset.c.id == chosen.dataset))[0],
            run=_all(connection, sa.select(run).where(run.c.id == chosen.run))[0],
            predictions=_columns(connection, wanted),
            signals=signals,
            rank=ranks(said.ids, signals[chosen.strategy]),
            controls=controls,
            answers=said,
            resolved=resolve(said),
            decisions=_all(connection, _decisions(chosen.dataset)),
            skips=_all(connection, _skips(chosen.dataset)),
            events=_all(connection, sa.select(event).where(here).order_by(event.c.id)),
            guideline=connection.execute(newest).scalar_one() or 0,
        )


def _signals(connection: Connection, number: int, n: int) -> dict[str, FloatArray]:
    names = connection.execute(sa.select(score.c.signal).distinct().where(score.c.run_id == number)).scalars().all()
    found = {name: np.full(n, np.nan) for name in sorted(names)}
    for signal, position, value in connection.execute(
        sa.select(score.c.signal, score.c.position, score.c.value).where(score.c.run_id == number)
    ):
        found[signal][position] = value
    return found


def _decisions(data: int) -> sa.Select[Any]:
    return (
        sa.select(decision, task.c.position, queue.c.version.label("queue_version"))
        .join(task, task.c.id == decision.c.task_id)
        .join(queue, queue.c.id == decision.c.queue_id)
        .where(queue.c.dataset_id == data)
        .order_by(decision.c.id)
    )


def _skips(data: int) -> sa.Select[Any]:
    return (
        sa.select(skip, task.c.position)
        .join(task, task.c.id == skip.c.task_id)
        .join(queue, queue.c.id == task.c.queue_id)
        .where(queue.c.dataset_id == data)
        .order_by(skip.c.skipped_at)
    )


def _columns(connection: Connection, wanted: sa.Select[Any]) -> dict[str, NDArray[Any]]:
    rows = connection.execute(wanted)
    return {name: np.array(column) for name, column in zip(rows.keys(), zip(*rows.all(), strict=True), strict=True)}


def _all(connection: Connection, wanted: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(wanted).mappings()]
