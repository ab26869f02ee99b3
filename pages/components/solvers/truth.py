"""What the solvers are compared with: the most accurate of them, refits without a point, training on random halves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.charts import solvers
from pages.components.problem import loo_panel, network_truth, truths
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown
from pages.components.widgets import job_panel
from pages.components.widgets.chart_frame import show
from pages.components.widgets.job_panel import jobs

if TYPE_CHECKING:
    from influence_core.agreement import Agreement
    from influence_core.analysis import Halves, Refits
    from influence_core.analysis.trials import Trial
    from influence_core.analysis.truth import Way

TOP = 20
KINDS = {"solver": "The most accurate solver", "loo": "Training without a point (LOO)", "lds": "Random halves (LDS)"}
Scores = np.ndarray


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What really happens at one test point, as far as it was measured.

    Attributes:
        way: of measuring it.
        loo: (n,) change without each training point, NaN where that was not measured; None for not run.
        noise: standard deviation over other seeds of the watched quantity; None for refits to a minimum.
        halves: training on random halves, with values (s, 1) at this test point; None for not run.
    """

    way: Way
    loo: np.ndarray | None = None
    noise: float | None = None
    halves: Halves | None = None

    @staticmethod
    def of(settings: Settings, test: int, partial: bool = False) -> Yardstick:
        """What is known by now; ``partial``: also by a run that goes on, or was stopped.

        Returns:
            The truth; a model whose refits are refused has none, and a sentence on the page says why.
        """
        truth, asks = truths.chosen(settings), (settings.quantity, settings.target)
        refits = truth.stored(*asks, partial=True) if partial else _refits(settings)
        change, noise = (None, None) if refits is None else (refits.change[:, test], refits.noise_of([test]))
        if not truth.way.noisy:
            return Yardstick(truth.way, change)
        halves = truth.stored_halves(*asks, partial=True) if partial else network_truth.halves(settings)
        one = None if halves is None else replace(halves, values=halves.values[:, [test]])
        return Yardstick(truth.way, change, noise, one)

    @property
    def buried(self) -> float:
        """Share of the measured changes that another seed alone would change."""
        if self.loo is None or self.noise is None:
            return 0.0
        return network_truth.inside(self.loo, self.noise)

    def cells(self, scores: Scores) -> dict[str, str]:
        """How well some scores agree with it, one text per column."""
        first, *lds = self.way.columns
        cells = {first: "not run" if self.loo is None else fitness(agreed(self.loo, scores), self.way.digits)}
        return cells | dict.fromkeys(lds, "not run" if self.halves is None else f"{self.lds(scores):.2f}")

    def lds(self, scores: Scores) -> float:
        """The linear datamodelling score at this test point; NaN where it is undefined or was not measured."""
        if self.halves is None or len(self.halves.members) < 3:
            return float("nan")
        value = self.halves.score(scores[:, None]).mean.value
        return float("nan") if value is None else float(value)


def _refits(settings: Settings) -> Refits | None:
    """Measured changes where they are instant or known; a refusal is a sentence, not the end."""
    try:
        with st.spinner("Refitting without each training point …"):
            return loo_panel.refits(settings)
    except core.EXPECTED_ERRORS as error:
        st.warning("Exact LOO: " + plain_markdown(str(error)), icon="⚠️")
        return None


def agreed(measured: Scores, predicted: Scores) -> Agreement:
    """The agreement of two vectors of changes."""
    return core.agreement(measured, predicted, TOP)


def fitness(found: Agreement, digits: str = ".3g") -> str:
    """Correlation, rank correlation, slope and the share of the largest changes that is found."""
    parts = (found.r, found.rho, found.slope, found.top_k)
    return " · ".join("–" if part.value is None else f"{part.value:{digits}}" for part in parts)


def reference(found: list[Trial]) -> Trial | None:
    """Cholesky's trial, or where it is not on offer that of the solver with the smallest residual of at most 1e-4."""
    solved = [one for one in found if one.scores is not None and one.residual is not None]
    named = next((one for one in solved if core.SOLVERS[one.name].dense), None)
    good = [one for one in solved if one.solved(1e-4)]
    return named or min(good, key=lambda one: one.residual or 0.0, default=None)


def verdict(found: list[Trial], truth: Yardstick) -> str:
    """How far the best solve is from what happens, and whether a cheaper one is as near: an honest sentence.

    Returns:
        Plain text; empty where there is nothing to say.
    """
    best = reference(found)
    if best is None or best.scores is None:
        return ""
    if truth.halves is not None:
        return _against_halves(found, best, truth)
    if truth.buried >= network_truth.MOSTLY:
        what = "what another seed alone changes" if truth.way.seeds == 1 else "the error of the mean over seeds"
        return (
            f"{truth.buried:.0%} of the changes measured by {truth.way.name} lie within {what}: agreement with them "
            "means nothing here. Compare with random halves (LDS)."
        )
    if truth.loo is not None:
        numbers = agreed(truth.loo, best.scores)
        return (
            f"Against {truth.way.name} {best.title} has r = {numbers.r} and slope = {numbers.slope}: what is missing "
            "there is the error of first order, which no solver mends."
        )
    return "" if not truth.way.noisy else "How far any of them is from what happens is not measured yet: see below."


def _against_halves(found: list[Trial], best: Trial, truth: Yardstick) -> str:
    assert truth.halves is not None and best.scores is not None
    top = truth.lds(best.scores)
    text = (
        f"Over {len(truth.halves.members)} networks trained on random halves, the scores of {best.title} have "
        f"LDS = {top:.2f} at this test point (chance alone: ±{truth.halves.chance:.2f}). "
    )
    if not top > 2 * truth.halves.chance:
        return text + "That is hardly more than chance: do not trust the ranking here, whatever the solver."
    gaps = {one.name: truth.halves.gap(best.scores, one.scores) for one in found if one.scores is not None}
    near = [one for one in found if one.name in gaps and not gaps[one.name][0] > 2 * gaps[one.name][1]]
    cheap = min(near, key=lambda one: core.trials.cost(one, 1))
    if core.trials.cost(cheap, 1) > 0.5 * core.trials.cost(best, 1):
        return text + "No solver that is clearly cheaper ranks as well on these halves."
    assert cheap.scores is not None
    gap, error = gaps[cheap.name]
    quick, slow = (core.trials.seconds(core.trials.cost(one, 1)) for one in (cheap, best))
    return text + (
        f"{cheap.title} reaches {truth.lds(cheap.scores):.2f} in {quick} instead of {slow}. "
        f"The difference, {gap:.2f} ± {error:.2f}, may be chance: "
        "these halves do not show that the dearer solve ranks better."
    )


def section(settings: Settings, test: int, found: list[Trial], truth: Yardstick) -> None:
    """Small multiples of every solver against one truth; a network's is chosen, and measured on request."""
    if not truth.way.noisy:
        draw(settings, found, truth, "solver" if truth.loo is None else "loo")
        return
    kind = state.view().against or ("lds" if truth.halves is not None else "solver")
    st.session_state["against"] = kind
    st.segmented_control(
        "Compare the solvers with",
        list(KINDS),
        key="against",
        format_func=lambda name: KINDS[name],
        on_change=safely(lambda: state.look(against=st.session_state["against"])),
        required=True,
    )
    if kind != "solver":
        truths.choose(settings)
    if kind == "loo" and truth.loo is None or kind == "lds" and truth.halves is None:
        _measure(settings, test, found, kind)
    else:
        draw(settings, found, truth, kind)


def _measure(settings: Settings, test: int, found: list[Trial], kind: str) -> None:
    """The job that measures this truth, and the part of it that is known by now."""
    work = network_truth.halves_work(settings) if kind == "lds" else loo_panel.work(settings)
    job_panel.panel(work)
    job = jobs().get(work.key)
    if job is not None and job.active:
        _coming(settings, test, found, kind)
    else:
        draw(settings, found, Yardstick.of(settings, test, partial=True), kind)


@st.fragment(run_every=2.0)
def _coming(settings: Settings, test: int, found: list[Trial], kind: str) -> None:
    with guarded():
        draw(settings, found, Yardstick.of(settings, test, partial=True), kind)


def draw(settings: Settings, found: list[Trial], truth: Yardstick, kind: str) -> None:
    """Every solver against the chosen truth, as far as there is one."""
    scores = {one.title.split(" (")[0]: one.scores for one in found if one.scores is not None}
    if kind == "lds":
        _draw_halves(settings, scores, truth)
        return
    best = reference(found)
    base, words = (None, "") if best is None else (best.scores, best.title)
    if kind == "loo":
        base, words = truth.loo, truth.way.name
    if base is None or not scores:
        if kind == "solver":
            st.caption("There is nothing to compare with: neither exact LOO nor an accurate solver gave a result.")
        return
    table = pd.DataFrame({"id": cached.problem(settings).split.train.ids, words: base, **scores})
    caption = sentence(settings) + " Dashed: predicted = " + words + ". Axes are equal within a panel."
    band = 0.0
    if kind == "loo" and truth.noise is not None:
        band = 2 * truth.noise
        caption += (
            f" {np.isfinite(base).sum():,} of {len(base):,} training points were left out, one at a time. Grey: ±2σ of "
            f"{'other seeds' if truth.way.seeds == 1 else 'the means over seeds'}, in which {truth.buried:.0%} of the "
            "measured changes lie."
        )
    elif kind == "solver" and not truth.way.noisy:
        caption += " Exact LOO has not been run for this problem: run it on the Explore page."
    look = solvers.Against(words, unit(settings), band)
    show(solvers.panels(base, scores, look, meant(settings)), caption, table, "solver-scores")


def _draw_halves(settings: Settings, scores: dict[str, Scores], truth: Yardstick) -> None:
    halves = truth.halves
    if halves is None or len(halves.members) < 3 or not scores:
        return
    left_out = (~halves.members).astype(float)
    sums, found = {name: left_out @ one for name, one in scores.items()}, {n: truth.lds(s) for n, s in scores.items()}
    table = pd.DataFrame({"half": range(len(left_out)), "measured": halves.values[:, 0], **sums})
    quantity = core.wording.watched(settings, cached.problem(settings).split.test.class_names)
    caption = (
        f"One dot for each of {len(left_out)} networks trained on a random half of the training points: the {quantity} "
        "it has, and the change that the scores predict for removing the other half, summed; ranks, because values are "
        "skewed. LDS is the rank correlation of the two: 1 is perfect, "
        f"chance alone gives ±{halves.chance:.2f}."
    )
    figure = solvers.halves_panels(halves.values[:, 0], sums, found)
    show(figure, caption, table, "solver-scores")


def unit(settings: Settings) -> str:
    """Of the watched quantity."""
    return core.QUANTITIES[settings.quantity].unit_of(cached.problem(settings).fitted.model.loss)


def meant(settings: Settings) -> solvers.Meant:
    """The sign of the changes in words, for the watched quantity."""
    direction = core.wording.orientation(settings)
    return solvers.Meant(core.wording.ENDS[direction], -1 if direction < 0 else 1)


def sentence(settings: Settings) -> str:
    """What a change is, for the watched quantity."""
    names = cached.problem(settings).split.test.class_names
    return core.wording.meaning(core.wording.watched(settings, names), core.wording.orientation(settings))
