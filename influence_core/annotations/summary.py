"""What the standing answers of a task amount to, kept in the task so that counting stays fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.statements import stands
from influence_core.annotations.tables import decision, task

PIECE = 500  # tasks in one statement
REVIEW, DIFFER = 1, 2  # why a task waits for the second pass; the larger goes first
OUTCOME = sa.case(
    (decision.c.action == "keep", -1), (decision.c.action == "exclude", -2), else_=decision.c.new_label
)  # null for "needs review", which is no outcome


def summarise(connection: Connection, numbers: Sequence[int]) -> None:
    """Bring tasks up to date with their decisions, in the transaction that added some.

    ``answers`` counts those of the first pass.  ``waits`` is 2 where they are not all the same, 1 where one asks for a
    review, and 0 otherwise or once an answer of the second pass settles it.  ``error`` is 1 where at least half of the
    answers (of the second pass, if there are any) relabel or exclude, 0 where fewer do, null without one.  ``last`` is
    the last row that counts.
    """
    for start in range(0, len(numbers), PIECE):
        _summarise(connection, numbers[start : start + PIECE])


def _summarise(connection: Connection, numbers: Sequence[int]) -> None:
    second, asks = decision.c.round == 2, decision.c.action == "review"
    first, wrong = sa.case((~second, OUTCOME)), sa.case((asks, None), (OUTCOME == -1, 0.0), else_=1.0)
    differs = sa.func.min(first) < sa.func.max(first)
    settled = sa.func.sum(sa.case((sa.and_(second, ~asks), 1), else_=0)) > 0
    reviews = sa.func.sum(sa.case((sa.and_(~second, asks), 1), else_=0)) > 0
    share = sa.func.coalesce(sa.func.avg(sa.case((second, wrong))), sa.func.avg(wrong))
    wanted = (
        sa.select(
            decision.c.task_id.label("number"),
            sa.func.count(sa.case((~second, 1))).label("answers"),
            sa.case((settled, 0), (differs, DIFFER), (reviews, REVIEW), else_=0).label("waits"),
            sa.case((share >= 0.5, 1), (share < 0.5, 0)).label("error"),
            sa.func.max(decision.c.id).label("last"),
        )
        .where(decision.c.task_id.in_(numbers), stands())
        .group_by(decision.c.task_id)
    )
    nothing = {"answers": 0, "waits": 0, "error": None, "last": None}
    found = {row.number: row._asdict() for row in connection.execute(wanted)}
    rows = [found.get(number, {"number": number, **nothing}) for number in numbers]
    values: dict[str, Any] = {name: sa.bindparam(name) for name in nothing}
    connection.execute(sa.update(task).where(task.c.id == sa.bindparam("number")).values(values), rows)
