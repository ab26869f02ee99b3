"""Serving cards: a lease that one person holds for a while, so that nobody's work is done twice."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from influence_core.annotations.cards import first_pass, free, passes, read_card, second_pass, skipped
from influence_core.annotations.errors import AnnotationError, Refused
from influence_core.annotations.names import by, enter_person, known_person
from influence_core.annotations.records import NOTE, Card, Only
from influence_core.annotations.statements import insert, only_writer, stands
from influence_core.annotations.store import Store
from influence_core.annotations.tables import decision, draft, lease, queue, skip, task

LEASE = 600.0  # seconds; a card that is asked for again is held for as long again
SKIP = 20  # other cards before a skipped one comes back
EARLY = 0.25  # seconds in which nobody can have looked
ANY = Only()


def next_card(store: Store, number: int, annotator: str, *, review: bool = False, only: Only = ANY) -> Card | None:
    """The card this annotator holds, after a reload too, else the next one; the second pass follows the first.

    The filter chooses what comes next; whoever changes it gives the card in hand back first.

    Args:
        store: where.
        number: of the queue.
        annotator: who asks.
        review: the second pass now, as far as anything waits for it, and the first after it.
        only: which cards.

    Returns:
        A card with a lease, or None when nothing that the filter lets through is open to this annotator.
    """
    with store.reading() as connection:
        card = _held(connection, number, known_person(connection, annotator), store.now(connection), review)
    if card:
        return card
    with store.writing() as connection:
        row, name = only_writer(connection, number), enter_person(connection, annotator)
        now = store.now(connection)
        held = held_item(connection, number, name, now)
        if held is not None and not (review and held[0].round == 1):
            return read_card(connection, row, held[1], name, held[0])
        item, turn = _choose(connection, row, name, now, (review, only))
        if held is not None and turn != 2:
            return read_card(connection, row, held[1], name, held[0])  # nothing waits for a second pass
        return None if item is None else grant(connection, row, item, name, (now, turn))


def lookahead(store: Store, number: int, annotator: str, count: int = 5, only: Only = ANY) -> tuple[int, ...]:
    """Rows that will probably be served next, so that their evidence can be computed now; nothing is leased.

    Args:
        store: where.
        number: of the queue.
        annotator: who will ask.
        count: how many.
        only: which cards.

    Returns:
        At most ``count`` positions, the held card left out.
    """
    with store.reading() as connection:
        now, row, annotator = store.now(connection), _queue(connection, number), known_person(connection, annotator)
        mine = _lease_of(connection, number, annotator)
        open_ = sa.and_(task.c.id != (-1 if mine is None else mine.task_id), passes(row, only))
        wanted = first_pass(connection, row, annotator, now).where(open_).limit(count)
        found = list(connection.execute(wanted).all())
        if len(found) < count:
            wanted = second_pass(row, annotator, now).where(open_).limit(count - len(found))
            found += connection.execute(wanted).all()
    return tuple(dict.fromkeys(item.position for item in found))


def look(store: Store, number: int, annotator: str, place: int) -> Card:
    """The card at a place of the queue, to look at; it holds no lease, and only one's own answer to it can be changed.

    Args:
        store: where.
        number: of the queue.
        annotator: who looks.
        place: 0, 1, …; what lies outside becomes the first or last.
    """
    with store.reading() as connection:
        row, annotator = _queue(connection, number), known_person(connection, annotator)
        last = connection.execute(sa.select(sa.func.max(task.c.place)).where(task.c.queue_id == number)).scalar_one()
        here = sa.select(task).where(task.c.queue_id == number, task.c.place == min(max(place, 0), last))
        return read_card(connection, row, connection.execute(here).one(), annotator, None)


def skip_card(store: Store, card: Card) -> None:
    """Give the card back without an answer; it returns after 20 others, or when nothing else is open."""
    with store.writing() as connection:
        now = store.now(connection)
        only_writer(connection, card.queue)
        check_lease(connection, card, now)
        seen = sa.select(sa.func.count()).where(
            decision.c.queue_id == card.queue, decision.c.annotator == card.annotator, decision.c.action != "undo"
        )
        until = connection.execute(seen).scalar_one() + SKIP
        row = insert(connection, skip).values(task_id=card.task, annotator=card.annotator, skipped_at=now, until=until)
        again = {"skipped_at": now, "until": until}
        connection.execute(row.on_conflict_do_update(index_elements=["task_id", "annotator"], set_=again))
        release(connection, card.queue, card.annotator)


def give_back(store: Store, number: int, annotator: str) -> None:
    """Let go of whatever card the annotator holds, when leaving."""
    with store.writing() as connection:
        only_writer(connection, number)
        release(connection, number, known_person(connection, annotator))


def save_draft(store: Store, card: Card, note: str) -> None:
    """Keep a note that was begun with the card it was written for, so that it survives a reload.

    A card that was answered keeps nothing: its answer has taken the note along.
    """
    with store.writing() as connection:
        mine = sa.and_(decision.c.task_id == card.task, decision.c.round == card.round, stands())
        if connection.execute(sa.select(sa.exists().where(mine, by(decision.c.annotator, card.annotator)))).scalar():
            return
        forget_draft(connection, card.task, card.annotator)
        if note:
            row = {"task_id": card.task, "annotator": card.annotator, "note": note.replace("\0", "")[:NOTE]}
            connection.execute(sa.insert(draft).values(row))


def forget_draft(connection: Connection, item: int, annotator: str) -> None:
    """The answer has taken it along."""
    connection.execute(sa.delete(draft).where(draft.c.task_id == item, draft.c.annotator == annotator))


def check_lease(connection: Connection, card: Card, now: float) -> sa.Row[Any]:
    """Refuse an answer to a card that is no longer held, or came sooner than anybody can look.

    Raises:
        Refused: stale, expired or early.
    """
    found = connection.execute(sa.select(lease).where(lease.c.task_id == card.task)).one_or_none()
    if found is None or (found.annotator, found.token) != (card.annotator, card.token):
        raise Refused("stale")
    if now > found.expires_at:
        raise Refused("expired")
    if 0 <= now - found.served_at < EARLY:  # a clock that was set back makes no slip
        raise Refused("early")
    return found


def grant(connection: Connection, row: sa.Row[Any], item: sa.Row[Any], annotator: str, when: tuple[float, int]) -> Card:
    """Lease a task that is free, with a new token; one annotator holds one card of a queue.

    Args:
        connection: of a transaction that is the queue's only writer.
        row: the queue.
        item: the task.
        annotator: who gets it.
        when: seconds since 1970, and the round.
    """
    now, turn = when
    release(connection, row.id, annotator)
    connection.execute(sa.delete(lease).where(lease.c.task_id == item.id, lease.c.expires_at <= now))
    values = {"token": secrets.token_hex(8), "round": turn, "served_at": now, "expires_at": now + LEASE}
    made = sa.insert(lease).values(task_id=item.id, queue_id=row.id, annotator=annotator, **values)
    held = connection.execute(made.returning(lease)).one()
    return read_card(connection, row, item, annotator, held)


def regrant(
    connection: Connection, row: sa.Row[Any], item: sa.Row[Any], annotator: str, when: tuple[float, int]
) -> Card | None:
    """Lease a task that was just undone, where nobody else has taken it up."""
    wanted = sa.select(task.c.id).where(task.c.id == item.id, free(row, annotator, when[0]))
    if connection.execute(wanted).one_or_none() is None:
        return None
    return grant(connection, row, item, annotator, when)


def release(connection: Connection, number: int, annotator: str) -> None:
    """End the annotator's lease, if there is one."""
    connection.execute(sa.delete(lease).where(lease.c.queue_id == number, lease.c.annotator == annotator))


def held_item(
    connection: Connection, number: int, annotator: str, now: float
) -> tuple[sa.Row[Any], sa.Row[Any]] | None:
    """What the annotator holds, for the whole time again; its token and the time it was served stay.

    Returns:
        Lease and task; None where there is no live lease.
    """
    mine = _renewed(connection, number, annotator, now)
    return None if mine is None else (mine, _task(connection, mine.task_id))


def _choose(
    connection: Connection, row: sa.Row[Any], annotator: str, now: float, asked: tuple[bool, Only]
) -> tuple[sa.Row[Any] | None, int]:
    review, let_through = asked[0], passes(row, asked[1])
    first = [(first_pass(connection, row, annotator, now), 1), (skipped(row, annotator, now), 1)]
    second = [(second_pass(row, annotator, now), 2)]
    for wanted, turn in second + first if review else first + second:
        found = connection.execute(wanted.where(let_through).limit(1)).one_or_none()
        if found is not None:
            return found, turn
    return None, 0


def _held(connection: Connection, number: int, annotator: str, now: float, review: bool) -> Card | None:
    """The live lease, read without a writer's lock, unless it is so old that it should be renewed."""
    mine = _lease_of(connection, number, annotator)
    if mine is None or mine.expires_at - now < LEASE / 2 or (review and mine.round == 1):
        return None
    return read_card(connection, _queue(connection, number), _task(connection, mine.task_id), annotator, mine)


def _renewed(connection: Connection, number: int, annotator: str, now: float) -> sa.Row[Any] | None:
    """The live lease, held for the whole time again; its token and the time it was served stay."""
    live = sa.and_(lease.c.queue_id == number, lease.c.annotator == annotator, lease.c.expires_at > now)
    longer = sa.update(lease).where(live).values(expires_at=now + LEASE)
    return connection.execute(longer.returning(lease)).one_or_none()


def _lease_of(connection: Connection, number: int, annotator: str) -> sa.Row[Any] | None:
    wanted = sa.select(lease).where(lease.c.queue_id == number, lease.c.annotator == annotator)
    return connection.execute(wanted).one_or_none()


def _task(connection: Connection, number: int) -> sa.Row[Any]:
    return connection.execute(sa.select(task).where(task.c.id == number)).one()


def _queue(connection: Connection, number: int) -> sa.Row[Any]:
    found = connection.execute(sa.select(queue).where(queue.c.id == number)).one_or_none()
    if found is None:
        raise AnnotationError(f"There is no queue number {number} in this database: choose one from the list.")
    return found
