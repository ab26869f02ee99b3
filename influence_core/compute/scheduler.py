"""The queue of one server: identical requests share a run, short jobs start at once, a stopped server's runs go on."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from influence_core.compute.executor import configured
from influence_core.compute.products import settle
from influence_core.compute.store import ResultStore, result_store
from influence_core.compute.task import Cancelled, Elsewhere, Task
from influence_core.compute.turns import Turns, Worker
from influence_core.compute.wanted import Wanted, present
from influence_core.compute.workers import starter

log = logging.getLogger("influence_explorer")
SHORT = 5.0  # estimated seconds of a job that is started at once, however many long ones are
STARTED_LONG, STARTED = 3, 24  # jobs in memory at a time: long ones, all
NICENESS = 3  # of threads that run jobs; little, because who waits for a core with the interpreter stops all others
KEPT = 16  # ended jobs whose result or error stays

Work = Callable[[Task], Any]


@dataclass(eq=False)
class Job:
    """One piece of work and how far it is; sessions that know its key share it and see nothing of any other.

    Attributes:
        key: names the work and everything it depends on.
        cost: estimated seconds.
        computes: whether it needs a turn.
        resumed: whether a server that stopped had begun it.
        worker: its owner, its cancel, the time it used.
        state: waiting, running, done, failed or cancelled.
        done: finished items.
        total: items altogether; 0 until known.
        kept: items that came from the store and cost no time.
        began: when it first computed.
        partial: what is finished of the result, where it can be looked at.
        result: of the work, once done.
        error: what the work raised.
    """

    key: str
    cost: float = math.inf
    computes: bool = True
    resumed: bool = False
    worker: Worker = field(default_factory=Worker)
    state: str = "waiting"
    done: float = 0
    total: float = 0
    kept: int = 0
    began: float | None = None
    partial: Any = None
    result: Any = None
    error: Exception | None = None

    @property
    def active(self) -> bool:
        """Whether it is still to run or running."""
        return self.state in {"waiting", "running"}

    def report(self, done: float, total: float) -> None:
        """Progress as the core reports it."""
        self.done, self.total = done, total

    def publish(self, found: Any) -> None:
        """What is finished so far."""
        self.partial = found

    def reuse(self, count: int) -> None:
        """Items that were in the store already."""
        self.kept += count


class Scheduler:
    """The jobs of one server."""

    def __init__(
        self,
        store: Callable[[], ResultStore] = result_store,
        clock: Callable[[], float] = time.monotonic,
        workers: Callable[[], Elsewhere | None] = configured,
    ) -> None:
        self._store, self._clock, self._turns, self._workers = store, clock, Turns(clock), workers
        starter(0)  # before a job stands back
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._waiting: list[tuple[Job, Work]] = []
        self._started: list[Job] = []
        self._closing = False

    def get(self, key: str) -> Job | None:
        """The job that was last submitted under ``key``."""
        return self._jobs.get(key)

    def submit(self, key: str, work: Work, *, owner: str = "", cost: float = math.inf, computes: bool = True) -> Job:
        """Run ``work(task)`` in a thread; a second request for the same key joins the first.

        Args:
            key: names the work and everything it depends on; starts with a word for its kind.
            work: ticks often, stops when the tick raises, touches no page.
            owner: whose time it uses; owners get equal shares.
            cost: estimated seconds; short jobs are started at once.
            computes: False for work that only waits, for the network say, and never needs a turn.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and (job.active or job.state == "done"):
                return job
            job = Job(key, cost, computes, self._wanted().orphaned(key), Worker(owner))
            with suppress(OSError):  # a full disk costs the resume, not the run
                self._wanted().add(key)
            self._remember(job)
            self._waiting.append((job, work))
            self._admit()
        return job

    def keep(self, key: str, result: Any) -> Job:
        """A result that exists already, as a job that is done."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or not job.active:
                job = Job(key, state="done", result=result)
                self._remember(job)
            return job

    def forget(self, key: str) -> None:
        """Drop a job that has ended, because what it made is gone and it should run again."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and not job.active:
                del self._jobs[key]

    def forget_ended(self) -> None:
        """Drop what ended jobs have made; the store has it."""
        with self._lock:
            self._jobs = {key: job for key, job in self._jobs.items() if job.active}

    def close(self, seconds: float = 2.0) -> None:
        """The server stops: threads end at their next tick, and what is still wanted stays noted for the next one."""
        with self._lock:
            self._closing, self._waiting = True, []
            started = [job.worker for job in self._started]
        for worker in started:
            worker.cancel.set()
        self._turns.wake()
        end = time.monotonic() + seconds
        while self._started and time.monotonic() < end:
            time.sleep(0.01)

    def was_interrupted(self, key: str) -> bool:
        """Whether a server that stopped had this run under way and nobody has taken it up again.

        Returns:
            True where submitting it again resumes it.
        """
        return self.get(key) is None and self._wanted().orphaned(key)

    def stop(self, job: Job) -> None:
        """Cancel: ended for everybody at once; its thread ends at its next tick."""
        with self._lock:
            job.worker.cancel.set()
            if job.active:
                job.state = "cancelled"
                self._wanted().remove(job.key)
            self._waiting = [entry for entry in self._waiting if entry[0] is not job]
        self._turns.wake()

    def before(self, job: Job) -> int:
        """How many jobs are to end or to start before a waiting one starts.

        Returns:
            0 for a job that has started.
        """
        with self._lock:
            order = [other for other, _ in sorted(self._waiting, key=self._rank)]
            return len(self._started) + order.index(job) if job in order else 0

    def rate(self, job: Job) -> float | None:
        """Items per second of this run, without those that came from the store.

        Returns:
            The rate, or None where nothing was computed yet.
        """
        fresh = job.done - job.kept
        return fresh / max(self._clock() - job.began, 1e-9) if job.began is not None and fresh > 0 else None

    def _wanted(self) -> Wanted:
        folder = self._store().folder / "wanted"
        return Wanted(folder, present(folder))

    def _remember(self, job: Job) -> None:
        self._jobs.pop(job.key, None)
        self._jobs[job.key] = job
        for old in [key for key, other in self._jobs.items() if not other.active][:-KEPT]:
            del self._jobs[old]

    def _rank(self, entry: tuple[Job, Work]) -> tuple[bool, float]:
        """Short jobs start first, then those of the owner who has used least; sorting keeps the order of arrival."""
        return entry[0].cost > SHORT, self._turns.used(entry[0].worker.owner)

    def _admit(self) -> None:
        """Start what may start."""
        for entry in sorted(self._waiting, key=self._rank):
            job, work = entry
            long = sum(other.cost > SHORT for other in self._started)
            if len(self._started) >= STARTED or (job.cost > SHORT and long >= STARTED_LONG):
                continue
            self._waiting.remove(entry)
            self._started.append(job)
            self._turns.join(job.worker)
            threading.Thread(target=self._run, args=(job, work), name="influence-job", daemon=True).start()

    def _run(self, job: Job, work: Work) -> None:
        stand_back()
        settle()
        task = Task(job.report, job.worker.cancel, self._store(), job.reuse, lambda: self._turn(job), job.publish)
        state, result, error = "cancelled", None, None
        try:
            task.tick()
            with self._lock:
                job.state, job.began = "running" if job.active else job.state, self._clock()
            long = job.computes and job.cost > SHORT  # a short one ends before another process has begun
            result = work(replace(task, workers=self._workers() if long else None))
            state = "done"
        except Cancelled:
            pass
        except Exception as caught:  # noqa: BLE001 - shown in the page, logged here
            log.exception("job %s failed", job.key)
            state, error = "failed", caught
        self._turns.leave(job.worker)
        self._end(job, state, result, error)

    def _turn(self, job: Job) -> None:
        if job.computes:
            self._turns.tick(job.worker)

    def _end(self, job: Job, state: str, result: Any, error: Exception | None) -> None:
        with self._lock:
            self._started.remove(job)
            if job.active and not self._closing:
                job.result, job.error, job.state = result, error, state
                self._wanted().remove(job.key)
            self._admit()


def stand_back() -> None:
    """Let the operating system prefer threads that answer clicks to this one and to the BLAS threads that help it.

    Linux keeps a niceness per thread.  Threads that Python does not know are those of BLAS: clicks do without them.
    """
    if sys.platform != "linux":
        return
    python = {thread.native_id for thread in threading.enumerate()} - {threading.get_native_id()}
    for thread in {int(name) for name in os.listdir("/proc/self/task")} - python:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
