"""A data set that an earlier version kept: the training part of one split becomes all rows, and its queues go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from influence_core.annotations.queues import store_dataset
from influence_core.annotations.records import Samples
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, prediction, queue, run, sample, score, task

Settings = Callable[[Mapping[str, Any], NDArray[np.int64]], Mapping[str, Any]]
_old, _new = sample.alias("old"), sample.alias("new")


def widen(store: Store, former: str, samples: Samples, settings: Settings) -> bool:
    """Let the queues of a training part go on among all rows; no answer, event or guideline changes.

    Rows keep their ids and get their places among all of them, in cards, predictions and scores.  Rows that the older
    runs did not judge count as their given label, without scores.

    Args:
        store: where.
        former: fingerprint of the training part.
        samples: all rows.
        settings: of a run, made from those it had and from the new place of each row of the training part.

    Returns:
        Whether anything was to be done: False where there is no such part, or all rows have been stored already.
    """
    with store.reading() as connection:
        if _number(connection, former) is None:
            return False
    with store.writing() as connection:
        connection.execute(sa.select(dataset).where(dataset.c.fingerprint == former).with_for_update()).all()
        number = _number(connection, former)
        if number is None or _number(connection, samples.fingerprint) is not None:
            return False
        all_rows = store_dataset(connection, samples, store.now(connection), "")
        pairs = sa.select(_old.c.position, _new.c.position).join(_new, _new.c.name == _old.c.name)
        pairs = pairs.where(_old.c.dataset_id == number, _new.c.dataset_id == all_rows).order_by(_old.c.position)
        places = np.array([new for _, new in connection.execute(pairs)], dtype=np.int64)
        if len(places) < connection.execute(sa.select(dataset.c.size).where(dataset.c.id == number)).scalar_one():
            connection.execute(sa.delete(sample).where(sample.c.dataset_id == all_rows))
            connection.execute(sa.delete(dataset).where(dataset.c.id == all_rows))
            return False
        _move(connection, number, all_rows)
        for one in connection.execute(sa.select(run.c.id, run.c.settings).where(run.c.dataset_id == number)).all():
            again = dict(settings(one.settings, places))
            connection.execute(sa.update(run).where(run.c.id == one.id).values(settings=again))
        _complete(connection, number, len(samples.class_names))
    return True


def _number(connection: Connection, fingerprint: str) -> int | None:
    wanted = sa.select(dataset.c.id).where(dataset.c.fingerprint == fingerprint)
    found: int | None = connection.execute(wanted).scalar_one_or_none()
    return found


def _move(connection: Connection, number: int, all_rows: int) -> None:
    """New places, by way of negative ones, because two rows may not be in one place; then the rows themselves."""
    queues = sa.select(queue.c.id).where(queue.c.dataset_id == number)
    runs = sa.select(run.c.id).where(run.c.dataset_id == number)
    for table, mine in (
        (task, task.c.queue_id.in_(queues)),
        (prediction, prediction.c.run_id.in_(runs)),
        (score, score.c.run_id.in_(runs)),
    ):
        place = sa.select(-1 - _new.c.position).join(_old, _old.c.name == _new.c.name).where(
            _old.c.dataset_id == number, _new.c.dataset_id == all_rows, _old.c.position == table.c.position
        )  # fmt: skip
        connection.execute(sa.update(table).where(mine).values(position=place.scalar_subquery()))
        connection.execute(sa.update(table).where(mine).values(position=-1 - table.c.position))
    found = connection.execute(sa.select(dataset).where(dataset.c.id == all_rows)).one()
    connection.execute(sa.delete(sample).where(sample.c.dataset_id == number))
    connection.execute(sa.update(sample).where(sample.c.dataset_id == all_rows).values(dataset_id=number))
    connection.execute(sa.delete(dataset).where(dataset.c.id == all_rows))
    values = {"fingerprint": found.fingerprint, "size": found.size}
    connection.execute(sa.update(dataset).where(dataset.c.id == number).values(values))


def _complete(connection: Connection, number: int, classes: int) -> None:
    """Predictions of rows that no model of then has seen: their given label, and no issue."""
    there = sa.exists().where(prediction.c.run_id == run.c.id, prediction.c.position == sample.c.position)
    unseen = {
        prediction.c.run_id: run.c.id,
        prediction.c.position: sample.c.position,
        prediction.c.predicted_label: sample.c.given_label,
        prediction.c.suggested_label: (sample.c.given_label + 1) % classes,
        prediction.c.p_given: sa.literal(1.0),
        prediction.c.p_suggested: sa.literal(0.0),
        prediction.c.label_score: sa.literal(1.0),
        prediction.c.is_label_issue: sa.false(),
    }
    rows = sa.select(*unseen.values()).join(run, run.c.dataset_id == sample.c.dataset_id)
    rows = rows.where(sample.c.dataset_id == number, ~there)
    connection.execute(sa.insert(prediction).from_select(list(unseen), rows))
