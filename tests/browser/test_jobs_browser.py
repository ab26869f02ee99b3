"""A long job meets what happens to servers and tabs: a second browser, a closed tab, kill -9 and a restart."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers import LARGE, ROOT, healthy, measured, no_trouble, profile, push, rest
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.browser
BAR = "Exact leave-one-out:"


class Server:
    """The app on one port and one data folder, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.start()

    def start(self) -> None:
        options = [f"--server.port={self.port}", "--server.address=127.0.0.1", "--server.headless=true"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options, "--server.fileWatcherType=none"],
            cwd=ROOT,
            env=os.environ | {"INFLUENCE_DATA_DIR": str(self.folder)},
            stdout=subprocess.DEVNULL,
        )
        until(lambda: healthy(f"127.0.0.1:{self.port}"), lambda: "the app did not start", 0.2)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

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
    blocks = list((server.folder / "results").glob("*.npz"))
    written = {path: path.stat().st_ino for path in blocks}
    assert blocks
    server.start()
    page.goto(server.link)
    resumed = page.get_by_text("Resumed after the server stopped:")
    resumed.wait_for()
    kept = int(re.search(r"stopped: ([\d,]+) of 2,250 refits were kept", resumed.inner_text())[1].replace(",", ""))
    assert 0 < kept < 2250
    page.get_by_text("slope =").first.wait_for(timeout=600_000)
    rest(page)
    assert sum(len(t) for t in measured(page)[1:3]) == 2250
    assert {path: path.stat().st_ino for path in blocks} == written  # read, not computed again
    assert not list((server.folder / "results" / "wanted").iterdir())
    no_trouble(page)
