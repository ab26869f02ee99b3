"""Both ends of a worker process: how its driver sees it, and its life, one piece after another."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from joblib.externals.loky.backend.context import get_context
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from influence_core.compute.lazy import Recent, fingerprint
from influence_core.compute.packing import Arrays, obeyed, packed, unpacked
from influence_core.compute.products import settle
from influence_core.compute.spread import allowed
from influence_core.compute.task import Call, Cancelled, Task

IDLE = 120.0  # seconds after which a process without work gives its memory back
HELD = 0.01  # seconds between two looks of a piece that is held back
OWNERS = 2  # problems whose lazy steps a process keeps
BEHIND = 19  # niceness of what runs where nothing else would
SHARE = 0.5  # of the machine's memory that one process may have
ANSWERS = "answers"  # where large arrays of them are, until they are heard
SLATE = ("done", "total", "kept", "stop", "hold")
resource: Any = importlib.import_module("resource") if os.name == "posix" else None


def slate(path: Path, mode: str = "r+") -> NDArray[Any]:
    """Numbers that two processes see: items done, of how many, how many were kept; and: stop, hold."""
    room: NDArray[Any] = np.memmap(path, [(name, "f8") for name in SLATE], mode, shape=())  # type: ignore[call-overload]
    return room


@dataclass(eq=False)
class Process:
    """One process as its driver sees it."""

    folder: Path
    nice: int = 0

    def __post_init__(self) -> None:
        context, self.wire_path = get_context("loky"), self.folder / f"{time.monotonic_ns()}-{id(self)}"
        self.slate = slate(self.wire_path, "w+")
        self.wire, there = context.Pipe()
        # loky's processes do not import __main__ again: under Streamlit that is the page.
        self._process = context.Process(
            target=serve,
            args=(there, str(self.wire_path), os.getpid(), self.nice),
            name="influence-worker",
            daemon=True,
        )
        self._process.start()
        there.close()

    @property
    def number(self) -> int:
        """Of the operating system."""
        return int(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self._process.is_alive()) and not self.wire.closed

    def begin(self, piece: Sent) -> None:
        """Give it a piece, and what this process was told by its environment."""
        for name in SLATE:
            self.slate[name] = 0
        told = {name: value for name, value in os.environ.items() if name.startswith("INFLUENCE_")}
        self.wire.send_bytes(packed((piece, told)))

    def hear(self) -> tuple[str, Any]:
        """The next thing that it says: a word for the kind, and what.  Large arrays are mapped, and nobody else's."""
        content, arrays = self.wire.recv_bytes(), dict[str, NDArray[Any]]()

        def find(name: str) -> NDArray[Any]:
            if name not in arrays:  # what holds an array twice names it twice
                path = self.folder / ANSWERS / f"{name}.npy"
                arrays[name] = np.load(path, mmap_mode="c").view(np.ndarray)
                with suppress(OSError):  # where a mapped file cannot be removed, its folder is at the end
                    path.unlink()
            return arrays[name]

        kind, found = unpacked(content, find)
        return kind, found

    def rests(self) -> bool:
        """Whether the piece that it was told to stop has ended, or it has itself; what it still says is not heard."""
        try:
            while self.wire.poll():
                if self.hear()[0] != "show":
                    return True
        except (EOFError, OSError):
            return True
        return False

    def end(self) -> str:
        """Kill it.

        Returns:
            How it ended, in words.
        """
        if not self.wire.closed:
            self.wire.close()
        self._process.join(0.05)
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(1)
        for path in (self.wire_path, *(self.folder / ANSWERS).glob(f"{self.number}-*")):  # those nobody has heard
            with suppress(OSError):
                path.unlink()
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"code {code}"


def serve(wire: Connection, path: str, driver: int, nice: int) -> None:
    """The life of a worker process: one piece after another, until nobody asks for a while or the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver says when to stop
    bounded(nice)
    desk = _Desk(wire, slate(Path(path)), driver, Path(path).parent)
    with suppress(EOFError, OSError):
        while wire.poll(IDLE):
            wire.send_bytes(desk.answer(wire.recv_bytes()))
    time.sleep(10 * HELD)  # a driver that was killed closes its files a moment before it is gone
    desk.look()


def bounded(nice: int) -> None:
    """Clicks go before this process where it is nice, and what runs away in it fails before it fails the machine."""
    if resource is None:
        return
    # Linux keeps a niceness per thread, and those of BLAS have begun when NumPy was imported.
    for thread in map(int, os.listdir("/proc/self/task")) if sys.platform == "linux" else (0,):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, nice)
            if nice == BEHIND and sys.platform == "linux":
                # A page that wakes takes the core from such a process at once, whichever core that is; where all cores
                # run something that is only nice, it waits behind the page that has the core which it had last.
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError, ValueError):
        most = int(SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def stand_back(nice: int) -> None:
    """This thread, and whatever it starts, comes behind others; a niceness of its own a thread has on Linux alone."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)


@dataclass(eq=False)
class _Desk:
    """Where a worker process answers."""

    wire: Connection
    slate: NDArray[Any]
    driver: int
    folder: Path

    def answer(self, content: bytes) -> bytes:
        """What a piece returned or raised, packed."""
        try:
            piece, environment = unpacked(content)
            os.environ.update(environment)
            task = Task(self._report, reused=self._reuse, turn=self._turn, show=self._show)
            return self._packed(performed(piece, self._find, task))
        except Exception as error:  # noqa: BLE001 - the driver raises it again
            return packed(("failed", portable(error)))

    def look(self) -> None:
        """End where the driver was killed, and take away what it cannot take away any more."""
        if resource is not None and os.getppid() != self.driver:
            shutil.rmtree(self.folder, ignore_errors=True)
            os._exit(1)

    def _packed(self, found: Any) -> bytes:
        """Large arrays go by file; where the disk is full, through the wire like the rest."""
        arrays = Arrays(self._keep, f"{os.getpid()}-")
        try:
            return packed(("done", found), arrays)
        except OSError:
            for name in arrays.names:
                self._path(name).unlink(missing_ok=True)
            return packed(("done", found))

    def _path(self, name: str) -> Path:
        return self.folder / ANSWERS / f"{name}.npy"

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        try:
            np.save(self._path(name), array)
        except OSError:
            self._path(name).unlink(missing_ok=True)
            raise

    def _find(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="c")
        return found

    def _report(self, done: float, total: float) -> None:
        self.slate["done"], self.slate["total"] = done, total

    def _reuse(self, count: int) -> None:
        self.slate["kept"] += count

    def _show(self, found: Any) -> None:
        self.wire.send_bytes(packed(("show", found)))

    def _turn(self) -> None:
        while True:
            if self.slate["stop"]:
                raise Cancelled
            self.look()
            if not self.slate["hold"]:
                return
            time.sleep(HELD)


@dataclass(frozen=True)
class Sent:
    """A call on its way: what many pieces share, by its hash and packed, where it is large by name; and the rest."""

    key: str
    owner: bytes
    rest: bytes
    items: float


_OWNERS = Recent[Any](OWNERS)


def sent(calls: Sequence[Call], arrays: Arrays) -> list[Sent]:
    """Calls as they go to other processes; one that holds what belongs to this process is an ``UnpackableError``."""
    owners = {
        id_: packed(packed(owner, arrays), arrays) for id_, owner in {id(c.owner): c.owner for c in calls}.items()
    }
    keys = {id_: fingerprint(content) for id_, content in owners.items()}
    parts = [packed((call.owner is not None, replace(call, owner=None)), arrays) for call in calls]
    return [Sent(keys[id(c.owner)], owners[id(c.owner)], part, c.items) for c, part in zip(calls, parts, strict=True)]


def performed(piece: Sent, find: Callable[[str], NDArray[Any]], task: Task) -> Any:
    """What the call returns in this process; lazy steps of what many pieces share are made once."""
    owned, call = unpacked(piece.rest, find)
    owner = (_OWNERS.get(piece.key, lambda: unpacked(unpacked(piece.owner, find), find)),) if owned else ()
    told = replace(task, store=call.store)
    settle()
    with threadpool_limits(call.threads, user_api="blas"), allowed(call.threads), obeyed(told):
        return call.function(*owner, *call.args, told)


def portable(error: Exception) -> Exception:
    """The error as the driver raises it: itself where it can be packed; a note has the traceback of here."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return unpacked(packed(error))  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - one that takes other arguments than it keeps
        return RuntimeError("".join(traceback.format_exception_only(error)).strip())
