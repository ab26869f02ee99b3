"""Worker processes of this machine: work leaves the interpreter that answers clicks, its progress and errors come back.

    made = aside(read, path, task=task)      # ``read(path, task)`` in another process

Processes start when they are first needed, end when nothing was asked of them for a while, and are replaced when they
die.  A piece whose process died is run once more.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from influence_core.compute.lazy import single
from influence_core.compute.packing import Arrays
from influence_core.compute.serving import ANSWERS, BEHIND, Process, Sent, sent, stand_back
from influence_core.compute.spread import LOOK, cores
from influence_core.compute.task import Call, Ended, Task, WorkerError, unheard
from influence_core.compute.wanted import alive, present

PREFIX = "influence-workers-"  # of the folder where the processes of a driver find their arrays
GRACE = 1.0  # seconds after a cancel for which a job waits for its pieces to end by themselves
LAST = 20.0  # seconds after which the process of one is ended: another one has to import the core first
LENT = 3  # times the cores: processes at a time, because those of a job that waits for its turn are not lent to others
YOUNG = 10  # niceness in the seconds in which they import the core: behind all others that would take minutes
TRIES = 2  # of a piece whose process died
T = TypeVar("T")


def aside(function: Callable[..., T], *args: Any, task: Task = Task()) -> T:  # noqa: B008 - frozen
    """``function(*args, task)`` in another process of this machine.

    Args:
        function: at the top level of a module; ticks the task it is given, and stops when the tick raises.
        args: what packs: plain values, arrays, objects of this package.
        task: told how far it is; may cancel it, which takes two seconds at most.

    Returns:
        What it returned.  What it raised is raised here; a process that ends twice without an answer, as one does
        that needs more memory than there is, is a ``WorkerError``.
    """
    return local().run([Call(function, None, args, cores(), store=task.store)], task)[0]  # type: ignore[no-any-return]


@single
def local() -> Workers:
    """The worker processes of this one."""
    return Workers(cores(), BEHIND)


@single
def starter(nice: int) -> ThreadPoolExecutor:
    """The thread that starts processes of a niceness: they come with its own, and need seconds to import the core."""
    made = ThreadPoolExecutor(1, "influence-starter")
    made.submit(stand_back, nice).result()  # begins now: it is as nice as the thread that it comes from
    return made


def end_idle() -> None:
    """Nobody is here: worker processes that do nothing end now, and their memory goes back."""
    for one in [*_ALL]:
        one.close()


def clear() -> None:
    """Remove the folders of drivers that were killed with all their processes."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/servers/*.lock"):
        if not alive(lock.parent, lock.stem):
            shutil.rmtree(lock.parents[1], ignore_errors=True)


class Workers:
    """Processes of this machine, lent to jobs piece by piece.

    Attributes:
        width: pieces of one job that run at a time.

    Args:
        width: the same.
        nice: how far the processes stand back behind others.
    """

    def __init__(self, width: int, nice: int = 0) -> None:
        self.width, self._nice = width, nice
        clear()
        self._temporary = tempfile.TemporaryDirectory(prefix=PREFIX)
        present(Path(self._temporary.name, "servers"))
        self.folder, self._held = Path(self._temporary.name), Counter[str]()
        Path(self.folder, ANSWERS).mkdir()
        self._lock, self._free, self._lent = threading.Lock(), list[Process](), set[Process]()
        self._leaving = dict[Process, float]()  # those that still run a piece nobody waits for, and until when they may
        _ALL.add(self)

    def run(self, calls: Sequence[Call], task: Task, total: float = 0, ended: Ended = unheard) -> list[Any]:
        """Run pieces, as many at a time as there are cores; see ``Elsewhere.run``.  They wait where ``task`` waits."""
        arrays = Arrays(self._keep)
        try:
            return _Round(self, sent(calls, arrays), task, total, ended).run()
        finally:
            self._drop(arrays.names)

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        """Save an array where the processes map it; all of them share its memory."""
        with self._lock:
            self._held[name] += 1
            path = self.folder / f"{name}.npy"
            if not path.exists():
                np.save(path, array)

    def _drop(self, names: set[str]) -> None:
        """A job has ended: arrays that no job uses are removed, but for its own, because the next may be like it."""
        with self._lock:
            self._held.subtract(names)
            for path in self.folder.glob("*.npy"):
                if self._held[path.stem] <= 0 and path.stem not in names:
                    path.unlink(missing_ok=True)

    def take(self) -> Process | None:
        """One that does nothing, or a new one; None where there are as many as may be."""
        with self._lock:
            self._gather()
            while self._free:
                process = self._free.pop()
                if process.alive:
                    self._lent.add(process)
                    return process
                process.end()
            if len(self._lent) + len(self._leaving) >= LENT * self.width:
                return None
            process = starter(min(self._nice, YOUNG)).submit(Process, self.folder, self._nice).result()
            self._lent.add(process)
            return process

    def give(self, process: Process) -> None:
        """Back from a job, or dead."""
        with self._lock:
            self._lent.discard(process)
            if process.alive:
                self._free.append(process)
        if not process.alive:
            process.end()

    def leave(self, process: Process) -> None:
        """Nobody waits for its piece, which was told to stop."""
        with self._lock:
            self._lent.discard(process)
            self._leaving[process] = time.monotonic() + LAST

    def _gather(self) -> None:
        """Those whose piece has ended meanwhile do nothing; those that go on for too long are ended."""
        for process, end in [*self._leaving.items()]:
            if process.rests():
                self._free.append(process)
            elif not process.alive or time.monotonic() > end:
                process.end()
            else:
                continue
            del self._leaving[process]

    @property
    def processes(self) -> list[int]:
        """Numbers of those that live."""
        with self._lock:
            return [process.number for process in (*self._free, *self._lent, *self._leaving) if process.alive]

    def close(self) -> None:
        """End those that do nothing, or nothing that anybody waits for."""
        with self._lock:
            for process in (*self._free, *self._leaving):
                process.end()
            self._free, self._leaving = [], {}


_ALL = WeakSet[Workers]()


@dataclass(eq=False)
class _Round:
    """The pieces of one call of ``run`` on their way through the processes."""

    workers: Workers
    calls: list[Sent]
    task: Task
    total: float
    ended: Ended

    def __post_init__(self) -> None:
        count = len(self.calls)
        self.left, self.tries, self.done, self.kept = deque(range(count)), [0] * count, [0.0] * count, [0.0] * count
        self.found: list[Any] = [None] * count
        self.running: dict[Any, tuple[Process, int]] = {}
        self.alone = 0.0  # items of the only piece, as it says

    def run(self) -> list[Any]:
        try:
            while self.left or self.running:
                self._start()
                self._hear(LOOK)
                self._tick()
            return self.found
        finally:
            self._stop()

    def _start(self) -> None:
        while self.left and len(self.running) < self.workers.width:
            process = self.workers.take()
            if process is None:
                return
            k = self.left.popleft()
            self.running[process.wire] = process, k
            with suppress(OSError):  # dead already: heard of below
                process.begin(self.calls[k])

    def _hear(self, seconds: float) -> None:
        if not self.running:
            time.sleep(seconds)
        for wire in wait([*self.running], seconds):  # with something to read, or whose other end is gone
            process, k = self.running[wire]
            try:
                kind, found = process.hear()
            except (EOFError, OSError):
                self._again(process, k)
                continue
            if kind == "show":
                self.task.show(found)
                continue
            self._told(process, k)
            self.done[k] = self.calls[k].items or self.done[k]
            del self.running[wire]
            self.workers.give(process)
            if kind == "failed":
                raise found
            self.found[k] = found
            self.ended(k, found)

    def _again(self, process: Process, k: int) -> None:
        """Its process died: once more, in another one."""
        del self.running[process.wire]
        how = process.end()
        self.workers.give(process)
        self.tries[k] += 1
        self.done[k] = self.kept[k] = 0
        if self.tries[k] >= TRIES:
            raise WorkerError(
                f"Expected an answer from another process of this machine, but it ended twice without one ({how}), as "
                "when the memory runs out. Use fewer examples or features, or stop other programs."
            )
        self.left.appendleft(k)

    def _told(self, process: Process, k: int) -> None:
        self.done[k], fresh = float(process.slate["done"]), float(process.slate["kept"]) - self.kept[k]
        if fresh > 0:
            self.kept[k] += fresh
            self.task.reused(int(fresh))
        if len(self.calls) == 1:
            self.alone = float(process.slate["total"])

    def _tick(self) -> None:
        for process, k in self.running.values():
            self._told(process, k)
        self._hold(1)
        try:
            self.task.tick(sum(self.done), self.total or self.alone)
        finally:
            self._hold(0)

    def _hold(self, value: float) -> None:
        for process, _ in self.running.values():
            process.slate["hold"] = value

    def _stop(self) -> None:
        """Those that still run end at their next tick."""
        for process, _ in self.running.values():
            process.slate["stop"] = 1
        end = time.monotonic() + GRACE
        while self.running and time.monotonic() < end:
            for wire in wait([*self.running], max(0.0, end - time.monotonic())):
                if self.running[wire][0].rests():
                    self.workers.give(self.running.pop(wire)[0])
        for process, _ in self.running.values():
            self.workers.leave(process)
        self.running.clear()
