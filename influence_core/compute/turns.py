"""Who computes: jobs run in threads, one of them has the turn, and at a tick it may pass to another.

A job that has used up its slice hands the turn, at its next tick, to the owner who has used least time, and there to
the job that has; whoever comes new starts level with those already at work.  So owners get equal shares, a short job
ends soon beside a long one, and nobody waits for a job that computes long without a tick: its turn is taken away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

SLICE = 0.3  # seconds of computing before a turn ends
OVERDUE = 1.0  # seconds without a tick after which somebody else computes too
PAUSE = 0.5  # seconds for which clicks hold a job back at most


class Gate:
    """Interactive work comes first: while somebody's click is computed, jobs pause at their next tick.

    Pauses are bounded by the time worked since the last one, so that jobs keep at least half of the time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._inside, self._free, self._clock = 0, threading.Condition(), clock
        self._resumed = clock()

    @contextmanager
    def __call__(self) -> Generator[None]:
        """Hold jobs back for a short computation that a person waits for.

        Yields:
            Nothing.
        """
        with self._free:
            self._inside += 1
        try:
            yield
        finally:
            with self._free:
                self._inside -= 1
                self._free.notify_all()

    def wait(self) -> bool:
        """Called by a job at a tick.

        Returns:
            Whether the job was held back.
        """
        with self._free:
            if not self._inside:
                return False
            longest = min(self._clock() - self._resumed, PAUSE)
            self._free.wait_for(lambda: not self._inside, longest)
            self._resumed = self._clock()
        return True


interactive = Gate()


@dataclass(eq=False)
class Worker:
    """One thread that takes part.

    Attributes:
        owner: whose time it uses.
        cancel: set to make it leave without a turn.
        used: seconds computed, on the common clock of its owner's workers.
        seen: its last tick while it computes; None while it waits.
    """

    owner: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)
    used: float = 0.0
    seen: float | None = None


class Turns:
    """The turn and what everybody has used of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, gate: Gate = interactive) -> None:
        self._clock, self._gate = clock, gate
        self._changed = threading.Condition()
        self._workers: list[Worker] = []
        self._ready: list[Worker] = []  # those that wait for the turn, in order of arrival
        self._holder: Worker | None = None
        self._since = clock()
        self._owners: dict[str, float] = {}

    def used(self, owner: str) -> float:
        """Seconds that the workers of an owner have computed, counted from the level at which the owner came.

        Returns:
            0 for an owner who is not here.
        """
        return self._owners.get(owner, 0.0)

    def join(self, worker: Worker) -> None:
        """Take part.  Nobody catches up on time when he was not there: who comes new starts at the least used."""
        with self._changed:
            present = {other.owner for other in self._workers}
            if worker.owner not in present:
                self._owners = {owner: self._owners[owner] for owner in present}
                self._owners[worker.owner] = min(self._owners.values(), default=0.0)
            worker.used = min((other.used for other in self._workers if other.owner == worker.owner), default=0.0)
            self._workers.append(worker)

    def leave(self, worker: Worker) -> None:
        """Take part no longer; the turn is free if it was the worker's."""
        with self._changed:
            self._charge(worker)
            self._workers.remove(worker)
            self._holder = None if self._holder is worker else self._holder
            self._changed.notify_all()

    def tick(self, worker: Worker) -> None:
        """Go on computing while the slice lasts, else hand the turn on and wait for the next one, or for cancel."""
        with self._changed:
            self._charge(worker)
            if self._holder is not worker or (self._ready and self._clock() - self._since >= SLICE):
                self._wait(worker)
        if self._gate.wait():
            with self._changed:
                worker.seen = self._clock()

    def wake(self) -> None:
        """Let waiting workers see that they were cancelled."""
        with self._changed:
            self._changed.notify_all()

    def _wait(self, worker: Worker) -> None:
        self._holder = None if self._holder is worker else self._holder
        worker.seen = None
        self._ready.append(worker)
        self._changed.notify_all()
        while not (worker.cancel.is_set() or self._is_next(worker)):
            self._changed.wait(OVERDUE / 4)
        self._ready.remove(worker)
        if not worker.cancel.is_set():
            self._holder, self._since = worker, self._clock()
            worker.seen = self._since

    def _is_next(self, worker: Worker) -> bool:
        """Whether the turn is free, or its holder computes without a tick for too long, and nobody goes first."""
        holder = self._holder
        if holder is not None and holder.seen is not None and self._clock() - holder.seen <= OVERDUE:
            return False
        return worker is min(self._ready, key=lambda other: (self._owners[other.owner], other.used))

    def _charge(self, worker: Worker) -> None:
        if worker.seen is not None:
            now = self._clock()
            worker.used += now - worker.seen
            self._owners[worker.owner] += now - worker.seen
            worker.seen = now
