"""Texts that take a while to become features: a job with Cancel in place of everything that needs them."""

from __future__ import annotations

import streamlit as st

from influence_core.settings import Settings
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs

AT_ONCE = 1.0  # seconds that a page just waits
UNASKED = 90.0  # seconds of reading that a choice of data starts by itself


def wait(settings: Settings) -> None:
    """Go on where the data are here or soon will be; else begin to read the texts, or offer it, and end the page."""
    problem, key = cached.problem(settings), f"read:{settings.key('data', 'model', 'seed')}"
    if core.known(problem, "split"):
        return
    job = jobs().get(key)
    if job is not None and job.state == "done":  # these data were put away since
        jobs().forget(key)
    active = job is not None and job.active
    seconds = 0.0 if active else core.reading_seconds(settings.data, settings.seed)
    if not active and seconds < AT_ONCE:
        return
    kept = dict(settings.data.options).get("features") == "embedding"  # words are counted in one go
    work = job_panel.Work(
        key,
        "Reading the texts",
        "texts",
        lambda task: len(problem.read(task).train),  # the problem keeps the data
        seconds,
        f"**These texts are no features yet.** About {job_panel.duration(seconds)} on two cores"
        f"{', once: embeddings are kept.' if kept else '.'}",
        "Read the texts",
        "Cancelled. Embeddings that are made are kept; the next run continues with the others."
        if kept
        else "Cancelled. The next run starts from the beginning.",
    )
    if seconds <= UNASKED:
        job_panel.start(work)
    job_panel.panel(work)
    st.stop()
