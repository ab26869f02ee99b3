"""The same tests on SQLite and on a private PostgreSQL server, and small made-up scores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from influence_core.annotations import Card, Plan, Queue, Run, Samples, Store, create_queue, next_card, open_store
from influence_core.annotations.tables import metadata

WANTED = bool(os.environ.get("INFLUENCE_TEST_POSTGRES"))


@dataclass
class Clock:
    """A clock that tests turn; it starts where no card is too young."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float = 1.0) -> None:
        self.now += seconds


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _as_user() -> dict[str, str]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres"} if os.name == "posix" and os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a private server in a temporary folder, without its database, and the server's end afterwards."""
    binaries = _binaries()
    if binaries is None:
        assert not WANTED, "INFLUENCE_TEST_POSTGRES is set, but PostgreSQL is not installed: apt-get install postgresql"
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has at most 107 characters
    try:
        if _as_user():
            shutil.chown(folder, "postgres")
        data = folder / "data"

        def call(*command: str) -> None:
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **_as_user())

        call(f"{binaries}/initdb", "-D", str(data), "-A", "trust", "-U", "tester", "--no-sync", "--encoding=UTF8")
        options = f"-c listen_addresses= -c fsync=off -c max_connections=60 -k {folder}"
        call(
            f"{binaries}/pg_ctl", "-D", str(data), "-w", "-t", "180", "-l", str(folder / "log"), "-o", options, "start"
        )
        try:
            yield f"postgresql://tester@/{{}}?host={folder}"
        finally:
            call(f"{binaries}/pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in a file that every test replaces; one engine compiles every statement once."""
    folder = tmp_path_factory.mktemp("sqlite")
    opened = open_store(f"sqlite:///{folder}/annotations.db")
    with opened.reading() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    shutil.copy(folder / "annotations.db", folder / "empty.db")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def on_postgres(postgres: str) -> Iterator[Store]:
    """A store in a database of the private server."""
    execute(postgres.format("postgres"), "CREATE DATABASE prepared")
    opened = open_store(postgres.format("prepared"))
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Store]:
    """An empty store."""
    if request.param == "sqlite":
        opened: Store = request.getfixturevalue("on_sqlite")
        file = Path(opened.engine.url.database or "")
        for tail in ("-wal", "-shm"):
            file.with_name(file.name + tail).unlink(missing_ok=True)
        shutil.copy(file.with_name("empty.db"), file)
    else:
        opened = request.getfixturevalue("on_postgres")
        with opened.writing() as connection:  # without the triggers
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
    yield replace(opened, clock=clock)
    opened.close()


@pytest.fixture
def url(store: Store) -> str:
    """Where other processes find the store."""
    return store.engine.url.render_as_string(hide_password=False)


def execute(address: str, *statements: str) -> None:
    """Statements of the superuser, each at once."""
    engine = sa.create_engine(address.replace("postgresql", "postgresql+psycopg", 1))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def samples(n: int = 40, c: int = 3) -> Samples:
    labels = np.arange(n) % c
    names = tuple("abcdefghij"[:c])
    return Samples("made up", f"print-{n}-{c}", np.array([f"row-{i:04d}" for i in range(n)]), labels, names)


def run(data: Samples, seed: int = 0) -> Run:
    """Scores without a tie; row 0 is the most suspicious."""
    n, c = len(data.ids), len(data.class_names)
    rng = np.random.default_rng(seed)
    suspicion = np.linspace(1.0, 0.1, n)
    other = (data.labels + 1) % c
    signals = {"self_influence": suspicion, "loss": rng.random(n), "validation_influence": rng.normal(size=n)}
    return Run(
        "softmax", {"data.name": "made up"}, seed, "fit converged", signals, other, other, 1 - suspicion, suspicion
    )


def queue(store: Store, n: int = 40, data: Samples | None = None, **plan: object) -> Queue:
    data = data or samples(n)
    return create_queue(store, data, run(data), replace(Plan(), **plan), "lead")  # type: ignore[arg-type]


def serve(store: Store, number: int, annotator: str = "ann", review: bool = False) -> Card:
    """The next card, looked at for a second where the clock is ours."""
    card = next_card(store, number, annotator, review=review)
    assert card is not None
    if isinstance(store.clock, Clock):
        store.clock.wait()
    return card
