"""Which items are open to whom, and what a card shows of one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from influence_core.annotations.names import by
from influence_core.annotations.records import CHANGE, Answer, Card, Only, Said
from influence_core.annotations.statements import stands
from influence_core.annotations.tables import decision, draft, lease, prediction, queue, sample, score, skip, task

_mine, _last, _other = decision.alias("mine"), decision.alias("latest"), lease.alias("other")
_twin, _version = task.alias("twin"), queue.alias("other_version")


def free(row: sa.Row[Any], annotator: str, now: float) -> ColumnElement[bool]:
    """Nobody else holds the same row of the data, in this version of the queue or another.

    Returns:
        The condition on rows of ``task``.
    """
    same = sa.and_(_twin.c.position == task.c.position, _version.c.dataset_id == row.dataset_id)
    taken = sa.and_(_other.c.annotator != annotator, _other.c.expires_at > now)
    held = sa.select(_other.c.task_id).join(_twin, _twin.c.id == _other.c.task_id)
    return ~held.join(_version, _version.c.id == _twin.c.queue_id).where(taken, same).exists()


def elsewhere(row: sa.Row[Any]) -> ColumnElement[bool]:
    """Another version of the queue has got all the answers to this row since this one was made.

    Returns:
        The condition on rows of ``task``.
    """
    same = sa.and_(_twin.c.position == task.c.position, _twin.c.queue_id != row.id)
    enough = sa.and_(_twin.c.answers >= row.overlap, _last.c.decided_at > row.created_at)
    found = sa.select(_twin.c.id).join(_version, _version.c.id == _twin.c.queue_id)
    found = found.join(_last, _last.c.id == _twin.c.last)
    return found.where(same, enough, _version.c.dataset_id == row.dataset_id).exists()


def open_to(annotator: str, row: sa.Row[Any], now: float) -> ColumnElement[bool]:
    """First pass: the task wants an answer, this annotator has given none, and nobody else is at it.

    Args:
        annotator: who asks.
        row: the queue.
        now: seconds since 1970.

    Returns:
        The condition on rows of ``task``.
    """
    said = sa.exists().where(
        _mine.c.task_id == task.c.id, by(_mine.c.annotator, annotator), _mine.c.round == 1, stands(_mine)
    )
    wanting = sa.and_(task.c.queue_id == row.id, task.c.answers < row.overlap)
    return sa.and_(wanting, ~said, ~elsewhere(row), free(row, annotator, now))


def first_pass(connection: Connection, row: sa.Row[Any], annotator: str, now: float) -> sa.Select[Any]:
    """Open tasks in the order of the queue; what was skipped is left out until enough others are done.

    Returns:
        Rows of task.
    """
    seen = connection.execute(
        sa.select(sa.func.count()).where(
            decision.c.queue_id == row.id, decision.c.annotator == annotator, decision.c.action != "undo"
        )
    ).scalar_one()
    later = sa.exists().where(skip.c.task_id == task.c.id, skip.c.annotator == annotator, skip.c.until > seen)
    return sa.select(task).where(open_to(annotator, row, now), ~later).order_by(task.c.place)


def skipped(row: sa.Row[Any], annotator: str, now: float) -> sa.Select[Any]:
    """Open tasks that were skipped, the longest ago first.

    Returns:
        Rows of task.
    """
    mine = sa.and_(skip.c.task_id == task.c.id, skip.c.annotator == annotator)
    return sa.select(task).join(skip, mine).where(open_to(annotator, row, now)).order_by(skip.c.skipped_at)


def second_pass(row: sa.Row[Any], annotator: str, now: float) -> sa.Select[Any]:
    """Disagreements first, then "needs review"; never back to somebody who has answered it.

    Returns:
        Rows of task.
    """
    said = sa.exists().where(_mine.c.task_id == task.c.id, by(_mine.c.annotator, annotator), stands(_mine))
    wanted = sa.select(task).where(task.c.queue_id == row.id, task.c.waits > 0, ~said, free(row, annotator, now))
    return wanted.order_by(task.c.waits.desc(), task.c.place)


def passes(row: sa.Row[Any], only: Only) -> ColumnElement[bool]:
    """The task is about a row of the data that the filter lets through.

    Returns:
        The condition on rows of ``task``.
    """
    conditions: list[ColumnElement[bool]] = []
    if only.given is not None:
        here = sa.and_(sample.c.dataset_id == row.dataset_id, sample.c.position == task.c.position)
        conditions.append(sa.exists().where(here, sample.c.given_label == only.given))
    if only.suggested is not None:
        here = sa.and_(prediction.c.run_id == row.run_id, prediction.c.position == task.c.position)
        conditions.append(sa.exists().where(here, prediction.c.suggested_label == only.suggested))
    return sa.and_(sa.true(), *conditions)


def read_card(
    connection: Connection, row: sa.Row[Any], item: sa.Row[Any], annotator: str, held: sa.Row[Any] | None
) -> Card:
    """Everything a card shows.

    Args:
        connection: of an open transaction.
        row: the queue.
        item: the task.
        annotator: whose card it is.
        held: the lease; None to look only.
    """
    said = connection.execute(
        sa.select(sample.c.name, sample.c.given_label, prediction)
        .join(prediction, prediction.c.position == sample.c.position)
        .where(sample.c.dataset_id == row.dataset_id, sample.c.position == item.position)
        .where(prediction.c.run_id == row.run_id)
    ).one()
    signals = connection.execute(
        sa.select(score.c.signal, score.c.value, score.c.percentile)
        .where(score.c.run_id == row.run_id, score.c.position == item.position)
        .order_by(score.c.signal)
    ).all()
    return Card(
        queue=row.id,
        task=item.id,
        annotator=annotator,
        token=held.token if held else _changing(connection, item.id, annotator),
        round=held.round if held else 1,
        place=item.place,
        position=item.position,
        name=said.name,
        given=said.given_label,
        predicted=said.predicted_label,
        suggested=said.suggested_label,
        p_given=said.p_given,
        p_suggested=said.p_suggested,
        scores={signal.signal: signal.value for signal in signals},
        percentiles={signal.signal: signal.percentile for signal in signals},
        peers=tuple(peer.position for peer in peers(connection, row, item, held)),
        served_at=held.served_at if held else 0.0,
        expires_at=held.expires_at if held else 0.0,
        first=_answer(connection, item.id, annotator, decision.c.stage == "first"),
        mine=_answer(connection, item.id, annotator, stands()),
        others=said_of(connection, item.id) if held and held.round != 1 else (),
        draft=_draft(connection, item.id, annotator) if held else "",
        likely=tuple(said.likely or ()),
    )


def said_of(connection: Connection, item: int) -> tuple[Said, ...]:
    """Everybody's standing answers to a task, the oldest first."""
    wanted = sa.select(decision).where(decision.c.task_id == item, stands()).order_by(decision.c.id)
    rows = connection.execute(wanted).all()
    return tuple(Said(row.annotator, row.action, row.new_label, row.note, row.round) for row in rows)


def peers(connection: Connection, row: sa.Row[Any], item: sa.Row[Any], held: sa.Row[Any] | None) -> list[sa.Row[Any]]:
    """Near-duplicates of a leased task that are open to its holder too.

    Returns:
        Rows of task; none in the second pass.
    """
    if held is None or held.round != 1 or item.duplicates is None:
        return []
    same = sa.and_(task.c.duplicates == item.duplicates, task.c.id != item.id)
    wanted = sa.select(task).where(same, open_to(held.annotator, row, held.served_at)).order_by(task.c.place)
    return list(connection.execute(wanted).all())


def _answer(connection: Connection, item: int, annotator: str, which: ColumnElement[bool]) -> Answer | None:
    found = connection.execute(
        sa.select(decision)
        .where(decision.c.task_id == item, by(decision.c.annotator, annotator), which)
        .order_by(decision.c.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    return Answer(found.action, found.new_label, found.note, found.saw_suggestion, found.stage == "first")


def _changing(connection: Connection, item: int, annotator: str) -> str:
    """Names the last row of this annotator, so that of two changes at once one is seen to be late.

    Returns:
        The token of a card whose answer can be changed; "" where there is none.
    """
    last = sa.func.max(decision.c.id).label("last")
    standing = sa.func.max(sa.case((stands(), decision.c.id))).label("standing")
    wanted = sa.select(last, standing).where(decision.c.task_id == item, by(decision.c.annotator, annotator))
    found = connection.execute(wanted).one()
    return "" if found.standing is None else f"{CHANGE}{found.last}"


def _draft(connection: Connection, item: int, annotator: str) -> str:
    wanted = sa.select(draft.c.note).where(draft.c.task_id == item, draft.c.annotator == annotator)
    return connection.execute(wanted).scalar_one_or_none() or ""
