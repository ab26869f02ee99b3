"""Answers: stored once, whole and for good; an undo is one more row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.cards import peers, read_card
from influence_core.annotations.errors import AnnotationError, Refused
from influence_core.annotations.names import by, known_person
from influence_core.annotations.records import ACTIONS, CHANGE, NOTE, Answer, Card
from influence_core.annotations.serving import check_lease, forget_draft, grant, held_item, regrant, release
from influence_core.annotations.statements import alive, only_writer, stands
from influence_core.annotations.store import Store
from influence_core.annotations.summary import summarise
from influence_core.annotations.tables import dataset, decision, prediction, sample, task
from influence_core.annotations.taking import open_item

BESIDE = "beside "  # before the token of the card in hand: an answer to another item, given from there


@dataclass(frozen=True)
class Decided:
    """What became of an answer.

    Attributes:
        ids: of the stored rows.
        positions: rows of the training set that were answered.
        repeated: whether it had been stored before, so that nothing was added.
        card: where it stays in hand, after a blind first answer or one beside it: the same card with its new token.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    repeated: bool = False
    card: Card | None = None


def decide(store: Store, card: Card, answer: Answer, also: Sequence[int] = ()) -> Decided:
    """Store an answer, durably, before this returns; the same answer again is acknowledged and adds nothing.

    Args:
        store: where.
        card: as it was served.
        answer: what the annotator said.
        also: positions among ``card.peers`` that get the same answer, in the same transaction; one that somebody else
            has taken up meanwhile is left to them.

    An answer to a card that is only looked at changes the one that was given: one more row, which supersedes it.  An
    answer that makes no sense is an ``AnnotationError``; a card that is stale or expired, or was served less than
    250 ms ago, is ``Refused``.

    Returns:
        What was stored.
    """
    with store.writing() as connection:
        row, now = only_writer(connection, card.queue), store.now(connection)
        before = _stored(connection, card)
        if before:
            _check_same(connection, row, before[0], answer)
            return Decided(tuple(r.id for r in before), tuple(r.position for r in before), repeated=True)
        if card.changes:
            return _change(connection, row, card, answer, now)
        held = check_lease(connection, card, now)
        item = connection.execute(sa.select(task).where(task.c.id == card.task)).one()
        more = [] if answer.first else [peer for peer in peers(connection, row, item, held) if peer.position in also]
        when = {"round": held.round, "served_at": held.served_at, "decided_at": now, "token": held.token}
        when["lead_time"] = (now - held.served_at) / (1 + len(more))
        ids = [_add(connection, row, item, {**when, **_said(connection, row, item, answer)}, held)]
        if answer.action == "keep" and more:  # the same picture gets the same label
            answer = replace(answer, action="re-label", label=card.given)
        ids += [_add(connection, row, one, {**when, **_said(connection, row, one, answer)}, held) for one in more]
        summarise(connection, [one.id for one in (item, *more)])
        forget_draft(connection, item.id, card.annotator)
        shown = grant(connection, row, item, card.annotator, (now, held.round)) if answer.first else None
        if not answer.first:
            release(connection, card.queue, card.annotator)
        return Decided(tuple(ids), (item.position, *(peer.position for peer in more)), card=shown)


def decide_beside(store: Store, card: Card, position: int, answer: Answer) -> Decided:
    """Answer another item of the queue from the card in hand, which stays: its strongest counter-example, say.

    One lease gives one such answer: the card comes back with a new token, and the time until now counts for the other
    item alone.  The same answer again is acknowledged and adds nothing.

    Args:
        store: where.
        card: in hand, as it was served.
        position: row of the training set of the other item.
        answer: a final one, to the other item.

    Returns:
        What was stored, and the card in hand.

    Raises:
        Refused: the card in hand is stale, expired or early, or somebody else is working on the other item.
        AnnotationError: the other item is absent, answered, or the card itself, or the answer makes no sense.
    """
    with store.writing() as connection:
        row, now = only_writer(connection, card.queue), store.now(connection)
        before = _stored(connection, card, BESIDE)
        if before:
            _check_same(connection, row, before[0], answer)
            if before[0].position != position:
                raise Refused("stale")
            return Decided((before[0].id,), (position,), repeated=True)
        held = check_lease(connection, card, now)
        item = open_item(connection, row, card.annotator, position, now)
        if item.id == card.task:
            raise AnnotationError("Expected another item than the card in hand: answer the card itself.")
        if row.blind and read_card(connection, row, item, card.annotator, None).first is None:
            raise AnnotationError("In a blind queue every example asks for a first answer: open its card.")
        when = {"round": 1, "served_at": held.served_at, "decided_at": now, "token": BESIDE + held.token}
        said = {**when, "lead_time": now - held.served_at, **_said(connection, row, item, answer)}
        ids = (_add(connection, row, item, said, held),)
        summarise(connection, [item.id])
        kept = connection.execute(sa.select(task).where(task.c.id == card.task)).one()
        again = grant(connection, row, kept, card.annotator, (now, held.round))
        return Decided(ids, (position,), card=again)


def undo(store: Store, number: int, annotator: str) -> Card | None:
    """Take the annotator's last standing answer back, with all that was answered along with it; repeat to go on.

    An answer that was given beside a card is taken back without losing the card in hand, and so is a changed one,
    after which the one before it stands again.

    Args:
        store: where.
        number: of the queue.
        annotator: whose answer.

    Returns:
        The card that is in hand now, or whose changed answer was taken back; None when somebody else has taken it up
        meanwhile.

    Raises:
        AnnotationError: there is no answer left to undo.
    """
    with store.writing() as connection:
        row, now, name = only_writer(connection, number), store.now(connection), known_person(connection, annotator)
        mine = sa.and_(decision.c.queue_id == number, by(decision.c.annotator, name), stands())
        last = connection.execute(sa.select(decision).where(mine).order_by(decision.c.id.desc()).limit(1)).one_or_none()
        if last is None:
            raise AnnotationError("There is no answer of yours in this queue left to undo.")
        batch = connection.execute(
            sa.select(decision).where(mine, decision.c.token == last.token).order_by(decision.c.id)
        ).all()
        for one in batch:
            _take_back(connection, one, now)
        summarise(connection, [one.task_id for one in batch])
        held = held_item(connection, number, name, now) if last.token.startswith((BESIDE, CHANGE)) else None
        if held is not None:
            return read_card(connection, row, held[1], name, held[0])
        item = connection.execute(sa.select(task).where(task.c.id == batch[0].task_id)).one()
        if last.token.startswith(CHANGE):
            return read_card(connection, row, item, name, None)
        return regrant(connection, row, item, name, (now, last.round))


def _stored(connection: Connection, card: Card, beside: str = "") -> list[sa.Row[Any]]:
    """What this lease has answered already, the card itself first; or what it has answered beside it."""
    if not card.token:
        raise Refused("stale")
    token = beside + card.token
    same = (decision.c.queue_id == card.queue, decision.c.annotator == card.annotator, decision.c.token == token)
    wanted = sa.select(decision, task.c.position).join(task, task.c.id == decision.c.task_id).where(*same)
    return list(connection.execute(wanted.order_by(decision.c.id)).all())


def _check_same(connection: Connection, row: sa.Row[Any], stored: sa.Row[Any], answer: Answer) -> None:
    """Refuse another answer under a lease that has answered: one of two keys that were pressed at once."""
    said = _said(connection, row, stored, answer)
    if any(getattr(stored, name) != said[name] for name in ("action", "new_label", "stage")):
        raise Refused("stale")


def _said(connection: Connection, row: sa.Row[Any], item: sa.Row[Any], answer: Answer) -> dict[str, Any]:
    """Columns of an answer to one row of the data; a new label that equals the given one keeps it."""
    found = connection.execute(
        sa.select(sample.c.given_label, prediction.c.suggested_label, dataset.c.class_names)
        .join(prediction, prediction.c.position == sample.c.position)
        .join(dataset, dataset.c.id == sample.c.dataset_id)
        .where(sample.c.dataset_id == row.dataset_id, sample.c.position == item.position)
        .where(prediction.c.run_id == row.run_id)
    ).one()
    _check(answer, len(found.class_names))
    label = None if answer.label == found.given_label else answer.label
    seen = "prediction" if label is not None and label == found.suggested_label else "prediction-changed"
    return {
        "action": "keep" if answer.action == "re-label" and label is None else answer.action,
        "new_label": label,
        "note": answer.note.replace("\0", ""),
        "origin": seen if answer.saw_suggestion else "manual",
        "saw_suggestion": answer.saw_suggestion,
        "stage": "first" if answer.first else "final",
    }


def _change(connection: Connection, row: sa.Row[Any], card: Card, answer: Answer, now: float) -> Decided:
    """One more row in the place of the annotator's own, in the round of that one."""
    item = connection.execute(sa.select(task).where(task.c.id == card.task)).one()
    mine = sa.and_(decision.c.task_id == item.id, by(decision.c.annotator, card.annotator), stands())
    old = connection.execute(sa.select(decision).where(mine).order_by(decision.c.id.desc()).limit(1)).one_or_none()
    if old is None or read_card(connection, row, item, card.annotator, None).token != card.token:
        raise Refused("stale")
    when = {"round": old.round, "served_at": now, "decided_at": now, "lead_time": 0.0, "token": card.token}
    ids = (_add(connection, row, item, {**when, **_said(connection, row, item, replace(answer, first=False))}, card),)
    summarise(connection, [item.id])
    return Decided(ids, (item.position,))


def _check(answer: Answer, classes: int) -> None:
    if answer.action not in ACTIONS:
        raise AnnotationError(f"Expected one of {', '.join(ACTIONS)}, got {answer.action[:20]!r}.")
    if (answer.action == "re-label") != (answer.label is not None):
        raise AnnotationError("Expected a new label with the action re-label, and with no other.")
    if answer.label is not None and not 0 <= answer.label < classes:
        raise AnnotationError(f"Expected a class index from 0 to {classes - 1}, got {answer.label}.")
    if len(answer.note) > NOTE:
        raise AnnotationError(f"Expected a note of at most {NOTE:,} characters, got {len(answer.note):,}: shorten it.")


def _add(
    connection: Connection, row: sa.Row[Any], item: sa.Row[Any], values: dict[str, Any], held: sa.Row[Any] | Card
) -> int:
    """One row; it supersedes what the annotator last said of the same task: before it was changed, or blindly."""
    said = sa.select(sa.func.max(decision.c.id)).where(
        decision.c.task_id == item.id, by(decision.c.annotator, held.annotator), alive()
    )
    who = {"queue_id": row.id, "task_id": item.id, "annotator": held.annotator}
    added = sa.insert(decision).values(**who, supersedes=connection.execute(said).scalar_one(), **values)
    return int(connection.execute(added.returning(decision.c.id)).scalar_one())


def _take_back(connection: Connection, row: sa.Row[Any], now: float) -> None:
    copied = {name: getattr(row, name) for name in ("queue_id", "task_id", "annotator", "stage", "round")}
    said = {"action": "undo", "note": "", "origin": "manual", "saw_suggestion": row.saw_suggestion}
    when = {"served_at": now, "decided_at": now, "lead_time": 0.0, "token": f"undo {row.id}", "undoes": row.id}
    connection.execute(sa.insert(decision).values(**copied, **said, **when))
