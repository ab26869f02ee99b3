"""The handle of a database: opened with its schema up to date, read and written in named transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from influence_core.annotations.errors import AnnotationError, named
from influence_core.annotations.migrations import upgrade
from influence_core.compute import data_folder
from influence_core.compute.plugins import optional

WAIT = 5.0  # seconds for a lock
TRIES = 50
CLOCK = sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


@dataclass(frozen=True, eq=False)
class Store:
    """An open database.  It is shared by threads; every process opens its own.

    Attributes:
        engine: connections to it.
        clock: seconds since 1970, where the database has no clock of its own.
        turn: of the threads that write to SQLite: one that finds the file locked sleeps, longer each time.
    """

    engine: Engine
    clock: Callable[[], float] = time.time
    turn: Lock = field(default_factory=Lock)

    def now(self, connection: Connection) -> float:
        """Seconds since 1970 by the clock that leases and decisions know: the server's where several may use it."""
        if self.clock is time.time and self.engine.dialect.name == "postgresql":
            return float(connection.execute(CLOCK).scalar_one())
        return self.clock()

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that only reads, and on SQLite waits for nobody.

        Yields:
            The connection.
        """
        with named(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that is stored whole, on disk, before this returns, or not at all.

        Yields:
            The connection.
        """
        with (
            self._turn(),
            named(),
            self.engine.connect().execution_options(immediate=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Threads of this process go one after the other; who waits too long hears of it from the file itself."""
        mine = self.engine.dialect.name == "sqlite" and self.turn.acquire(timeout=WAIT)
        try:
            yield
        finally:
            if mine:
                self.turn.release()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_store(url: str = "", clock: Callable[[], float] = time.time) -> Store:
    """Open a database and bring its schema up to date; several processes may do so at the same time.

    Args:
        url: of SQLite or PostgreSQL; without one ``INFLUENCE_DB_URL``, else a file in the data folder.
        clock: seconds since 1970.
    """
    address = _address(url or os.environ.get("INFLUENCE_DB_URL", ""))
    where = f"“{address.database}”" if address.get_backend_name() == "sqlite" else _server(address)
    with named(where):
        engine = _sqlite(address) if address.get_backend_name() == "sqlite" else _postgres(address)
        upgrade(engine)
    return Store(engine, clock)


def _server(address: URL) -> str:
    """Where a server is, without who asks."""
    host = address.host or next(iter(address.normalized_query.get("host", ("localhost",))))
    return f"“{host}{f':{address.port}' if address.port else ''}/{address.database or ''}”"


def _address(url: str) -> URL:
    if not url:
        return URL.create("sqlite", database=str(data_folder() / "annotations.db"))
    try:
        address = make_url(url)
        kind = address.drivername.partition("+")[0]
    except ArgumentError:
        kind = ""
    if kind not in _DRIVERS:  # never repeated: it may hold a password
        raise AnnotationError(
            "Expected INFLUENCE_DB_URL like postgresql://user:password@host/name or sqlite:////folder/file.db: "
            "correct it, or unset it for a file in the data folder."
        )
    return address.set(drivername=_DRIVERS[kind])


def _postgres(address: URL) -> Engine:
    optional("psycopg", "postgres")
    chosen = address.query.get("options", "")
    before = chosen if isinstance(chosen, str) else " ".join(chosen)
    options = f"{before} -c lock_timeout={WAIT * 1000:.0f} -c synchronous_commit=on"
    arguments = {"options": options, "connect_timeout": int(WAIT)}
    return sa.create_engine(address, pool_pre_ping=True, pool_timeout=WAIT, pool_recycle=1800, connect_args=arguments)


def _sqlite(address: URL) -> Engine:
    if address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    # Transactions are begun here and not by the driver, which would begin them late and commit before DDL.
    arguments: dict[str, Any] = {"timeout": WAIT, "isolation_level": None}
    engine = sa.create_engine(address, pool_timeout=WAIT, connect_args=arguments)
    event.listen(engine, "connect", lambda connection, _: _prepare(connection))
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """A transaction that will write takes the lock at once: one that upgrades later could not wait for it."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare(connection: sqlite3.Connection) -> None:
    cursor = connection.cursor()
    for setting in (f"busy_timeout={WAIT * 1000:.0f}", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        cursor.execute(f"PRAGMA {setting}")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _switch(cursor)
    cursor.close()


def _switch(cursor: sqlite3.Cursor) -> None:
    """To WAL; another process that does the same makes this fail at once, without the busy timeout."""
    for _ in range(TRIES):
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        time.sleep(WAIT / TRIES)
    cursor.execute("PRAGMA journal_mode=WAL")
