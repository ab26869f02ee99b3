"""Four processes that answer as fast as they can and are killed at random: nothing confirmed is lost or doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from influence_core.annotations import Answer, Store, StoreUnavailable, decide, next_card, open_store, serving
from influence_core.annotations.tables import decision, lease, task
from tests.annotations.conftest import queue, serve
from tests.waiting import until

WRITERS, KILLS, STEP = 4, 20, 6
FORK = multiprocessing.get_context("fork")  # they start at once: everything is imported


def _write(store: Store, number: int, name: str, log: Path) -> None:
    """Answer and note what was confirmed, until killed."""
    store.engine.dispose(close=False)  # its connections are the parent's; its compiled statements are of use here
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        try:
            card = next_card(store, number, name)
            if card is None:
                break
            told = decide(store, card, Answer("exclude"))
        except StoreUnavailable as error:
            if error.reason != "locked":
                raise
            continue
        os.write(file, f"{card.task} {told.ids[0]}\n".encode())


def _start(store: Store, number: int, name: str, log: Path) -> multiprocessing.process.BaseProcess:
    writer = FORK.Process(target=_write, args=(store, number, name, log), daemon=True)
    writer.start()
    return writer


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store on the real clock."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/a.db"
    else:
        opened: Store = request.getfixturevalue("on_postgres")
        with opened.writing() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql("TRUNCATE " + ", ".join(decision.metadata.tables) + " RESTART IDENTITY")
        url = opened.engine.url.render_as_string(hide_password=False)
    return open_store(url)


def test_killed_writers_lose_and_double_nothing(shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, number = shared, queue(shared, 4000).id
    monkeypatch.setattr(serving, "EARLY", 0.0)
    decide(
        store, serve(store, number, "nobody"), Answer("exclude")
    )  # what the writers need is compiled before they start
    rng = random.Random(0)
    logs = [tmp_path / f"{k}.log" for k in range(WRITERS)]
    writers = [_start(store, number, f"annotator {k}", log) for k, log in enumerate(logs)]
    try:
        for _ in range(KILLS):
            enough = _confirmed(logs) + STEP
            until(lambda enough=enough: _confirmed(logs) >= enough)  # type: ignore[misc]
            time.sleep(rng.uniform(0.0, 0.02))
            k = rng.randrange(WRITERS)
            assert writers[k].is_alive()
            writers[k].kill()
            writers[k].join()
            writers[k] = _start(store, number, f"annotator {k}", logs[k])
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    confirmed = [tuple(map(int, line.split())) for log in logs for line in log.read_text().splitlines()]
    with store.reading() as connection:
        stored = {row.id: row.task_id for row in connection.execute(sa.select(decision))}
        answers = dict(connection.execute(sa.select(task.c.id, task.c.answers).where(task.c.answers > 0)).all())
        held = connection.execute(sa.select(lease.c.task_id)).scalars().all()
    assert len(confirmed) >= KILLS * STEP
    assert all(stored.get(row) == item for item, row in confirmed)  # nothing lost
    assert max(Counter(stored.values()).values()) == 1  # nothing doubled
    assert answers == dict.fromkeys(stored.values(), 1)  # and what is kept in the tasks agrees
    assert len(stored) - len(confirmed) <= 1 + KILLS + WRITERS  # stored, and killed before it was told
    assert not set(held) & set(answers)


def _confirmed(logs: list[Path]) -> int:
    return sum(log.read_bytes().count(b"\n") for log in logs if log.exists())
