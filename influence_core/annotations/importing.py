"""Label Studio's JSON read back in: validated, within limits, and never twice."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.exports.label_studio import ACTION, LABEL, NOTE, choice_names
from influence_core.annotations.people import record
from influence_core.annotations.queues import get_queue
from influence_core.annotations.records import ACTIONS, NAME
from influence_core.annotations.records import NOTE as LONGEST
from influence_core.annotations.statements import insert_all, only_writer, stands
from influence_core.annotations.store import Store
from influence_core.annotations.summary import summarise
from influence_core.annotations.tables import decision, sample, task

BYTES, TASKS, ANNOTATIONS, RESULTS = 64 * 2**20, 200_000, 100, 100
ORIGINS = ("manual", "prediction", "prediction-changed")


@dataclass(frozen=True)
class Imported:
    """What became of the annotations of a file.

    Attributes:
        stored: new answers.
        known: answers that were here already, or by somebody who has answered that row here.
        left_out: sentence -> how many annotations it is true of.
    """

    stored: int
    known: int
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class _Row:
    """One annotation in our words."""

    item: int
    annotator: str
    action: str
    label: int | None
    note: str
    origin: str
    at: float
    lead_time: float
    token: str


def import_label_studio(store: Store, number: int, content: bytes, by: str) -> Imported:
    """Add the annotations of a JSON export of Label Studio to a queue, as first-pass answers of their authors.

    Tasks are matched by ``data.id``, else ``data.position`` is not trusted and the task is left out.  Cancelled
    annotations and drafts are no answers.  The same file again adds nothing.

    Args:
        store: where.
        number: of the queue.
        content: the file.
        by: who imports, and whose an annotation without an author is.

    Returns:
        Counts, and why something was left out.
    """
    tasks = _tasks(content)
    queue = get_queue(store, number)
    left_out: Counter[str] = Counter()
    with store.writing() as connection:
        now, row = store.clock(), only_writer(connection, number)
        known = _known(connection, row)
        read = [r for one in tasks for r in _rows(one, known, queue.class_names, (by, now), left_out)]
        taken = _answered(connection, number)
        fresh: dict[tuple[int, str], _Row] = {}
        for one in read:
            if (one.item, one.annotator) not in taken:
                fresh[one.item, one.annotator] = one  # the last of one author
        insert_all(connection, decision, (_columns(number, one) for one in fresh.values()))
        summarise(connection, sorted({one.item for one in fresh.values()}))
    found = Imported(len(fresh), len(read) - len(fresh), dict(left_out))
    record(store, "import", by, {"queue": number, "stored": found.stored, "known": found.known}, queue.dataset)
    return found


def _tasks(content: bytes) -> list[Any]:
    if len(content) > BYTES:
        raise AnnotationError(f"Expected at most {BYTES >> 20} MB, got {len(content) >> 20} MB: export fewer tasks.")
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError):
        raise AnnotationError("Expected Label Studio's JSON export: choose JSON in its export dialog.") from None
    if not isinstance(tasks, list) or len(tasks) > TASKS:
        raise AnnotationError(f"Expected a JSON list of at most {TASKS:,} tasks: choose JSON, not JSON-MIN or CSV.")
    return tasks


def _known(connection: Connection, row: sa.Row[Any]) -> dict[str, tuple[int, int]]:
    """Task and given class by the user's id of the row."""
    wanted = (
        sa.select(sample.c.name, task.c.id, sample.c.given_label)
        .join(task, task.c.position == sample.c.position)
        .where(task.c.queue_id == row.id, sample.c.dataset_id == row.dataset_id)
    )
    return {name: (item, given) for name, item, given in connection.execute(wanted)}


def _answered(connection: Connection, number: int) -> set[tuple[int, str]]:
    """Who has answered what in the first pass, what was imported and undone included: it does not come back."""
    imported = decision.c.token.startswith("import ")
    mine = sa.and_(decision.c.queue_id == number, decision.c.round == 1, sa.or_(stands(), imported))
    rows = connection.execute(sa.select(decision.c.task_id, decision.c.annotator).where(mine)).all()
    return {(item, annotator) for item, annotator in rows}


def _rows(
    one: Any,
    known: Mapping[str, tuple[int, int]],
    class_names: tuple[str, ...],
    default: tuple[str, float],
    left_out: Counter[str],
) -> Iterator[_Row]:
    data, annotations = (one.get("data"), one.get("annotations")) if isinstance(one, dict) else (None, None)
    if not isinstance(data, dict) or not isinstance(annotations, list):
        left_out["no task: data and annotations are missing"] += 1
        return
    found = known.get(str(data.get("id")))
    if found is None:
        left_out["data.id names no row of this queue"] += max(len(annotations), 1)
        return
    for said in annotations[:ANNOTATIONS]:
        try:
            row = _row(said, found, class_names, default)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            left_out[str(error) if isinstance(error, AnnotationError) else "an annotation has another form"] += 1
            continue
        if row is None:
            left_out["cancelled: no answer"] += 1
        else:
            yield row
    left_out.update(
        {"too many annotations of one task": len(annotations[ANNOTATIONS:])} if annotations[ANNOTATIONS:] else {}
    )


def _row(said: Any, found: tuple[int, int], class_names: tuple[str, ...], default: tuple[str, float]) -> _Row | None:
    if said.get("was_cancelled"):
        return None
    results = [result for result in said["result"][:RESULTS] if isinstance(result, dict)]
    item, given = found
    label, action = _chosen(results, LABEL), _chosen(results, ACTION)
    classes = choice_names(class_names)
    if label is not None and label not in classes:
        raise AnnotationError("a label is no class of this data set")
    if action is not None and action not in ACTIONS:
        raise AnnotationError(f"an action is none of {', '.join(ACTIONS)}")
    code = None if label is None else classes.index(label)
    if action in {None, "keep", "re-label"}:
        if code is None and action != "keep":
            raise AnnotationError("no label was chosen")
        action = "keep" if code in {None, given} else "re-label"
    author = _author(said.get("completed_by"), default[0])
    return _Row(
        item=item,
        annotator=author,
        action=str(action),
        label=code if action == "re-label" else None,
        note=_note(results),
        origin=next((r["origin"] for r in results if r.get("origin") in ORIGINS), "manual"),
        at=_time(said.get("created_at"), default[1]),
        lead_time=_lead(said.get("lead_time")),
        token="import " + hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest(),
    )


def _columns(number: int, row: _Row) -> dict[str, Any]:
    return {
        "queue_id": number,
        "task_id": row.item,
        "annotator": row.annotator,
        "action": row.action,
        "new_label": row.label,
        "note": row.note,
        "origin": row.origin,
        "saw_suggestion": row.origin != "manual",
        "stage": "final",
        "round": 1,
        "served_at": row.at - row.lead_time,
        "decided_at": row.at,
        "lead_time": row.lead_time,
        "token": row.token,
    }


def _chosen(results: list[dict[str, Any]], name: str) -> str | None:
    """The choice of a Choices tag; a project of another kind has one such tag, under any name."""
    named = [r for r in results if r.get("type") == "choices"]
    if name == LABEL and all(r.get("from_name") not in {LABEL, ACTION} for r in named):
        chosen = named
    else:
        chosen = [r for r in named if r.get("from_name") == name]
    if not chosen:
        return None
    choices = chosen[-1]["value"]["choices"]
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        raise AnnotationError("more than one label was chosen")
    return choices[0]


def _note(results: list[dict[str, Any]]) -> str:
    texts = [text for r in results if r.get("from_name") == NOTE for text in _listed(r["value"]["text"])]
    return "\n".join(texts).replace("\0", "")[:LONGEST]


def _listed(text: Any) -> list[str]:
    return [one for one in (text if isinstance(text, list) else [text]) if isinstance(one, str)]


def _author(said: Any, default: str) -> str:
    name = said.get("email") or said.get("username") or said.get("id") if isinstance(said, dict) else said
    name = default if name is None else f"label studio user {name}" if isinstance(name, int) else name
    if not isinstance(name, str) or not name.strip() or len(name) > NAME or not name.strip().isprintable():
        raise AnnotationError("the name of an annotator is none")
    return name.strip()


def _time(said: Any, default: float) -> float:
    if not isinstance(said, str):
        return default
    parsed = datetime.fromisoformat(said)
    seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    return seconds if 0 <= seconds <= default else default


def _lead(said: Any) -> float:
    seconds = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else 0.0
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e7 else 0.0
