"""One panel for every long computation: what it costs, a bar with rate and time left, Cancel, and why it failed.

    work = Work(key, "Exact leave-one-out", "refits", lambda task: problem.loo(task=task), seconds=40.0)
    found = job_panel.result(work.key)      # None until the job is done
    if found is None:
        job_panel.panel(work)               # reruns the page once the job ends

The job belongs to the key, not to the session: a link that leads to the same key attaches to the running job, and a
run that a stopped server had begun is taken up again as soon as its panel is shown.
"""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.errors import number_of
from pages.components.session.keeping import when_all_left
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Job, Scheduler, Task

KEPT = "Cancelled. Finished blocks are kept; the next run continues from them."


@st.cache_resource(show_spinner=False)
def jobs() -> Scheduler:
    """The one scheduler of this server: ``submit(key, work, owner=…, cost=seconds)``, ``get(key)``, ``stop(job)``."""
    scheduler = core.Scheduler()
    atexit.register(scheduler.close)
    when_all_left(scheduler.forget_ended)
    return scheduler


def owner() -> str:
    """Whose time the jobs of this browser session use; says nothing about who it is."""
    name: str = st.session_state.setdefault("owner", uuid.uuid4().hex)
    return name


@dataclass(frozen=True)
class Work:
    """One long computation as a person meets it.

    Attributes:
        key: names the work and everything it depends on: a word for the kind and ``Settings.key``.
        title: of the bar; "Exact leave-one-out".
        units: what is counted; "refits".
        start: the work, ``start(task)``; ticks, touches no page, returns what ``result`` hands out.
        seconds: estimate on this machine; short jobs start at once.
        lead: Markdown above the button: what is done and why; the page's own words, never a user's.
        button: its label.
        cancelled: what is said after Cancel.
        computes: False for work that waits for the network and needs no turn to compute.
    """

    key: str
    title: str
    units: str
    start: Callable[[Task], Any]
    seconds: float
    lead: str = ""
    button: str = "Run"
    cancelled: str = KEPT
    computes: bool = True


def result(key: str) -> Any:
    """What the job under ``key`` returned, or None while there is nothing."""
    job = jobs().get(key)
    return job.result if job is not None and job.state == "done" else None


def partial(key: str) -> Any:
    """What the job under ``key`` has finished of its result, also after Cancel; None where nothing can be shown."""
    job = jobs().get(key)
    return None if job is None else job.partial


def panel(work: Work) -> None:
    """Offer the work, or show how far it is; the page runs again when that changes."""
    job = jobs().get(work.key)
    if job is None and jobs().was_interrupted(work.key):
        job = _submit(work)
    if job is not None and job.active:
        _progress(work, job, job.partial)
    else:
        _offer(work)


def start(work: Work) -> None:
    """Begin without being asked, unless it has begun before."""
    if jobs().get(work.key) is None:
        _submit(work)


def _submit(work: Work) -> Job:
    return jobs().submit(work.key, work.start, owner=owner(), cost=work.seconds, computes=work.computes)


@st.fragment(run_every=2.0)
def _offer(work: Work) -> None:
    """The button, and how the last run ended; looks again now and then, because another session may start it."""
    with guarded():
        job = jobs().get(work.key)
        if job is not None and (job.active or job.state == "done"):
            st.rerun()
        failed = job is not None and job.state == "failed"
        if job is not None and failed:
            st.error(f"{work.title} stopped: {plain_markdown(reason(job))}", icon=":material/warning:")
        if job is not None and job.state == "cancelled":
            st.info(work.cancelled, icon=":material/pause_circle:")
        if work.lead:
            st.markdown(work.lead)
        if st.button("Try again" if failed else work.button, type="primary", key=f"run {work.title}"):
            _submit(work)
            st.rerun()


def reason(job: Job) -> str:
    """Why a job failed, in words for its owner: the sentence of an expected error, and nothing of any other."""
    if isinstance(job.error, cached.expected_errors()):
        return str(job.error)
    if isinstance(job.error, MemoryError):
        return "it needs more memory than this machine has. Use fewer examples or features."
    if job.error is None:
        return "for a reason nobody foresaw."
    return f"for a reason nobody foresaw; the server's log has it as {number_of(job.error)}."


@st.fragment(run_every=0.5)
def _progress(work: Work, job: Job, drawn: Any) -> None:
    """The bar; the page runs again when the job ends, or has finished more than is drawn below the bar."""
    with guarded():
        if not job.active or job.partial is not drawn:
            st.rerun()
        st.progress(
            min(job.done / job.total, 1.0) if job.total else 0.0, text=f"{work.title}: {words(job, work.units)}"
        )
        if job.resumed and job.state == "running":
            st.caption(resumed(job, work.units))
        if st.button("Cancel", key=f"cancel {work.title}", icon=":material/close:"):
            jobs().stop(job)
            st.rerun()


def words(job: Job, units: str) -> str:
    """How far a job is: its place while it waits, then done of total, rate and time left."""
    if job.state == "waiting":
        before = jobs().before(job)
        return f"waiting, {before} job{'s' if before > 1 else ''} before this one" if before else "waiting for its turn"
    if not job.total:
        return "starting"
    counted, rate = f"{_number(job.done, units)} of {_number(job.total, units)} {units}", jobs().rate(job)
    if rate is None:
        return counted
    return f"{counted} · {rate:,.3g} per second · {duration((job.total - job.done) / rate)} left"


def resumed(job: Job, units: str) -> str:
    """What a stopped server's run had finished."""
    if not job.kept:
        return "Started again after the server stopped."
    return f"Resumed after the server stopped: {job.kept:,} of {_number(job.total, units)} {units} were kept."


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def _number(count: float, units: str) -> str:
    """Megabytes have tenths; a refit that is half done is not done."""
    return f"{count:,.1f}" if units == "MB" and not isinstance(count, int) else f"{int(count):,}"
