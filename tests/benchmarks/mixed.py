"""Everybody at once on one server: exploring, training, reviewing, uploading, comparing; and what stays in memory.

    python tests/benchmarks/mixed.py [--seconds 60]

Ten sessions click once a second on Explore, one of them trains a convolutional network meanwhile; five answer a card a
second; three upload a file of 50 MB, use it and look at a point of it; two compare solvers at one test point after the
other.  All speak Streamlit's protocol to the real app on loopback, as load.py does.  An answer that takes longer than
a minute is none.  At the end everybody leaves, and the memory of the server and of its processes is compared with that
after one visitor of every kind.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import websockets
from load import CLICKING, ROOT, Session, resident, server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from influence_core.settings import DataSettings, ModelSettings, Settings, to_query

TARGET_MS, KEPT = 500.0, 1.2
PATIENCE = 60.0  # seconds after which nobody waits
TRAINING = Settings(
    DataSettings("mnist", (("digits", "0,1,2,3,4,5,6,7,8,9"), ("size", 5000))),
    ModelSettings("cnn", 1e-3, options=(("epochs", 20),)),
)
REVIEWED = Settings(
    DataSettings("mnist", (("digits", "3,5,8"), ("size", 1000)), True, 0.15, 0.2, 0.1),
    ModelSettings("softmax", 1.0),
)
TTL = 5  # seconds for which the server keeps a session whose websocket is gone; 120 without this


def query(settings: Settings, **more: str) -> dict[str, str]:
    return {name: str(value) for name, value in to_query(settings).items()} | more


@dataclass
class Visitor(Session):
    """A browser on any page: knows the widgets on screen by their labels, and what the page has said.

    Attributes:
        name: of the page.
        who: name in the cookie of annotators.
        said: texts since the last action.
    """

    name: str = "Explore"
    who: str = ""
    said: list[str] = field(default_factory=list)
    session: str = ""
    runs: int = 0  # of the whole page that have ended
    offered: Any = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        headers = {"Cookie": f"influence_annotator={self.who}"} if self.who else {}
        self.socket = await websockets.connect(  # type: ignore
            self.address, subprotocols=["streamlit"], max_size=None, additional_headers=headers, ping_timeout=None
        )
        self.reader = asyncio.create_task(self._read())
        self._stopped()
        await self._rerun({}, "")

    def _stopped(self) -> None:
        self.said.clear()
        self.ended.clear()

    async def until(self, ready: Callable[[], bool], patience: float = PATIENCE) -> float | None:
        """Wait for something on the page.

        Returns:
            Seconds that it took; None where nobody waits that long.
        """
        start = time.perf_counter()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not ready():
                    await asyncio.wait(
                        {ended := asyncio.create_task(self.ended.wait()), self.reader}, return_when="FIRST_COMPLETED"
                    )
                    ended.cancel()
                    self.ended.clear()
                    if self.reader.done():
                        self.reader.result()
                return time.perf_counter() - start
        return None

    async def act(
        self, label: str, value: dict[str, Any], ready: Callable[[], bool], patience: float = PATIENCE
    ) -> float | None:
        """Use the widget whose label begins so, and wait for the answer."""
        widget, fragment = self.widgets[self.label(label)]
        self._stopped()
        await self._rerun({"id": widget, **value}, fragment)
        return await self.until(ready, patience)

    async def there(self, label: str) -> None:
        """Wait for a widget whose label begins so.

        Raises:
            TimeoutError: the page never shows it.
        """
        if await self.until(lambda: self.label(label) != "", 300) is None:
            raise TimeoutError(f"{self.name}: no {label!r} among {[*self.widgets]}; it says {self.said[-3:]}")

    def label(self, start: str) -> str:
        return next((label for label in self.widgets if label.startswith(start)), "")

    async def upload(self, name: str, content: bytes) -> None:
        """Hand a file to the only uploader of the page."""
        message = BackMsg()
        message.file_urls_request.request_id = "1"
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session
        self.offered = None
        await self.socket.send(message.SerializeToString())
        await self.until(lambda: self.offered is not None)
        there = self.address.replace("ws://", "http://").replace("/_stcore/stream", "") + self.offered.upload_url
        await asyncio.to_thread(_put, there, name, content)
        widget, fragment = self.widgets[self.label("A table")]
        self._stopped()
        state = {"name": name, "size": len(content), "file_id": self.offered.file_id, "file_urls": self.offered}
        await self._rerun({"id": widget, "file_uploader_state_value": {"uploaded_file_info": [state]}}, fragment)

    async def _rerun(self, widget: dict[str, Any], fragment: str, poll: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self.query)
        state.page_name, state.page_script_hash = self.name, self.page
        state.fragment_id, state.is_auto_rerun = fragment, poll
        if widget:
            state.widget_states.widgets.add(**widget)
        await self.socket.send(message.SerializeToString())

    async def _read(self) -> None:
        async for raw in self.socket:
            message = ForwardMsg.FromString(raw)
            kind = message.WhichOneof("type")
            self._heed(message)
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id
                if not message.metadata.run.fragment_ids:
                    self.widgets.clear()
            elif kind == "navigation":
                self.page = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = dict(parse_qsl(message.page_info_changed.query_string))
            elif kind == "delta":
                self._take(message.delta)
            elif kind == "file_urls_response":
                self.offered = message.file_urls_response.file_urls[0]
                self.ended.set()
            elif kind == "script_finished":
                self.runs += message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
                self.ended.set()

    def _take(self, delta: Any) -> bool:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind in {"number_input", "button", "text_input", "file_uploader"}:
            proto = getattr(element, kind)
            self.widgets[proto.label] = (proto.id, delta.fragment_id)
        if kind in {"markdown", "alert"}:
            self.said.append(getattr(element, kind).body)
        return False

    def has(self, text: str) -> bool:
        return any(text in said for said in self.said)


def _put(address: str, name: str, content: bytes) -> None:
    """As a browser sends a form with one file."""
    edge = "one-file-of-50-MB"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    body = (head + "Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    urllib.request.urlopen(urllib.request.Request(address, body, kind, method="PUT"), timeout=600).read()


@dataclass
class Waits:
    """Seconds of every answer by what was asked; None where nobody waited for it."""

    all: dict[str, list[float | None]] = field(default_factory=dict)
    ended: list[tuple[float, str, float]] = field(default_factory=list)  # when, what, after how many seconds
    cores: tuple[float, float] = (0.0, 0.0)  # kept busy while everybody clicks: by this script, by the server itself

    def add(self, kind: str, took: float | None) -> None:
        self.all.setdefault(kind, []).append(took)
        self.ended.append((time.monotonic(), kind, PATIENCE if took is None else took))
        if took is None or took > 2:
            print(f"{kind}: {'no answer' if took is None else f'{took:.2f} s'}", file=sys.stderr, flush=True)

    @property
    def unanswered(self) -> int:
        return sum(took is None for some in self.all.values() for took in some)

    def course(self, seconds: float = 5.0) -> str:
        """Median and longest wait of clicks and decisions in one stretch of seconds after the other."""
        first, lines = min(end - took for end, _, took in self.ended), list[str]()
        for wanted in ("click", "decision"):
            parts = dict[int, list[float]]()
            for end, kind, took in self.ended:
                if kind == wanted:
                    parts.setdefault(int((end - took - first) // seconds), []).append(1e3 * took)
            said = (f"{seconds * k:.0f} s {np.median(some):.0f}/{max(some):.0f}" for k, some in sorted(parts.items()))
            lines.append(f"{wanted}: {', '.join(said)}")
        return "\n".join(lines)

    def table(self) -> str:
        """How long every kind took."""
        lines = ["| what | how often | p50, ms | p95, ms | longest, ms | no answer |", "|---|---|---|---|---|---|"]
        for kind, some in self.all.items():
            found = " | ".join(f"{self.quantile(kind, q):.0f}" for q in (0.5, 0.95, 1.0))
            lines.append(f"| {kind} | {len(some)} | {found} | {sum(took is None for took in some)} |")
        return "\n".join(lines)

    def quantile(self, kind: str, q: float) -> float:
        return 1e3 * float(np.quantile([PATIENCE if took is None else took for took in self.all[kind]], q))


async def exploring(seen: Session, waits: Waits, until: float) -> None:
    random = np.random.default_rng(id(seen) % 2**32)
    await asyncio.sleep(random.uniform(0, 1))
    while time.monotonic() < until:
        start = time.monotonic()
        test = int((seen.test + random.integers(1, len(seen.names))) % len(seen.names))
        try:
            async with asyncio.timeout(PATIENCE):
                waits.add("click", await seen.click(test))
        except TimeoutError:
            waits.add("click", None)
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - start)))


async def training(seen: Visitor, waits: Waits) -> None:
    """A link to a network that is not trained yet: the page trains it, or offers to."""
    start = time.perf_counter()
    await seen.open()
    await seen.until(lambda: bool(seen.label("Train the network") or seen.label("Test point")), 600)
    if seen.label("Train the network"):
        await seen.act("Train the network", {"trigger_value": True}, lambda: seen.label("Test point") != "", 600)
    waits.add("training", time.perf_counter() - start if seen.label("Test point") else None)


async def reviewing(seen: Visitor, waits: Waits, until: float) -> None:
    await asyncio.sleep(np.random.default_rng(id(seen) % 2**32).uniform(0, 1))  # no team presses in one moment
    while time.monotonic() < until:
        await asyncio.sleep(1)
        await seen.there("Keep:")  # not while the whole page is drawn again
        waits.add("decision", await seen.act("Keep:", {"trigger_value": True}, lambda: seen.has("given label of")))


async def uploading(seen: Visitor, waits: Waits, content: bytes) -> None:
    start = time.perf_counter()
    await seen.upload("mine.csv", content)
    read = await seen.until(lambda: seen.label("Use these data") != "", 300)
    waits.add("file read", read and time.perf_counter() - start)
    if read is not None:
        used = await seen.act("Use these data", {"trigger_value": True}, lambda: seen.label("Test point") != "", 300)
        waits.add("file used", used)


async def comparing(seen: Visitor, waits: Waits, until: float) -> None:
    test = 0
    while time.monotonic() < until:
        test += 1
        await asyncio.sleep(1)
        await seen.there("Test point")  # not while the whole page is drawn again
        waits.add(
            "solvers",
            await seen.act("Test point", {"double_value": float(test)}, lambda now=seen.runs: seen.runs > now),
        )


def big(seed: int, megabytes: float = 50.0) -> bytes:
    """A CSV of about so many megabytes: 100,000 rows, two classes."""
    random, rows = np.random.default_rng(seed), 100_000
    columns = round(megabytes * 1e6 / rows / 7)
    x = random.normal(size=(rows, columns))
    y = np.where(x[:, 0] + random.normal(size=rows) > 0, "yes", "no")
    head = ",".join([*(f"f{k}" for k in range(columns)), "label"])
    lines = ("%.3f," * columns)[:-1]
    return "\n".join(
        [head, *(f"{lines % tuple(row)},{label}" for row, label in zip(x.tolist(), y, strict=True))]
    ).encode()


def processor(process: int) -> float:
    """Seconds of processor time of the server, without the processes that it has started."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> float:
    """Megabytes of the server and of the processes that it has started."""
    every, found = {}, 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError):
                every[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    family, grown = {process}, True
    while grown:
        more = {pid for pid, parent in every.items() if parent in family} - family
        family, grown = family | more, bool(more)
    for pid in family:
        with suppress(OSError, TypeError):
            found += resident(pid)
    return found


async def everything(address: str, process: int, options: argparse.Namespace) -> tuple[Waits, dict[str, float]]:
    """Open, let everybody work, close.

    Returns:
        Waits, and megabytes at the start, at most, and at the end.
    """
    files = [big(seed, options.megabytes) for seed in range(options.uploading)]  # before anybody waits for us
    review = query(REVIEWED)
    guest = Session(address, dict(CLICKING))
    judge = Visitor(address, dict(review), name="Mislabels", who="Warm")
    looker = Visitor(address, {"v": "1"}, name="Solvers")
    await guest.open()
    await guest.click(1)
    await judge.open()
    await judge.there("Make the queue")
    await judge.act("Make the queue", {"trigger_value": True}, lambda: judge.label("Keep:") != "", 300)
    await looker.open()
    await looker.there("Test point")
    await asyncio.sleep(5)
    for one in (guest, judge, looker):
        await one.close()
    await asyncio.sleep(2 * TTL + 10)
    megabytes = {"start": memory(process)}
    print(f"one visitor of every kind was there: {megabytes['start']:.0f} MB", file=sys.stderr)
    explorers = [Session(address, CLICKING | {"seed": str(k % 3)}) for k in range(options.exploring - 1)]
    trainer = Visitor(address, query(TRAINING)) if options.training else None
    judges = [Visitor(address, dict(review), name="Mislabels", who=f"Judge{k}") for k in range(options.reviewing)]
    senders = [Visitor(address, {"v": "1", "data.name": "upload"}, name="Data") for _ in range(options.uploading)]
    lookers = [Visitor(address, {"v": "1", "seed": str(k)}, name="Solvers") for k in range(options.comparing)]
    for one in (*explorers, *judges, *senders, *lookers):
        await one.open()
    for some, label in ((judges, "Keep:"), (senders, "A table"), (lookers, "Test point")):
        for one in some:
            await one.there(label)
    print("everybody is here", file=sys.stderr)
    begun, own, theirs = time.monotonic(), time.process_time(), processor(process)
    waits, until, most = Waits(), begun + options.seconds, [megabytes["start"]]

    async def watching() -> None:
        while True:
            most.append(memory(process))
            if (passed := time.monotonic() - begun) <= options.seconds:
                waits.cores = (time.process_time() - own) / passed, (processor(process) - theirs) / passed
            await asyncio.sleep(1)

    watch = asyncio.create_task(watching())
    asyncio.get_running_loop().call_later(
        options.seconds + 2, lambda: print(waits.table(), waits.course(), sep="\n", file=sys.stderr, flush=True)
    )
    await asyncio.gather(
        *(exploring(one, waits, until) for one in explorers),
        *([training(trainer, waits)] if trainer else []),
        *(reviewing(one, waits, until) for one in judges),
        *(uploading(one, waits, content) for one, content in zip(senders, files, strict=True)),
        *(comparing(one, waits, until) for one in lookers),
    )
    watch.cancel()
    for one in (*explorers, *([trainer] if trainer else []), *judges, *senders, *lookers):
        await one.close()
    await asyncio.sleep(2 * TTL + options.rest)
    return waits, megabytes | {"most": max(most), "end": memory(process)}


def main() -> int:
    """Measure and print a table.

    Returns:
        1 where a target is missed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("exploring", 10), ("training", 1), ("reviewing", 5), ("uploading", 3), ("comparing", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--megabytes", type=float, default=50.0, help="of an uploaded file")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds after everybody has left")
    options = parser.parse_args()
    extra = ("--server.enableXsrfProtection=false", f"--server.disconnectedSessionTTL={TTL}")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        server(folder, *extra) as (address, process),
    ):
        waits, megabytes = asyncio.run(everything(address, process, options))
    print(f"load of the machine: {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    print(waits.table())
    print("cores kept busy while everybody clicked: {:.2f} by the clients, {:.2f} by the server".format(*waits.cores))
    print("| memory, MB: start | most | after everybody left |\n|---|---|---|")
    print("| " + " | ".join(f"{megabytes[name]:.0f}" for name in ("start", "most", "end")) + " |")
    slow = any(waits.quantile(kind, 0.95) > TARGET_MS for kind in ("click", "decision") if kind in waits.all)
    return int(slow or waits.unanswered > 0 or megabytes["end"] > KEPT * megabytes["start"])


if __name__ == "__main__":
    print(f"the app at {ROOT}", file=sys.stderr)
    sys.exit(main())
