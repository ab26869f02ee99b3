"""Exact LOO beside the scores: at once where it is cheap, from the store where it was run, else a job with Cancel."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.widgets import controls, job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import Refits

PARTS = ("data", "model", "quantity", "target", "seed")
RATE = 4e10  # floating-point operations per second on two cores


def refits(settings: Settings) -> Refits | None:
    """Measured changes where they exist: cheap enough to compute now, finished by a job, or stored earlier."""
    if cached.problem(settings).refits_are_instant:
        with suppress(core.SingularRefitError):  # the panel says why
            return cached.instant_loo(settings)
        return None
    job = jobs().get(_key(settings))
    if job is None:
        stored = cached.problem(settings).stored_loo(settings.quantity, settings.target)
        job = None if stored is None else jobs().keep(_key(settings), stored)
    return job.result if job is not None and job.state == "done" else None


def panel(settings: Settings) -> None:
    """Offer the refits as a job, or say why they cannot be had."""
    if cached.problem(settings).refits_are_instant:
        _why_not(settings)
        return
    job_panel.panel(work(settings))


def work(settings: Settings) -> job_panel.Work:
    """The refits as a job."""
    problem = cached.problem(settings)
    return job_panel.Work(
        _key(settings),
        "Training without a point" if problem.fitted.network else "Exact leave-one-out",
        "refits",
        lambda task: problem.loo(settings.quantity, settings.target, task),
        problem.refit_cost / RATE,
        _lead(settings),
        "Train without each point" if problem.fitted.network else "Run exact leave-one-out",
    )


def _key(settings: Settings) -> str:
    return f"loo:{settings.key(*PARTS)}"


def _lead(settings: Settings) -> str:
    problem = cached.problem(settings)
    n, cost = len(problem.fitted.train), job_panel.duration(problem.refit_cost / RATE)
    if problem.fitted.network:
        many = min(n, core.LEFT_OUT)
        which = (
            f"a random sample of {many:,} of the {n:,} training points" if many < n else f"the {n:,} training points"
        )
        return (
            f"**Measure the truth.** Train the network again without each of {which}, and {core.SEEDS} times "
            f"from other seeds to see the noise.  \n:small[About {cost} on two cores, once, many networks at a time.]"
        )
    lead = (
        f"**Measure the truth.** Refit the model without each of the {n:,} training points.  \n"
        f":small[About {cost} on two cores, once; the result is kept for every session.]"
    )
    if problem.fitted.fit.converged:
        return lead
    return (
        f"{lead}  \n:small[The fit has not converged, but every refit goes to its minimum: all measured changes share "
        "the distance from this fit to the minimum, and the run takes several times longer.]"
    )


def _why_not(settings: Settings) -> None:
    try:
        cached.instant_loo(settings)
    except core.SingularRefitError as error:
        st.info(controls.plain_markdown(str(error)), icon=":material/info:")
