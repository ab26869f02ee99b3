from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from influence_core.annotations import AnnotationError, Answer, Store, StoreUnavailable, decide, open_store, queues
from influence_core.annotations.tables import APPEND_ONLY, decision, event, guideline, metadata
from tests.annotations.conftest import Clock, execute, queue, samples, serve
from tests.waiting import PATIENCE


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_decisions_events_and_guidelines_are_append_only(store: Store) -> None:
    made = queue(store)
    decide(store, serve(store, made.id), Answer("keep"))
    with store.writing() as connection:
        row = {"dataset_id": made.dataset, "version": 1, "text": "", "created_at": 0.0, "created_by": "lead"}
        connection.execute(sa.insert(guideline).values(row))
    for table in (decision, event, guideline):
        assert table.name in APPEND_ONLY
        for statement in (sa.delete(table), sa.update(table).values(id=table.c.id + 1000)):
            with pytest.raises(sa.exc.IntegrityError, match="append-only"), store.writing() as connection:
                connection.execute(statement)
        with store.reading() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 1


def test_replacing_and_truncating_decisions_are_refused_too(store: Store) -> None:
    decide(store, serve(store, queue(store).id), Answer("keep"))
    verb = (
        "TRUNCATE decision CASCADE"
        if store.engine.dialect.name == "postgresql"
        else ("REPLACE INTO decision SELECT * FROM decision")
    )
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), store.writing() as connection:
        connection.exec_driver_sql(verb)


def test_threads_that_write_to_sqlite_wait_for_each_other_and_not_for_the_file(tmp_path: Path) -> None:
    store, begun = open_store(f"sqlite:///{tmp_path}/a.db"), list[int]()
    sa.event.listen(store.engine, "begin", lambda _connection: begun.append(threading.get_ident()))

    def write() -> None:
        with store.writing():
            pass

    other = threading.Thread(target=write)
    with store.writing():
        other.start()
        other.join(0.3)
        assert begun == [threading.get_ident()] and other.is_alive()
        with store.reading():  # waits for nobody
            pass
    other.join(PATIENCE)
    assert begun[-1] == other.ident and not other.is_alive()
    with pytest.raises(ZeroDivisionError), store.writing():
        raise ZeroDivisionError
    write()  # whoever fails lets the next one go


def test_sqlite_writes_through_to_the_disk(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db")
    with store.reading() as connection:
        read = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")}  # fmt: skip
    assert read == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}


def test_postgres_confirms_after_the_disk_does(store: Store) -> None:
    if store.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has its own test")
    with store.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"


def _open(url: str) -> int:
    store = open_store(url)
    with store.reading() as connection:
        return len(sa.inspect(connection).get_table_names())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_open_a_fresh_database_at_the_same_time(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/new/annotations.db"
    else:
        server: str = request.getfixturevalue("postgres")
        execute(server.format("postgres"), "CREATE DATABASE fresh")
        url = server.format("fresh")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_open, [url] * 4) == [len(metadata.tables) + 1] * 4


def test_the_file_lies_in_the_data_folder_without_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    open_store().close()
    assert (tmp_path / "annotations.db").exists()


def test_the_url_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUENCE_DB_URL", f"sqlite:///{tmp_path}/other.db")
    open_store().close()
    assert (tmp_path / "other.db").exists()


@pytest.mark.parametrize("address", ["mysql://root:secret@host/x", "not a url secret", "http://secret"])
def test_another_database_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(AnnotationError, match="INFLUENCE_DB_URL") as caught:
        open_store(address)
    assert "secret" not in str(caught.value)


def test_a_locked_database_has_a_name_and_keeps_the_card(tmp_path: Path, clock: Clock) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db", clock)
    number = queue(store).id
    card = serve(store, number)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")  # the pool keeps this one connection
    with pytest.raises(StoreUnavailable, match="press the key again") as caught:
        decide(store, card, Answer("keep"))
    assert caught.value.reason == "locked"
    other.execute("ROLLBACK")
    assert decide(store, card, Answer("keep")).positions == (card.position,)


def test_a_full_disk_has_a_name_and_keeps_the_card(tmp_path: Path, clock: Clock) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db", clock)
    number = queue(store).id
    card = serve(store, number)
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreUnavailable, match="disk of the database is full") as caught:
        decide(store, card, Answer("keep", note="x" * 4000))
        decide(store, serve(store, number), Answer("keep", note="x" * 4000))
    assert caught.value.reason == "full"
    held = serve(store, number)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    assert decide(store, held, Answer("keep", note="x" * 4000)).positions == (held.position,)


def test_a_lost_connection_has_a_name_and_the_next_try_works(store: Store) -> None:
    if store.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no connection")
    number = queue(store).id
    card = serve(store, number)
    with pytest.raises(StoreUnavailable) as caught, store.writing() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert caught.value.reason == "lost"
    assert decide(store, card, Answer("keep")).positions == (card.position,)


def test_a_server_that_is_not_there_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store(f"postgresql://nobody@/none?host={tmp_path}")
    assert caught.value.reason == "lost"


def test_a_file_that_is_no_database_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable) as caught:
        open_store(f"sqlite:///{tmp_path}/a.db")
    assert caught.value.reason == "damaged"


def test_another_data_set_has_no_queue(store: Store) -> None:
    queue(store)
    assert queues(store, "somebody else's") == ()
    assert len(queues(store, samples().fingerprint)) == 1
