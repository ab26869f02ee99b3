"""Long work beside the pages: one worker, identical requests share a run, progress and cancel.  No st.* in the work."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from pages.components import cached

log = logging.getLogger("influence_explorer")
KEPT = 8


@dataclass(eq=False)
class Job:
    """One piece of work and how far it is; the only mutable object that sessions share."""

    key: str
    state: str = "queued"  # queued, running, done, failed, cancelled
    done: int = 0
    total: int = 0
    started: float | None = None
    result: Any = None
    error: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        """Whether it is still to run or running."""
        return self.state in {"queued", "running"}

    @property
    def words(self) -> str:
        """State, done of total, rate and time left."""
        if self.state != "running" or not self.done or self.started is None:
            return {"queued": "waiting for the worker", "running": "starting"}.get(self.state, self.state)
        rate = self.done / max(time.monotonic() - self.started, 1e-9)
        left = (self.total - self.done) / rate
        return f"{self.done:,} of {self.total:,} refits · {rate:,.0f} per second · {left:,.0f} s left"

    def report(self, done: int, total: int) -> None:
        """Progress as the core reports it; inner ticks with total 0 only ask for cancellation."""
        if total:
            self.done, self.total = done, total


class Jobs:
    """The queue of the server."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="influence-job")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Job | None:
        """The job that was last submitted under ``key``.

        Returns:
            The job, or None.
        """
        return self._jobs.get(key)

    def submit(self, key: str, work: Callable[[Any], Any]) -> Job:
        """Run ``work(task)``; a second request for the same key joins the first.

        Returns:
            The job.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and (job.active or job.state == "done"):
                return job
            job = self._jobs[key] = Job(key)
            for old in [k for k, j in self._jobs.items() if not j.active][:-KEPT]:
                del self._jobs[old]
        self._pool.submit(self._run, job, work)
        return job

    def _run(self, job: Job, work: Callable[[Any], Any]) -> None:
        core = cached.core()
        job.started, job.state = time.monotonic(), "running"
        try:
            job.result = work(core.Task(job.report, job.cancel, core.result_store()))
            job.state = "done"
        except core.Cancelled:
            job.state = "cancelled"
        except Exception as error:  # noqa: BLE001 - shown in the page, logged here
            log.exception("job %s failed", job.key)
            job.error = str(error) if isinstance(error, core.EXPECTED_ERRORS) else "The server's log has the reason."
            job.state = "failed"


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The one queue of this server.

    Returns:
        The queue.
    """
    return Jobs()
