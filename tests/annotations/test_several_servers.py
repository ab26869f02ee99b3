"""Two app servers, processes of their own, on one data folder and one PostgreSQL: what one does the other knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from influence_core.annotations import open_store
from tests.annotations.conftest import execute
from tests.waiting import PATIENCE

# A server without its browser: the queue, the stores and the pages' own calls, told by lines what to do.
SERVER = """
import sys, threading, time
import numpy as np
import influence_core.annotations as annotating
from influence_core.analysis import uploads, Task
from influence_core.compute import data_folder, result_store
from influence_core.compute.scheduler import Scheduler
from influence_core.annotations import serving
from tests.annotations.conftest import run, samples

serving.EARLY = 0.0  # nobody looks at these cards
queue, store, data = Scheduler(), annotating.open_store(), samples()
go = threading.Event()

def long(task):
    for k in range(10):
        task.kept(f"piece {k}", lambda: {"x": np.full(3, k)})
        task.tick(k + 1, 10)
        if k == 4:
            go.wait(0 if task.cancel.is_set() else float(sys.argv[1]))
    return "made"

def said(line):
    word, *rest = line.split()
    if word == "upload":
        rows = "\\n".join(f"{i},{i % 7},{chr(120 + i % 2)}" for i in range(60))
        raw = uploads.read_upload("mine.csv", f"a,b,label\\n{rows}".encode())
        found = uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw)))
        return uploads.upload_store().save(found)
    if word == "load":
        return len(uploads.upload_store().load(rest[0]).dataset)
    if word == "queue":
        return annotating.create_queue(store, data, run(data), annotating.Plan("loss"), "Ada").id
    if word == "card":
        return annotating.next_card(store, int(rest[0]), rest[1]).task
    if word == "decide":
        card = annotating.next_card(store, int(rest[0]), rest[1])
        return annotating.decide(store, card, annotating.Answer("keep", None, "", saw_suggestion=True)).card is None
    if word == "count":
        with store.reading() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM decision").scalar()
    if word == "start":
        job = queue.submit("loo:x", long, cost=100.0)
        while job.done < 5 and job.active:
            time.sleep(0.02)
        return job.resumed
    if word == "interrupted":
        return queue.was_interrupted("loo:x")
    if word == "wait":
        job = queue.get("loo:x")
        while job.active:
            time.sleep(0.02)
        return f"{job.state} {job.kept} {job.resumed}"

for line in sys.stdin:
    print(said(line), flush=True)
"""


class AppServer:
    """One server, asked by lines."""

    def __init__(self, folder: Path, url: str, hangs: float) -> None:
        environment = os.environ | {"INFLUENCE_DATA_DIR": str(folder), "INFLUENCE_DB_URL": url}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(hangs)],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: Any) -> str:
        self.tell(*words)
        return self.hear()

    def tell(self, *words: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        late = threading.Timer(PATIENCE, self.process.kill)
        late.start()
        line = self.process.stdout.readline().strip()
        late.cancel()
        assert line, "the server ended"
        return line

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def two(postgres: str, tmp_path: Path) -> Iterator[tuple[AppServer, AppServer]]:
    execute(postgres.format("postgres"), "DROP DATABASE IF EXISTS several", "CREATE DATABASE several")
    url = postgres.format("several")
    open_store(url).close()
    servers = AppServer(tmp_path, url, 10.0 * PATIENCE), AppServer(tmp_path, url, 0.0)
    yield servers
    for server in servers:
        server.kill()


def test_two_servers_share_uploads_decisions_and_the_runs_of_the_one_that_dies(two, tmp_path) -> None:
    one, other = two
    for server in two:
        server.tell("upload")
    (first, second) = (server.hear() for server in two)  # both wrote the same content at the same time
    assert first == second
    assert one("load", first) == other("load", first) == "60"
    assert not [path for path in (tmp_path / "uploads").iterdir() if path.name.startswith(".part")]

    queue = one("queue")
    assert one("card", queue, "Ada") != other("card", queue, "Bo")
    assert one("card", queue, "Ada") == other("card", queue, "Ada")  # the same person may come to either
    for server in (*two, *two):
        server.tell("decide", queue, "Ada" if server is one else "Bo")
    assert [server.hear() for server in (*two, *two)] == ["True"] * 4
    assert one("count") == other("count") == "4"

    assert one("start") == "False"  # finished five pieces of ten, and hangs there
    assert other("interrupted") == "False"  # it lives, and has it in hand
    one.kill()
    assert other("interrupted") == "True"
    assert other("start") == "True"
    assert other("wait") == "done 5 True"  # what the dead one had finished was taken over
    assert other("interrupted") == "False"
    assert not list((tmp_path / "results" / "wanted").iterdir())
