"""Who works here: roles by configuration, the activity log, and the labelling guideline in versions."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.names import enter_person, key_of
from influence_core.annotations.records import CHANGE
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, decision, event, guideline, queue, sample, task

Role = Literal["lead", "annotator"]
Source = Literal["oidc", "name"]
KINDS = ("login", "queue", "guideline", "export", "import", "retrain", "assign")
GUIDELINE = 100_000  # characters


@dataclass(frozen=True)
class Activity:
    """One line of the log.

    Attributes:
        at: seconds since 1970.
        annotator: who did it.
        kind: ``decision``, ``undo``, or a kind of event.
        text: what, in words.
    """

    at: float
    annotator: str
    kind: str
    text: str


@dataclass(frozen=True)
class Guideline:
    """One version of the labelling guideline, in Markdown."""

    version: int
    text: str
    created_at: float
    created_by: str


def role(name: str, source: Source, key: str = "") -> Role:
    """What somebody may do, by ``INFLUENCE_LEADS``: names or e-mail addresses with commas in between.

    A name that was only typed proves nothing: with it a lead needs the ``INFLUENCE_LEAD_KEY`` too.  Where neither is
    set, everybody is a lead on a machine without login, and nobody with one.  Without a list of leads, whoever has the
    key is one.

    Args:
        name: as the login says it, or as typed.
        source: ``oidc`` from a login, ``name`` when typed.
        key: as typed.

    Returns:
        ``lead`` or ``annotator``.
    """
    chosen, wanted = os.environ.get("INFLUENCE_LEADS"), os.environ.get("INFLUENCE_LEAD_KEY", "")
    named = chosen is not None and key_of(name) in {key_of(one) for one in chosen.split(",")}
    if source == "oidc":
        return "lead" if named else "annotator"
    if chosen is None and not wanted:
        return "lead"
    proved = bool(wanted) and hmac.compare_digest(key.encode(), wanted.encode())
    return "lead" if proved and (named or chosen is None) else "annotator"


def asks_for_key() -> bool:
    """Whether somebody whose name was only typed can show that they are a lead."""
    return bool(os.environ.get("INFLUENCE_LEAD_KEY"))


def login(store: Store, name: str, source: Source, key: str = "") -> str:
    """Note that somebody came, and whether a login or only a typed name says who it is.

    Returns:
        The name under which the answers of this person are stored.
    """
    with store.writing() as connection:
        name = enter_person(connection, name)
    record(store, "login", name, {"source": source, "role": role(name, source, key)})
    return name


def record(store: Store, kind: str, by: str, detail: Mapping[str, Any], number: int | None = None) -> None:
    """Add an event to the log.

    Args:
        store: where.
        kind: one of ``KINDS``.
        by: who did it.
        detail: what, for JSON: of ``retrain`` accuracy and loss before and after, say.
        number: of the data set, where it is about one.

    Raises:
        AnnotationError: another kind.
    """
    if kind not in KINDS:
        raise AnnotationError(f"Expected an event of kind {', '.join(KINDS)}, got {kind[:20]!r}.")
    with store.writing() as connection:
        values = {"at": store.now(connection), "annotator": enter_person(connection, by), "kind": kind}
        connection.execute(sa.insert(event).values(**values, dataset_id=number, detail=dict(detail)))


def activity(store: Store, number: int, limit: int = 100) -> tuple[Activity, ...]:
    """What happened last to a data set, logins included, the newest first.

    Args:
        store: where.
        number: of the data set.
        limit: most lines.

    Returns:
        At most ``limit`` lines.
    """
    said = (
        sa.select(decision, sample.c.name, queue.c.version, dataset.c.class_names)
        .join(queue, queue.c.id == decision.c.queue_id)
        .join(task, task.c.id == decision.c.task_id)
        .join(sample, sa.and_(sample.c.position == task.c.position, sample.c.dataset_id == queue.c.dataset_id))
        .join(dataset, dataset.c.id == queue.c.dataset_id)
        .where(queue.c.dataset_id == number)
        .order_by(decision.c.id.desc())
        .limit(limit)
    )
    here = sa.or_(event.c.dataset_id == number, event.c.dataset_id.is_(None))
    happened = sa.select(event).where(here).order_by(event.c.id.desc()).limit(limit)
    with store.reading() as connection:
        lines = [_decision_line(row) for row in connection.execute(said)]
        lines += [_event_line(row) for row in connection.execute(happened)]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:limit])


def write_guideline(store: Store, number: int, text: str, by: str) -> Guideline:
    """Add the next version; the older ones stay.

    Args:
        store: where.
        number: of the data set.
        text: Markdown.
        by: a lead.

    Raises:
        AnnotationError: too long, or no such data set.
    """
    if len(text) > GUIDELINE:
        raise AnnotationError(f"Expected at most {GUIDELINE:,} characters, got {len(text):,}: shorten the guideline.")
    with store.writing() as connection:
        wanted = sa.select(dataset.c.id).where(dataset.c.id == number).with_for_update()
        if connection.execute(wanted).one_or_none() is None:
            raise AnnotationError("There is no such data set in this database: make a queue first.")
        last = sa.select(sa.func.coalesce(sa.func.max(guideline.c.version), 0)).where(guideline.c.dataset_id == number)
        made = Guideline(connection.execute(last).scalar_one() + 1, text.replace("\0", ""), store.now(connection), by)
        connection.execute(sa.insert(guideline).values(dataset_id=number, **vars(made)))
        detail = {"version": made.version}
        row = {"at": made.created_at, "annotator": enter_person(connection, by), "kind": "guideline", "detail": detail}
        connection.execute(sa.insert(event).values(**row, dataset_id=number))
    return made


def guidelines(store: Store, number: int) -> tuple[Guideline, ...]:
    """All versions, the newest first.

    Returns:
        None of them until a lead writes one.
    """
    wanted = sa.select(guideline).where(guideline.c.dataset_id == number).order_by(guideline.c.version.desc())
    with store.reading() as connection:
        rows = connection.execute(wanted).all()
    return tuple(Guideline(row.version, row.text, row.created_at, row.created_by) for row in rows)


def _decision_line(row: sa.Row[Any]) -> Activity:
    label = f" to {row.class_names[row.new_label]}" if row.new_label is not None else ""
    stage = ", first answer" if row.stage == "first" else ", second pass" if row.round == 2 else ""
    changed = ", changed" if row.token.startswith(CHANGE) else ""
    note = f" — “{row.note}”" if row.note else ""
    text = f"{row.action}{label}: {row.name} (queue {row.version}{stage}{changed}){note}"
    return Activity(row.decided_at, row.annotator, "undo" if row.action == "undo" else "decision", text)


def _event_line(row: sa.Row[Any]) -> Activity:
    text = ", ".join(f"{key} {value}" for key, value in row.detail.items())
    return Activity(row.at, row.annotator, row.kind, text)
