"""Queues: made from arrays of scores, versioned, with unmarked random controls in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from scipy.stats import rankdata
from sqlalchemy import Connection

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.records import Plan, Queue, Run, Samples
from influence_core.annotations.standing import standing
from influence_core.annotations.statements import insert, insert_all, pieces
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, event, prediction, queue, run, sample, score, task
from influence_core.compute import FloatArray

FIRST = 5  # cards before the first control
CONTRADICTION = "contradiction"  # the signal whose rows come before all others, by whatever the rest is ordered


def create_queue(store: Store, samples: Samples, scores: Run, plan: Plan, by: str) -> Queue:
    """Store the run's scores and make the next version of the queue; earlier versions stay as they are.

    Args:
        store: where.
        samples: the training points.
        scores: what a model says of them.
        plan: order, controls, overlap, near-duplicates.
        by: the lead who asks.

    Raises:
        AnnotationError: arrays that do not fit, or nothing left to ask.
    """
    n = len(samples.ids)
    scores.check(samples)
    plan.check(scores, n)
    with store.writing() as connection:
        now = store.now(connection)
        data = store_dataset(connection, samples, now, by)
        order = ranks(samples.ids, scores.signals[plan.strategy])
        if CONTRADICTION in scores.signals:  # of two equal rows with different labels one is surely wrong
            order = np.where(scores.signals[CONTRADICTION] > 0, order, order + n)
        chosen, controls = _cards(order, _asked(connection, data, n, plan), plan)
        if not len(chosen):
            raise AnnotationError("Every row has an answer already: ask again on purpose, or work in an older queue.")
        made = _run(connection, data, scores, now, by)
    for table, rows in ((prediction, _predictions(made, scores)), (score, _scores(made, scores))):
        for piece in pieces(rows):  # many short transactions: annotators go on meanwhile
            with store.writing() as connection:
                insert_all(connection, table, piece)
    with store.writing() as connection:
        number = _queue(connection, data, made, plan, (now, by))
        groups = np.full(n, -1) if plan.duplicates is None else plan.duplicates
        insert_all(connection, task, _tasks(number, chosen, controls, groups))
        detail = {"queue": number, "strategy": plan.strategy, "cards": len(chosen)}
        connection.execute(sa.insert(event).values(at=now, annotator=by, kind="queue", dataset_id=data, detail=detail))
    return get_queue(store, number)


def queues(store: Store, fingerprint: str) -> tuple[Queue, ...]:
    """All versions of a data set's queue, the newest first.

    Returns:
        None of them for data that nobody has queued.
    """
    with store.reading() as connection:
        rows = connection.execute(_select().where(dataset.c.fingerprint == fingerprint)).all()
    return tuple(_as_queue(row) for row in rows)


def get_queue(store: Store, number: int) -> Queue:
    """One queue.

    Raises:
        AnnotationError: there is none of this number.
    """
    with store.reading() as connection:
        row = connection.execute(_select().where(queue.c.id == number)).one_or_none()
    if row is None:
        raise AnnotationError(f"There is no queue number {number} in this database: choose one from the list.")
    return _as_queue(row)


def ranks(ids: NDArray[np.str_], suspicion: FloatArray) -> NDArray[np.int64]:
    """Rank 1 for the most suspicious; equal suspicion goes by id, so that no order of the rows matters.

    Returns:
        (n,) ranks 1..n.
    """
    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.lexsort((ids, -suspicion))] = np.arange(1, len(ids) + 1)
    return rank


def _cards(
    order: NDArray[np.int64], asked: NDArray[np.bool_], plan: Plan
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows in the order of serving and which are controls.

    Controls are a uniform sample of all rows asked, whatever their rank, at random places behind the first few.  Their
    share of wrong labels estimates the share in the data, and what a rank keeps after them is a random part of it, so
    the precision of the strategy is estimated without bias too.

    Returns:
        Rows, and a bool for each.
    """
    rng = np.random.default_rng(plan.seed)
    rows = np.flatnonzero(asked)
    size = min(plan.limit or len(rows), len(rows))
    count = max(1, round(plan.control_fraction * size)) if size else 0
    drawn = rng.choice(rows, size=count, replace=False)
    flagged = np.setdiff1d(rows, drawn)
    flagged = flagged[np.argsort(order[flagged])][: size - count]
    controls = np.zeros(size, dtype=bool)
    # Not among the first: whoever begins with a random row thinks that the queue finds nothing.
    late = np.arange(min(FIRST, size - count), size)
    controls[rng.choice(late, size=count, replace=False)] = True
    chosen = np.empty(size, dtype=np.int64)
    chosen[controls], chosen[~controls] = drawn, flagged
    return chosen, controls


def _tasks(
    number: int, chosen: NDArray[np.int64], controls: NDArray[np.bool_], groups: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    for place, (position, control) in enumerate(zip(chosen.tolist(), controls.tolist(), strict=True)):
        group = int(groups[position])
        yield {
            "queue_id": number,
            "position": position,
            "place": place,
            "is_control": control,
            "duplicates": group if group >= 0 else None,
        }


def store_dataset(connection: Connection, samples: Samples, now: float, by: str) -> int:
    """Note the rows, unless they are there.

    Returns:
        Number of the data set.

    Raises:
        AnnotationError: other rows are there under this fingerprint.
    """
    names = list(samples.class_names)
    values = {"fingerprint": samples.fingerprint, "name": samples.name, "size": len(samples.ids)}
    made = insert(connection, dataset).values(**values, class_names=names, created_at=now, created_by=by)
    connection.execute(made.on_conflict_do_nothing())
    found = sa.select(dataset).where(dataset.c.fingerprint == samples.fingerprint).with_for_update()
    row = connection.execute(found).one()
    if (row.size, row.class_names) != (len(samples.ids), names):
        raise AnnotationError("The same fingerprint came with other rows or classes: hash the data themselves.")
    if not connection.execute(sa.select(sa.exists().where(sample.c.dataset_id == row.id))).scalar():
        held = [None] * len(samples.ids) if samples.contents is None else samples.contents.tolist()
        columns = enumerate(zip(samples.ids.tolist(), samples.labels.tolist(), held, strict=True))
        rows = (
            {"dataset_id": row.id, "position": i, "name": name, "given_label": y, "content": content}
            for i, (name, y, content) in columns
        )
        insert_all(connection, sample, rows)
    return int(row.id)


def _asked(connection: Connection, data: int, n: int, plan: Plan) -> NDArray[np.bool_]:
    asked = np.ones(n, dtype=bool)
    if not plan.again:
        asked[[one.position for one in standing(connection, data) if one.action != "review"]] = False
    return asked


def _run(connection: Connection, data: int, scores: Run, now: float, by: str) -> int:
    values = {"model": scores.model, "settings": dict(scores.settings), "seed": scores.seed, "trust": scores.trust}
    made = sa.insert(run).values(
        dataset_id=data,
        **json.loads(json.dumps(values, default=str)),
        metrics=json.loads(json.dumps(dict(scores.metrics), default=float)),
        gradient_norm=scores.gradient_norm,
        created_at=now,
        created_by=by,
    )
    return int(connection.execute(made.returning(run.c.id)).scalar_one())


def _predictions(number: int, scores: Run) -> Iterator[dict[str, Any]]:
    n = len(scores.predicted)
    columns = {
        "position": np.arange(n),
        "predicted_label": scores.predicted,
        "suggested_label": scores.suggested,
        "p_given": scores.p_given,
        "p_suggested": scores.p_suggested,
        "label_score": scores.p_given if scores.label_score is None else scores.label_score,
        "is_label_issue": np.zeros(n, dtype=bool) if scores.is_issue is None else scores.is_issue,
    }
    likely = [None] * n if scores.likely is None else scores.likely.tolist()
    for row, first in zip(zip(*(column.tolist() for column in columns.values()), strict=True), likely, strict=True):
        yield {"run_id": number, **dict(zip(columns, row, strict=True)), "likely": first}


def _scores(number: int, scores: Run) -> Iterator[dict[str, Any]]:
    for name, values in scores.signals.items():
        shares = rankdata(values, method="max") / len(values)
        for position, (value, share) in enumerate(zip(values.tolist(), shares.tolist(), strict=True)):
            yield {"run_id": number, "signal": name, "position": position, "value": value, "percentile": share}


def _queue(connection: Connection, data: int, number: int, plan: Plan, made: tuple[float, str]) -> int:
    connection.execute(sa.select(dataset.c.id).where(dataset.c.id == data).with_for_update())  # one version at a time
    last = sa.select(sa.func.coalesce(sa.func.max(queue.c.version), 0)).where(queue.c.dataset_id == data)
    row = sa.insert(queue).values(
        dataset_id=data,
        run_id=number,
        version=connection.execute(last).scalar_one() + 1,
        strategy=plan.strategy,
        overlap=plan.overlap,
        control_fraction=plan.control_fraction,
        blind=plan.blind,
        seed=plan.seed,
        created_at=made[0],
        created_by=made[1],
    )
    return int(connection.execute(row.returning(queue.c.id)).scalar_one())


def _select() -> sa.Select[Any]:
    size = sa.select(sa.func.count()).where(task.c.queue_id == queue.c.id).scalar_subquery()
    return (
        sa.select(queue, dataset.c.class_names, run.c.trust, size.label("cards"))
        .join(dataset, dataset.c.id == queue.c.dataset_id)
        .join(run, run.c.id == queue.c.run_id)
        .order_by(queue.c.version.desc())
    )


def _as_queue(row: sa.Row[Any]) -> Queue:
    return Queue(
        id=row.id,
        dataset=row.dataset_id,
        run=row.run_id,
        version=row.version,
        strategy=row.strategy,
        overlap=row.overlap,
        control_fraction=row.control_fraction,
        blind=row.blind,
        class_names=tuple(row.class_names),
        size=row.cards,
        trust=row.trust,
        seed=row.seed,
        created_at=row.created_at,
        created_by=row.created_by,
    )
