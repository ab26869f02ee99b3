"""What can be measured about a network: training runs without a point, the noise of any run, and random halves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from influence_core.settings import Settings
from pages.components.problem import truths
from pages.components.problem.asked import Shown
from pages.components.problem.loo_panel import RATE
from pages.components.session.door import core
from pages.components.widgets import job_panel
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.analysis import Halves

MOSTLY = 0.8  # share of measured changes within the noise from which single points say nothing


def words(shown: Shown) -> str:
    """What the measured changes are, and whether they rise above the noise of training."""
    refits, n = shown.refits, len(shown.analysis.problem.split.train)
    if refits is None:
        return ""
    count = int(refits.certified.sum())
    sample = f"a random sample of {count:,} of the {n:,} training points" if count < n else "every training point"
    seeds = 0 if refits.seeds is None else len(refits.seeds)
    start = (
        f"Each dot is this very training run without one point ({sample}), from the same start in the same order. "
        if not seeds
        else f"Each dot is the mean over {seeds} seeds of training runs with and without one point ({sample}). "
    )
    noise = refits.noise_of(shown.tests)
    if noise is None or shown.measured is None or shown.side == "test":
        return start
    share, form = inside(shown.measured, noise), shown.truth_form
    what = f"the standard error of these means over {seeds} seeds" if seeds else "what another seed alone changes"
    text = (
        f"Grey band: ±2σ, σ = {form.text(noise)[1:]} {form.scaled_unit} being {what}. "
        f"{share:.0%} of the measured changes lie inside. "
    )
    if share < MOSTLY:
        return start + text
    if not seeds and shown.analysis.estimator.unrolls:
        return f"{start}{text}They are exact for this run, and **beyond it a single point means nothing here**. "
    return start + text + "**Single-point leave-one-out means nothing here**: random halves, below, say more. "


def inside(measured: np.ndarray, noise: float) -> float:
    """Share of the measured changes that are within ±2σ."""
    known = measured[np.isfinite(measured)]
    return float(np.mean(np.abs(known) <= 2 * noise))


def halves(settings: Settings) -> Halves | None:
    """Networks trained on random halves, where a job has finished or an earlier session stored them."""
    key = _key(settings)
    job = jobs().get(key)
    if job is None:
        stored = truths.chosen(settings).stored_halves(settings.quantity, settings.target)
        job = None if stored is None else jobs().keep(key, stored)
    return job.result if job is not None and job.state == "done" else None


def halves_panel(shown: Shown) -> None:
    """The linear datamodelling score of the scores on screen, or the way to it."""
    if shown.side == "test":
        return
    found = halves(shown.settings)
    if found is None:
        job_panel.panel(halves_work(shown.settings))
        return
    asked = found.values[:, shown.tests].mean(1, keepdims=True)
    score = core.linear_datamodelling(asked, shown.scores[:, None], found.members)
    how = f"averaged over {found.seeds} seeds" if found.seeds > 1 else "this very run without the other half"
    text = (
        f"**LDS = {score.mean}**  \n:small[Rank correlation, over {score.subsets} networks trained on random halves "
        f"({how}), of the watched quantity with what these scores predict for the half left out; 1 is perfect, chance "
        f"alone gives ±{found.chance:.2f}."
    )
    if score.mean.value is not None and score.mean.value <= 2 * found.chance:
        text += " **This is hardly more than chance: do not trust this ranking.**"
    st.markdown(text + "]")


def halves_work(settings: Settings) -> job_panel.Work:
    """Training on random halves as a job."""
    truth = truths.chosen(settings)
    seeds = f", from {truth.way.seeds} seeds each" if truth.way.seeds > 1 else ", in the run of this network"
    return job_panel.Work(
        _key(settings),
        "Training on random halves",
        "networks",
        lambda task: truth.halves(settings.quantity, settings.target, task),
        truth.halves_cost / RATE,
        f"**Linear datamodelling score.** Train on {core.HALVES} random halves of the training points{seeds}, and see "
        "whether the scores rank what happens.",
        f"Train on {core.HALVES} random halves",
    )


def _key(settings: Settings) -> str:
    return f"lds:{settings.key('data', 'model', 'quantity', 'target', 'seed')}{truths.mark(settings)}"
