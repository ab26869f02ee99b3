"""A long job meets what happens to servers, tabs and processes: a closed tab, Cancel, kill -9 and a restart."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers import LARGE, ROOT, healthy, measured, no_trouble, profile, push, rest
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.browser
BAR = "Exact leave-one-out:"


class Server:
    """The app on one port and one data folder, to be killed and started again."""

    def __init__(self, folder: Path, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.env = folder, env | {"INFLUENCE_DATA_DIR": str(folder)}
        self.start()

    def start(self) -> None:
        options = [f"--server.port={self.port}", "--server.address=127.0.0.1", "--server.headless=true"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options, "--server.fileWatcherType=none"],
            cwd=ROOT,
            env=os.environ | self.env,
            stdout=subprocess.DEVNULL,
        )
        until(lambda: healthy(f"127.0.0.1:{self.port}"), lambda: "the app did not start", 0.2)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    @property
    def workers(self) -> dict[int, int]:
        """Its worker processes, and the ticks of processor time that each has used."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parts = (folder / "stat").read_text().rpartition(")")[2].split()
                mine = int(parts[1]) == self.process.pid and parts[0] != "Z"
                if mine and b"influence-worker" in (folder / "cmdline").read_bytes():
                    found[int(folder.name)] = int(parts[11]) + int(parts[12])
        return found

    @property
    def blocks(self) -> dict[Path, int]:
        """Finished blocks of refits; another number is another file."""
        return {path: path.stat().st_ino for path in (self.folder / "results").glob("*.npz")}

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/Explore?{LARGE}"


@pytest.fixture
def server(tmp_path: Path) -> Any:
    running = Server(tmp_path)
    yield running
    running.kill()


def test_a_job_outlives_its_tab_and_its_server(page: Any, browser: Any, server: Server) -> None:
    first = profile(browser).new_page()
    first.goto(server.link)
    push(first, first.get_by_role("button", name="Run exact leave-one-out"))
    first.get_by_text(BAR).wait_for()

    second = profile(browser).new_page()  # another browser, the same link: the same run
    second.goto(server.link)
    second.get_by_text(BAR).wait_for()
    first.context.close()
    second.get_by_text(re.compile(r"of 2,250 refits · .* per second · .* left")).wait_for()

    server.kill()
    second.context.close()
    written = server.blocks
    assert written
    server.start()
    page.goto(server.link)
    resumed = page.get_by_text("Resumed after the server stopped:")
    resumed.wait_for()
    kept = int(re.search(r"stopped: ([\d,]+) of 2,250 refits were kept", resumed.inner_text())[1].replace(",", ""))
    assert 0 < kept < 2250
    page.get_by_text("slope =").first.wait_for(timeout=600_000)
    rest(page)
    assert sum(len(t) for t in measured(page)[1:3]) == 2250
    assert written.items() <= server.blocks.items()  # read, not computed again
    assert not list((server.folder / "results" / "wanted").iterdir())
    no_trouble(page)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """A server whose long jobs run in worker processes, as they do unless somebody says otherwise."""
    running = Server(tmp_path, INFLUENCE_SCHEDULER="")
    yield running
    running.kill()


def killed(server: Server, worker: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in server.workers)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes of a server in /proc")
def test_a_job_in_worker_processes_is_cancelled_and_loses_one_block_with_one_of_them(
    page: Any, elsewhere: Server, record_property: Any
) -> None:
    server = elsewhere
    page.goto(server.link)
    push(page, page.get_by_role("button", name="Run exact leave-one-out"))
    page.get_by_text(re.compile(rf"{BAR} [1-9][\d,]* of 2,250 refits · .* per second · .* left")).wait_for()
    assert server.workers

    begun = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. Finished blocks are kept").wait_for()
    record_property("Cancel of a job in worker processes, seconds to its sentence", round(time.monotonic() - begun, 2))
    used = dict[int, int]()

    def at_rest() -> bool:
        before = used.copy()
        used.clear()
        used.update(server.workers)
        return before == used

    until(at_rest, lambda: used, 0.5)  # nobody computes any more
    kept = server.blocks

    push(page, page.get_by_role("button", name="Run exact leave-one-out"))
    until(lambda: len(server.blocks) > len(kept) and server.workers, lambda: server.blocks, 0.02)
    finished = server.blocks
    victim = max(server.workers.items(), key=lambda worker: worker[1])[0]
    killed(server, victim)
    page.get_by_text("slope =").first.wait_for(timeout=600_000)
    rest(page)
    assert sum(len(t) for t in measured(page)[1:3]) == 2250
    assert kept.items() <= finished.items() <= server.blocks.items()  # none of them was computed again
    assert server.workers and victim not in server.workers
    no_trouble(page)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes of a server in /proc")
def test_worker_processes_that_are_always_killed_are_one_sentence_and_another_try(page: Any, elsewhere: Server) -> None:
    page.goto(elsewhere.link)
    push(page, page.get_by_role("button", name="Run exact leave-one-out"))
    sentence = page.get_by_text(re.compile(r"Exact leave-one-out stopped: Expected an answer from another process"))

    def said() -> bool:
        for worker in elsewhere.workers:
            killed(elsewhere, worker)
        return bool(sentence.count())

    until(said, lambda: page.get_by_text(BAR).all_inner_texts(), 0.2)
    assert "it ended twice without one (signal 9)" in sentence.inner_text()
    no_trouble(page)
    push(page, page.get_by_role("button", name="Try again"))
    page.get_by_text(re.compile(rf"{BAR} [1-9][\d,]* of 2,250 refits")).wait_for()
