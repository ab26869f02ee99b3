"""Who is who: one person whatever the case, the width and the blanks of the name that was typed."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.records import NAME
from influence_core.annotations.statements import insert
from influence_core.annotations.tables import person

JOINER = "\N{ZERO WIDTH JOINER}"  # inside emoji


def annotator_name(name: str) -> str:
    """The name as it is stored, with single blanks.

    Raises:
        AnnotationError: empty, too long, or with characters that do not print.
    """
    name = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in name).strip()
    if not name or len(name) > NAME or not name.replace(JOINER, "").isprintable():
        raise AnnotationError(f"Expected a name of 1 to {NAME} printable characters: type another one.")
    return " ".join(name.split())


def key_of(name: str) -> str:
    """What all spellings of a name have in common: compatibility characters, case and blanks do not matter."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def known_person(connection: Connection, name: str) -> str:
    """The spelling under which somebody's answers are stored: the first one that was ever used.

    Returns:
        The name itself, where nobody of that name has come yet.
    """
    name = annotator_name(name)
    wanted = sa.select(person.c.spelling).where(person.c.key == key_of(name)).order_by(person.c.id).limit(1)
    found: str | None = connection.execute(wanted).scalar_one_or_none()
    return name if found is None else found


def enter_person(connection: Connection, name: str) -> str:
    """The same, in a transaction that may write: a new name is noted."""
    name = annotator_name(name)
    if not connection.execute(sa.select(sa.exists().where(person.c.key == key_of(name)))).scalar():
        made = insert(connection, person).values(spelling=name, key=key_of(name))
        connection.execute(made.on_conflict_do_nothing())
    return known_person(connection, name)


def by(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """An answer of this person, under whatever spelling it was stored.

    Returns:
        The condition on a column of names.
    """
    return column.in_(sa.select(person.c.spelling).where(person.c.key == key_of(name)))


def people_of(connection: Connection) -> dict[str, str]:
    """The first spelling of each person, by every spelling."""
    first: dict[str, str] = {}
    rows = connection.execute(sa.select(person).order_by(person.c.id)).all()
    return {row.spelling: first.setdefault(row.key, row.spelling) for row in rows}
