"""How far a queue is, how many errors it still finds, and whether to stop."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.cards import elsewhere
from influence_core.annotations.names import by, known_person, people_of
from influence_core.annotations.statements import stands
from influence_core.annotations.store import Store
from influence_core.annotations.summary import DIFFER, REVIEW
from influence_core.annotations.tables import decision, queue, task

LAST = 50  # flagged items that decide whether to stop
ENOUGH = 10  # controls that make their error rate worth a comparison
RECENT = 600.0  # seconds over which the rate is taken


@dataclass(frozen=True)
class Found:
    """Wrong labels among answered items.

    Attributes:
        checked: items whose answers say, more on one side than on the other, whether the label is right.
        errors: of them, relabelled or excluded by more than half of those who answered.
    """

    checked: int
    errors: int

    @property
    def rate(self) -> float:
        """Share of errors; not a number before anything was checked."""
        return self.errors / self.checked if self.checked else math.nan


@dataclass(frozen=True)
class Progress:
    """The progress strip of one annotator.

    Attributes:
        size: cards of the queue.
        done: cards with all the answers they want.
        answers: standing answers of everybody in the first pass.
        wanted: answers wanted in all: size × overlap.
        mine: one's own standing answers.
        needs_review: cards that wait for a second pass because somebody asked.
        disagreements: cards that wait for one because answers differ.
        by_annotator: standing answers of each.
        per_minute: one's own answers per minute over the last ten.
        flagged: what the strategy's cards held.
        controls: what the random controls held: the base rate.
        last: what the last 50 flagged cards held.
        advice: one sentence when it is time to stop, else "".
    """

    size: int
    done: int
    answers: int
    wanted: int
    mine: int
    needs_review: int
    disagreements: int
    by_annotator: dict[str, int]
    per_minute: float
    flagged: Found
    controls: Found
    last: Found
    advice: str


def progress(store: Store, number: int, annotator: str) -> Progress:
    """Where a queue stands.

    Args:
        store: where.
        number: of the queue.
        annotator: whose own share is counted.

    Returns:
        Counts, all from SQL.
    """
    with store.reading() as connection:
        row = connection.execute(sa.select(queue).where(queue.c.id == number)).one()
        overlap, annotator = row.overlap, known_person(connection, annotator)
        cards = _cards(connection, row)
        people, rate = _people(connection, number, annotator, store.now(connection))
        last = _last(connection, number)
    flagged, controls = (
        Found(cards["flagged"], cards["flagged_errors"]),
        Found(cards["controls"], cards["control_errors"]),
    )
    return Progress(
        size=cards["size"],
        done=cards["done"],
        answers=cards["answers"],
        wanted=cards["size"] * overlap,
        mine=people.get(annotator, 0),
        needs_review=cards["reviews"],
        disagreements=cards["differ"],
        by_annotator=people,
        per_minute=rate,
        flagged=flagged,
        controls=controls,
        last=last,
        advice=advise(last, controls),
    )


def advise(last: Found, controls: Found) -> str:
    """Stop when the last 50 flagged items hold no more errors than random ones do.

    Returns:
        One sentence, or "".
    """
    if last.checked < LAST or controls.checked < ENOUGH or last.rate > controls.rate:
        return ""
    return (
        f"You may stop: {last.errors} of the last {last.checked} flagged items were wrong ({last.rate:.0%}), no more "
        f"than among the random controls ({controls.errors} of {controls.checked}, {controls.rate:.0%})."
    )


def _people(connection: Connection, number: int, annotator: str, now: float) -> tuple[dict[str, int], float]:
    """Standing answers of everybody, and the pace of one."""
    lately = sa.and_(by(decision.c.annotator, annotator), decision.c.decided_at > now - RECENT)
    rows = connection.execute(
        sa.select(decision.c.annotator, sa.func.count(), sa.func.count(sa.case((lately, 1))))
        .add_columns(sa.func.min(sa.case((lately, decision.c.served_at))))
        .where(decision.c.queue_id == number, stands())
        .group_by(decision.c.annotator)
        .order_by(decision.c.annotator)
    ).all()
    recent = sum(row[2] for row in rows)
    first = min((row[3] for row in rows if row[2]), default=now)
    pace = 60 * recent / max(now - first, 1.0) if recent else 0.0
    names, counts = people_of(connection), Counter[str]()
    for row in rows:
        counts[names.get(row[0]) or str(row[0])] += row[1]
    return dict(counts), pace


def _cards(connection: Connection, row: sa.Row[Any]) -> dict[str, int]:
    control = task.c.is_control
    columns = {
        "size": sa.literal(1),
        "done": sa.case((sa.or_(task.c.answers >= row.overlap, elsewhere(row)), 1), else_=0),
        "answers": task.c.answers,
        "reviews": sa.case((task.c.waits == REVIEW, 1), else_=0),
        "differ": sa.case((task.c.waits == DIFFER, 1), else_=0),
        "flagged": sa.case((sa.and_(~control, task.c.error >= 0), 1), else_=0),
        "flagged_errors": sa.case((~control, task.c.error), else_=0),
        "controls": sa.case((sa.and_(control, task.c.error >= 0), 1), else_=0),
        "control_errors": sa.case((control, task.c.error), else_=0),
    }
    sums = [sa.func.coalesce(sa.func.sum(column), 0).label(name) for name, column in columns.items()]
    found = connection.execute(sa.select(*sums).where(task.c.queue_id == row.id)).one()
    return {name: int(value) for name, value in found._asdict().items()}


def _last(connection: Connection, number: int) -> Found:
    flagged = sa.and_(task.c.queue_id == number, task.c.is_control.is_(False), task.c.error.is_not(None))
    wanted = sa.select(task.c.error).where(flagged).order_by(task.c.last.desc()).limit(LAST)
    errors = connection.execute(wanted).scalars().all()
    return Found(len(errors), sum(errors))
