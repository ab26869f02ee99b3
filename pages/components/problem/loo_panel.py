"""Exact LOO beside the scores: at once where it is cheap, from the store where it was run, else a job with Cancel."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings
from pages.components.browser.loo_scatter import Look
from pages.components.problem import truths
from pages.components.problem.asked import Shown
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.words import plain_markdown
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import Refits, Truth

PARTS = ("data", "model", "quantity", "target", "seed")
RATE = 4e10  # floating-point operations per second on two cores


def refits(settings: Settings) -> Refits | None:
    """Measured changes where they exist: cheap enough to compute now, finished by a job, or stored earlier."""
    if cached.problem(settings).truth.instant:
        with suppress(core.SingularRefitError):  # the panel says why
            return cached.instant_loo(settings)
        return None
    job = jobs().get(_key(settings))
    if job is None:
        stored = truths.chosen(settings).stored(settings.quantity, settings.target)
        job = None if stored is None else jobs().keep(_key(settings), stored)
    return job.result if job is not None and job.state == "done" else None


def panel(settings: Settings) -> None:
    """Offer the refits as a job, or say why they cannot be had."""
    if cached.problem(settings).truth.instant:
        _why_not(settings)
        return
    job_panel.panel(work(settings))


def work(settings: Settings) -> job_panel.Work:
    """The refits as a job."""
    truth = truths.chosen(settings)
    return job_panel.Work(
        _key(settings),
        truth.way.title,
        "refits",
        lambda task: truth.loo(settings.quantity, settings.target, task),
        truth.cost / RATE,
        _lead(truth),
        truth.way.button,
    )


def _key(settings: Settings) -> str:
    return f"loo:{settings.key(*PARTS)}{truths.mark(settings)}"


def _lead(truth: Truth) -> str:
    about = f"About {job_panel.duration(truth.cost / RATE)} on two cores, {truth.way.once}."
    lead = f"**Measure the truth.** {truth.way.does(truth)}  \n:small[{about}]"
    if truth.way.noisy or truth.fitted.fit.converged:
        return lead
    return (
        f"{lead}  \n:small[The fit has not converged, but every refit goes to its minimum: all measured changes share "
        "the distance from this fit to the minimum, and the run takes several times longer.]"
    )


def _why_not(settings: Settings) -> None:
    try:
        cached.instant_loo(settings)
    except core.SingularRefitError as error:
        st.info(plain_markdown(str(error)), icon=":material/info:")


def look(shown: Shown) -> Look:
    """How the points of the LOO scatter are named and coloured."""
    train = shown.side == "train"
    units = shown.axis_form.scaled_unit, shown.truth_form.scaled_unit
    found = Look(
        *units, shown.sized, shown.sign, shown.selected, shown.group if train else (), shown.ends, about=shown.about,
        told=shown.told, beside=shown.beside, title=f"Predicted change against {shown.truth.way.name}",
    )  # fmt: skip
    noise = shown.refits.noise_of(shown.tests) if shown.refits is not None and train else None
    if noise is None or shown.refits is None:
        return found
    name = found.noise if shown.refits.seeds is None else "error: ±2σ of the means over seeds"
    return replace(found, band=2 * noise / 10.0**shown.truth_form.power, noise=name)
