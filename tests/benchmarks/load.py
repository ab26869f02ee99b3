"""Many sessions click once a second while two of them run exact LOO: how long a click takes, and what a session costs.

    python tests/benchmarks/load.py [--sessions 20] [--seconds 30]

Starts the real app on loopback and speaks Streamlit's protocol over websockets, as many browsers would: every session
opens Explore, moves the number box "Test point" once a second, and keeps the polls that the page asks for.  A click
lasts from the message that leaves to the end of the rerun that it caused.  Every answer must name the session's own
test point.  Memory: growth of the server (with one session per problem open) over all of them, after clicks and jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from influence_core.data import load  # noqa: E402
from influence_core.settings import from_query  # noqa: E402

CLICKING = {"v": "1"}
REFITTING = {
    "v": "1",
    "data.digits": "0,1,2,3,4",
    "data.size": "2500",
    "model.name": "softmax",
    "model.l2": "0.1",
}
TARGET_MS, TARGET_MB = 300.0, 20.0
VERDICT = re.compile(r"^\*\*([^*]+)\*\* · (?:labelled|true)")


@dataclass
class Session:
    """One browser: what it shows, and the polls that the page asked for."""

    address: str
    query: dict[str, str]
    test: int = 0
    verdict: str = ""
    page: str = ""
    measured: bool = False  # refits are shown
    widgets: dict[str, tuple[str, str]] = field(default_factory=dict)  # label to widget and fragment
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    polls: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    socket: Any = None
    names: Any = None

    async def open(self) -> None:
        """Open Explore by its link and wait for the whole page."""
        settings, _ = from_query(self.query)
        self.names = load(settings.data, settings.seed).test.ids
        self.socket = await websockets.connect(  # type: ignore
            self.address, subprotocols=["streamlit"], max_size=None, ping_timeout=None
        )
        self.reader = asyncio.create_task(self._read())
        await self._rerun({}, "")
        await asyncio.wait_for(self._shown(), 300)

    async def click(self, test: int) -> float:
        """Move to a test point.

        Returns:
            Seconds until the server has ended the rerun.
        """
        self.test = test
        self.finished.clear()
        widget, fragment = self.widgets["Test point"]
        start = time.perf_counter()
        await self._rerun({"id": widget, "double_value": float(test)}, fragment)
        while True:  # the end of a poll that was under way is not the answer; an answer that stays wrong is counted
            await asyncio.wait_for(self._shown(), 120)
            if self.verdict == self.names[test] or time.perf_counter() - start > 5:
                return time.perf_counter() - start
            self.finished.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._shown(), 5)

    async def press(self, label: str) -> None:
        """Press a button."""
        widget, fragment = self.widgets[label]
        await self._rerun({"id": widget, "trigger_value": True}, fragment)

    async def close(self) -> None:
        """Leave."""
        self._stop_polls(set(self.polls))
        self.reader.cancel()
        await self.socket.close()

    def _stop_polls(self, fragments: set[str]) -> None:
        for fragment in fragments:
            self.polls.pop(fragment).cancel()

    async def _shown(self) -> None:
        finished = asyncio.create_task(self.finished.wait())
        await asyncio.wait({finished, self.reader}, return_when=asyncio.FIRST_COMPLETED)
        if self.reader.done():
            self.reader.result()

    async def _rerun(self, widget: dict[str, Any], fragment: str, poll: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self.query)
        state.page_name, state.page_script_hash = "Explore", self.page
        state.fragment_id, state.is_auto_rerun = fragment, poll
        if widget:
            state.widget_states.widgets.add(**widget)
        await self.socket.send(message.SerializeToString())

    async def _read(self) -> None:
        answered = False
        async for raw in self.socket:
            message = ForwardMsg.FromString(raw)
            kind = message.WhichOneof("type")
            self._heed(message)
            if kind == "navigation":
                self.page = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = dict(parse_qsl(message.page_info_changed.query_string))
            elif kind == "delta":
                answered |= self._take(message.delta)
            elif kind == "script_finished" and answered:
                answered = False
                self.finished.set()

    def _heed(self, message: Any) -> None:
        """Begin and end polls as browsers do: all end where the whole page begins to run."""
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._stop_polls(set(self.polls))
        elif kind == "stop_auto_rerun":
            self._stop_polls(set(self.polls) & set(message.stop_auto_rerun.fragment_ids))
        elif kind == "auto_rerun" and message.auto_rerun.fragment_id not in self.polls:
            self._poll(message.auto_rerun.fragment_id, message.auto_rerun.interval)

    def _take(self, delta: Any) -> bool:
        """Remember widgets by their label; whether this is the line that names the test point."""
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind in {"number_input", "button"}:
            proto = getattr(element, kind)
            self.widgets[proto.label] = (proto.id, delta.fragment_id)
        body = element.markdown.body if kind == "markdown" else ""
        self.measured |= "slope =" in body
        found = VERDICT.match(body)
        if found:
            self.verdict = found[1].replace("\\", "")
        return found is not None

    def _poll(self, fragment: str, interval: float) -> None:
        async def poll() -> None:
            while True:
                await asyncio.sleep(interval)
                await self._rerun({}, fragment, poll=True)

        self.polls[fragment] = asyncio.create_task(poll())


@dataclass
class Measured:
    """Seconds of every click, of those in the sessions that run a job, and answers for another test point."""

    seconds: list[float] = field(default_factory=list)
    own_jobs: list[float] = field(default_factory=list)
    crossed: int = 0


async def clicking(session: Session, found: Measured, jobs: list[Session], until: float) -> None:
    """One click a second, each on another test point, at its own moment within the second."""
    random = np.random.default_rng(id(session) % 2**32)
    await asyncio.sleep(random.uniform(0, 1))
    while time.monotonic() < until:
        start = time.monotonic()
        test = int((session.test + random.integers(1, len(session.names))) % len(session.names))
        took = await session.click(test)
        found.seconds.append(took)
        if session in jobs:
            found.own_jobs.append(took)
        found.crossed += session.verdict != session.names[test]
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - start)))


async def everything(address: str, process: int, options: argparse.Namespace) -> tuple[Measured, float]:
    """Open, warm up, click beside the jobs, and close.

    Returns:
        The clicks, and megabytes per session.
    """
    jobs = [Session(address, REFITTING | {"seed": str(k)}) for k in range(options.jobs)]
    sessions = [*jobs, *(Session(address, dict(CLICKING)) for _ in range(options.sessions - len(jobs)))]
    warm = [Session(address, dict(session.query)) for session in sessions[: len(jobs) + 1]]
    for session in warm:
        await session.open()
        await session.click(1)
        print(f"warm: {session.query}", file=sys.stderr)
    before = resident(process)
    for session in sessions:
        await session.open()
    print(f"{len(sessions)} sessions are open", file=sys.stderr)
    found, until = Measured(), time.monotonic() + options.seconds
    for session in jobs:
        await session.press("Run exact leave-one-out")
    await asyncio.gather(*(clicking(session, found, jobs, until) for session in sessions))
    print(f"{len(found.seconds)} clicks; waiting for the jobs to end", file=sys.stderr)
    while not all(job.measured for job in jobs):
        await asyncio.sleep(0.5)
    after = resident(process)
    for session in (*warm, *sessions):
        await session.close()
    return found, (after - before) / len(sessions)


def resident(process: int) -> float:
    """Megabytes of a process in memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


@contextmanager
def server(folder: str, *more: str) -> Generator[tuple[str, int]]:
    """The app on a free port of loopback, with an empty data folder.

    Yields:
        The address of its websocket, and its process.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options, "--server.fileWatcherType=none", *more]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"INFLUENCE_DATA_DIR": folder}, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                break
            time.sleep(0.2)
        yield f"ws://127.0.0.1:{port}/_stcore/stream", process.pid
    finally:
        process.terminate()
        process.wait(20)


def main() -> int:
    """Measure and print a table.

    Returns:
        1 where a target is missed or a session saw another's test point.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--jobs", type=int, default=2, help="sessions that run exact LOO; 0 shows what the clicks cost alone"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, server(folder) as (address, process):
        found, memory = asyncio.run(everything(address, process, arguments))
    print(
        "| sessions | jobs | clicks | p50, ms | p95, ms | p50 beside an own job, ms | wrong test point | MB a session |"
    )
    print("|---|---|---|---|---|---|---|---|")
    middle, high = 1e3 * np.quantile(found.seconds, [0.5, 0.95])
    own = 1e3 * float(np.median(found.own_jobs or [np.nan]))
    print(
        f"| {arguments.sessions} | {arguments.jobs} | {len(found.seconds)} | {middle:.0f} | {high:.0f} | {own:.0f} "
        f"| {found.crossed} | {memory:.1f} |"
    )
    return int(high > TARGET_MS or memory > TARGET_MB or found.crossed > 0)


if __name__ == "__main__":
    sys.exit(main())
