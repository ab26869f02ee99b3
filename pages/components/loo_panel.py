"""Exact LOO beside the scores: at once where it is cheap, from the store where it was run, else a job with Cancel."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings
from pages.components import cached, controls
from pages.components.jobs import Job, jobs

if TYPE_CHECKING:
    from influence_core.analysis import Refits

PARTS = ("data", "model", "quantity", "target", "seed")


def refits(settings: Settings) -> Refits | None:
    """Measured changes where they exist: cheap enough to compute now, finished by a job, or stored earlier.

    Returns:
        The refits, or None.
    """
    if cached.problem(settings).refits_are_instant:
        with suppress(cached.core().SingularRefitError):  # the panel says why
            return cached.instant_loo(settings)
        return None
    key = settings.key(*PARTS)
    job = jobs().get(key)
    if job is not None:
        return job.result if job.state == "done" else None
    stored = cached.problem(settings).stored_loo(settings.quantity, settings.target)
    if stored is not None:
        jobs().submit(key, lambda _task: stored)
    return stored


def panel(settings: Settings) -> None:
    """Offer the refits as a job: what it costs, a bar with rate and time left, Cancel, and Retry after a failure."""
    problem = cached.problem(settings)
    if problem.refits_are_instant:
        _why_not(settings)
        return
    job = jobs().get(settings.key(*PARTS))
    if job is not None and job.active:
        _progress(job)
    else:
        _offer(settings)


@st.fragment(run_every=2.0)
def _offer(settings: Settings) -> None:
    """What the refits cost, and the button; looks again now and then, because another session may start them."""
    problem, key = cached.problem(settings), settings.key(*PARTS)
    job = jobs().get(key)
    if job is not None and (job.active or job.state == "done"):
        st.rerun()
    if job is not None and job.state == "failed":
        st.error(f"The refits stopped: {controls.plain_markdown(job.error)}", icon=":material/warning:")
    if job is not None and job.state == "cancelled":
        st.info(
            "Cancelled. Finished blocks are kept; the next run continues from them.", icon=":material/pause_circle:"
        )
    n = len(problem.fitted.train)
    st.markdown(f"**Measure the truth.** Refit the model without each of the {n:,} training points.")
    st.caption(f"About {problem.refit_cost / 4e10:,.0f} s on two cores, once; the result is kept for every session.")
    if not problem.fitted.fit.converged:
        st.caption(
            "The fit has not converged, but every refit goes to its minimum: all measured changes share the distance "
            "from this fit to the minimum, and the run takes several times longer."
        )
    if st.button("Run exact leave-one-out", type="primary", key="loo-run"):
        jobs().submit(key, lambda task: problem.loo(settings.quantity, settings.target, task))
        st.rerun()


def _why_not(settings: Settings) -> None:
    try:
        cached.instant_loo(settings)
    except cached.core().SingularRefitError as error:
        st.info(controls.plain_markdown(str(error)), icon=":material/info:")


@st.fragment(run_every=0.5)
def _progress(job: Job) -> None:
    if not job.active:
        st.rerun()
    share = job.done / job.total if job.total else 0.0
    st.progress(share, text=f"Exact leave-one-out: {job.words}")
    if st.button("Cancel", key="loo-cancel", icon=":material/close:"):
        job.cancel.set()
        st.toast("Cancelling …")
