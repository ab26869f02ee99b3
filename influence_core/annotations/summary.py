"""What the standing answers of a task amount to, kept in the task so that counting stays fast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.names import people_of
from influence_core.annotations.statements import stands
from influence_core.annotations.tables import decision, queue, task

PIECE = 500  # tasks in one statement
REVIEW, DIFFER = 1, 2  # why a task waits for the second pass; the larger goes first
KEEP = -1
OUTCOME = sa.case(
    (decision.c.action == "keep", KEEP), (decision.c.action == "exclude", -2), else_=decision.c.new_label
)  # null for "needs review", which is no outcome
_twin, _version = task.alias("twin"), queue.alias("other_version")


def summarise(connection: Connection, numbers: Sequence[int]) -> None:
    """Bring tasks up to date with their decisions, in the transaction that added some.

    ``answers`` counts the people who answered in the first pass.  ``waits`` is 2 where not all answers to the row of
    the data are the same, in whichever version of the queue, 1 where one asks for a review, and 0 otherwise or once an
    answer of the second pass settles it.  ``error`` is 1 where more than half of the answers (of the second pass, if
    there are any) relabel or exclude, 0 where fewer do, null for a tie and without an answer.  ``last`` is the last row
    that counts.
    """
    for start in range(0, len(numbers), PIECE):
        _summarise(connection, numbers[start : start + PIECE])


def _summarise(connection: Connection, numbers: Sequence[int]) -> None:
    names = people_of(connection)
    same = sa.and_(_twin.c.queue_id == _version.c.id, _twin.c.position == task.c.position)
    wanted = (
        sa.select(task.c.id.label("number"), decision, OUTCOME.label("outcome"))
        .join(queue, queue.c.id == task.c.queue_id)
        .join(_version, _version.c.dataset_id == queue.c.dataset_id)
        .join(_twin, same)
        .join(decision, decision.c.task_id == _twin.c.id)
        .where(task.c.id.in_(numbers), stands())
        .order_by(decision.c.id)
    )
    said: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for row in connection.execute(wanted):
        said[row.number].append(row)
    rows = [{"number": number, **_amount(number, said[number], names)} for number in numbers]
    values: dict[str, Any] = {name: sa.bindparam(name) for name in ("answers", "waits", "error", "last")}
    connection.execute(sa.update(task).where(task.c.id == sa.bindparam("number")).values(values), rows)


def _amount(number: int, said: Sequence[sa.Row[Any]], names: dict[str, str]) -> dict[str, int | None]:
    """The columns of one task, from the standing answers to its row of the data, the oldest first."""
    here = [row for row in said if row.task_id == number]
    first = {names.get(row.annotator, row.annotator): row for row in said if row.round == 1}
    votes = [row.outcome for row in first.values() if row.outcome is not None]
    later = [row.outcome for row in said if row.round == 2 and row.outcome is not None]
    asks = any(row.action == "review" for row in first.values())
    wrong = sum(2 * (outcome != KEEP) - 1 for outcome in later or votes)  # votes for an error less votes against it
    return {
        "answers": len({names.get(row.annotator, row.annotator) for row in here if row.round == 1}),
        "waits": 0 if later else DIFFER if len(set(votes)) > 1 else REVIEW if asks else 0,
        "error": int(wrong > 0) if wrong else None,
        "last": max((row.id for row in here), default=None),
    }
