"""What can go wrong between an annotator and the database, in sentences that say what happened and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

Trouble = Literal["full", "locked", "lost", "folder", "read-only", "damaged", "password", "absent", "other"]
Refusal = Literal["early", "stale", "expired", "held"]

_KEPT = "Your card and your answer are kept: press the key again"
_SENTENCES: dict[Trouble, str] = {
    "full": f"The disk of the database is full, so nothing was stored. Free some space. {_KEPT} after that.",
    "locked": f"Another program held the database for longer than 5 seconds, so nothing was stored. {_KEPT}.",
    "lost": f"The connection to the database was lost before it confirmed. {_KEPT}; nothing is stored twice.",
    "read-only": f"The database may only be read, so nothing was stored. Allow writing to its folder. {_KEPT} then.",
    "damaged": "The database file is damaged or no database. Restore it from a backup, or name another one.",
    "folder": f"The server may not open the database any more, so nothing was stored. {_KEPT} when it may again.",
    "password": f"The database refused the name or password, so nothing was stored. {_KEPT} when that is corrected.",
    "absent": f"The database is gone, so nothing was stored. {_KEPT} when it is back.",
    "other": f"The database refused the request, so nothing was stored. {_KEPT}; the server's log has the details.",
}
# Before there is any card: {where} is the file, or the server without its password.
_OPENING: dict[Trouble, str] = {
    "full": "The disk of {where} is full, so the annotations cannot be opened: free some space, then try again.",
    "locked": "Another program holds {where} for longer than 5 seconds: close it, then try again.",
    "lost": "The database server {where} did not answer: start it, or correct INFLUENCE_DB_URL.",
    "folder": "The server may not make or open {where}: give it the right to write into that folder, or name another "
    "one with INFLUENCE_DATA_DIR or INFLUENCE_DB_URL.",
    "read-only": "{where} may be read but not written: give the server the right to write, or name another database "
    "with INFLUENCE_DB_URL.",
    "damaged": "{where} is damaged, or no database at all: restore it from a backup, or name another one.",
    "password": "The database server {where} does not know this name or password: correct INFLUENCE_DB_URL.",
    "absent": "The database server {where} has no such database: make it, or correct INFLUENCE_DB_URL.",
    "other": "{where} cannot be opened: the server's log has the details.",
}
_REFUSALS: dict[Refusal, str] = {
    "early": "That key came less than 250 ms after the card appeared and was taken for a slip: look, then press again.",
    "stale": "That answer belongs to a card that is no longer yours, so it was not stored: answer the card shown now.",
    "expired": "You held this card for too long and it was given back, so nothing was stored: it is served again.",
    "held": "Somebody else is working on that item now, so it was not opened: it comes back when they are done.",
}
_SQLITE: dict[int, Trouble] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_IOERR: "lost",
    sqlite3.SQLITE_CANTOPEN: "folder",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES: dict[str, Trouble] = {
    "53100": "full",
    "55P03": "locked",
    "40P01": "locked",
    "40001": "locked",
    "57014": "locked",
    "25006": "read-only",
    "57P01": "lost",
    "57P02": "lost",
    "57P03": "lost",
    "53300": "lost",
    "XX001": "damaged",
    "XX002": "damaged",
    "28P01": "password",
    "28000": "password",
    "3D000": "absent",
}


class AnnotationError(ValueError):
    """Input that cannot be used; the message says what was expected, what came and what to do."""


class Refused(Exception):  # noqa: N818 - nothing broke: the store protects what is already there
    """An answer that was not stored on purpose.

    Attributes:
        reason: ``early`` (250 ms), ``stale`` (another lease), ``expired`` or ``held`` (by somebody else).
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(_REFUSALS[reason])
        self.reason = reason


class StoreUnavailable(Exception):  # noqa: N818 - the name says what is wrong
    """The database could not do it now; repeating the same call later is safe.

    Attributes:
        reason: one of ``Trouble``.
    """

    def __init__(self, reason: Trouble, opening: str = "") -> None:
        super().__init__(_OPENING[reason].format(where=opening) if opening else _SENTENCES[reason])
        self.reason = reason


@contextmanager
def named(opening: str = "") -> Generator[None]:
    """Give errors of the database their names; errors in our own statements stay what they are.

    Args:
        opening: which database is being opened, so that there is no card yet whose answer could be kept.

    Raises:
        StoreUnavailable: the disk is full, the database locked, lost, read-only or damaged.
        DBAPIError: a mistake of ours.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("locked", opening) from error
    except DisconnectionError as error:
        raise StoreUnavailable("lost", opening) from error
    except DBAPIError as error:
        reason = trouble(error)
        if reason is not None:
            raise StoreUnavailable(reason, opening) from error
        raise
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise StoreUnavailable("folder", opening) from error


def trouble(error: DBAPIError) -> Trouble | None:
    """Which of the known troubles an error of the driver is.

    Returns:
        None for a mistake in a statement, such as a broken constraint.
    """
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _SQLITE.get(code & 0xFF, "other" if type(error.orig) is sqlite3.OperationalError else None)
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return "lost" if state.startswith("08") else _POSTGRES.get(state)
    words = str(error.orig)  # a connection that was never made has no state
    if any(said in words for said in ("authentication failed", "no password supplied", "no pg_hba.conf entry")):
        return "password"
    if "does not exist" in words and "FATAL" in words:
        return "absent"
    operational = type(error.orig).__name__ in {"OperationalError", "InterfaceError", "PoolTimeout"}
    return "lost" if error.connection_invalidated or operational else None
