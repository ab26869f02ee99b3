"""What the scores at every test point stand on: fit, spectrum, support of the curvature, number of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from influence_core.compute import FloatArray, once
from influence_core.data.neighbours import Crowd
from influence_core.influence.estimators import ESTIMATORS, Estimator
from influence_core.influence.second_step import Forecast
from influence_core.influence.watched import UNIQUE
from influence_core.models import FittedModel, LinearModel
from influence_core.models.losses import SmoothedHinge, Softmax
from influence_core.models.scikit_losses import core
from influence_core.solvers.refusal import rounded_up

CONDITION_LIMIT = 1e10
FAR = 1e3  # sizes of a target, or their inverse, which a network that is trained here hardly reaches
# Measured on bundled data over l2 and t: with fewer points per effective parameter than this, the slope of exact LOO on
# first order leaves 1 by half and more at the median test point or varies over test points, r falls below 0.9, and
# one-step Newton errs too; with more it does not.
SUPPORT_LIMIT = 3.0
# On MNIST (tests/benchmarks/README.md) leave-one-out of the same run has slope 1.04 on the derivative at 0.996 and 1.6
# at 0.93; ReLU at the usual learning rate is below 0.
SMOOTH = 0.95


@dataclass(frozen=True)
class Caveat:
    """A broken assumption: a short code for programs, and a sentence that says what to do."""

    code: str
    sentence: str


@dataclass(frozen=True, eq=False)
class Ground:
    """What the scores at every test point stand on; checked once, not at every click.

    Attributes:
        fitted: model at θ̂.
        damping: δ.
        eigenvalues: (p,) of H without the damping, or None.
        leverage: (n,) or None.
        copies: (n,) training points with the same number are exact copies of each other.
        estimator: of the scores.
        solves: False for a baseline in place of a solver.
        reason: why this damping was chosen, where nobody set it.
        forecast: one-step Newton without damping, where it is at hand.
        crowd: the training points, to look for near copies.
        smoothness: of the training run in the weights of its examples, where the scores are its derivative.
        in_sample: whether the test points are the training points on purpose: every one of them is.
    """

    fitted: FittedModel
    damping: float
    eigenvalues: FloatArray | None
    leverage: FloatArray | None
    copies: NDArray[np.int64]
    estimator: Estimator = ESTIMATORS["influence"]
    solves: bool = True
    reason: str = ""
    forecast: Forecast | None = None
    crowd: Crowd | None = None
    in_sample: bool = False
    smoothness: float | None = None

    @property
    def curvature(self) -> bool:
        """Whether the scores use the Hessian at all."""
        return self.estimator.curvature

    @property
    def first_order(self) -> bool:
        """Whether the scores ignore that the Hessian changes when a point leaves."""
        return self.estimator.first_order and self.solves

    @once
    def caveats(self) -> tuple[Caveat, ...]:
        """Fit, spectrum, support of the curvature, and number of points."""
        found = [
            _smooth(self.smoothness) if self.estimator.unrolls else _fit(self.fitted),
            _few(self.fitted),
            _alone(self.leverage),
        ]
        if self.curvature:
            found[1:1] = [_spectrum(self.eigenvalues, self.damping, self.fitted), _support(self.fitted, self.leverage)]
        return tuple(caveat for caveat in found if caveat)

    @once
    def labels(self) -> FloatArray:
        """(n,) targets."""
        found: FloatArray = self.fitted.train.y.cpu().numpy()
        return found

    def near(self, row: int) -> NDArray[np.int64]:
        """Near copies of a training point; those asked for before are kept."""
        if row not in self._near:
            self._near[row] = self.crowd.near(row) if self.crowd else np.empty(0, dtype=np.int64)
        return self._near[row]

    @once
    def _near(self) -> dict[int, NDArray[np.int64]]:
        return {}

    @once
    def twins(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) whether a point has an exact copy, and (n,) whether one under another label."""
        y = self.labels
        labelled = np.unique(np.stack([self.copies, y], 1), axis=0, return_inverse=True)[1].reshape(-1)
        many, same = np.bincount(self.copies)[self.copies], np.bincount(labelled)[labelled]
        return many > 1, many > same


def _smooth(smoothness: float | None) -> Caveat | None:
    if smoothness is None or smoothness >= SMOOTH:
        return None
    return Caveat(
        "metasmooth",
        f"This run is not smooth in the weights of its examples (metasmoothness {smoothness:.2f}, {SMOOTH:g} is "
        "enough): its derivative says little about what leaving a point out does. Train with a smooth activation "
        "(tanh), a smaller learning rate or larger batches.",
    )


def _fit(fitted: FittedModel) -> Caveat | None:
    fit = fitted.fit
    size = float(fitted.train.y.double().square().mean().sqrt())
    if fitted.kind.seeded and fitted.program is not None and size and not 1 / FAR <= size <= FAR:
        return Caveat(
            "network",
            f"The targets are of the size of {size:.0e}, far from the size of 1 that networks start from, so training "
            "hardly reaches them: divide them by that, or choose ridge regression, which has no such start.",
        )
    if fit.converged:
        return None
    if fitted.kind.seeded:
        return Caveat(
            "network",
            f"Training stopped at ‖∇J‖ = {fit.gradient_norm:.1e}: a network is at no exact minimum, and another run "
            "ends elsewhere. Read scores as a ranking, and compare with training on random halves (LDS) first.",
        )
    sentence = f"The fit stopped at ‖∇J‖ = {fit.gradient_norm:.1e}, above {fit.goal:.1e}: choose a larger l2."
    if fit.method == "given":
        squares = fitted.linearised.squared_norms(fitted.train.x, fitted.residuals)
        share = fit.gradient_norm * len(squares) / max(float(squares.mean().sqrt()), 1e-300)
        sentence = (
            f"At the coefficients of the estimator ‖∇J‖ = {fit.gradient_norm:.1e}, {share:.2g} times what removing "
            "one training point adds to it (root mean square): wrap it with fit='newton' to go on to the minimum. "
            "A fit with sample weights, or to other examples than these, looks like this too."
        )
    if fit.method == "adamw":
        sentence = (
            f"AdamW stopped at ‖∇J‖ = {fit.gradient_norm:.1e}: with decoupled decay its fixed point is no minimum of "
            "J, and influence assumes one. Fit by Newton to remove this error."
        )
    return Caveat("fit", sentence)


def _spectrum(eigenvalues: FloatArray | None, damping: float, fitted: FittedModel) -> Caveat | None:
    if eigenvalues is None:
        return None
    smallest, largest = float(eigenvalues.min()), float(eigenvalues.max())
    rounding = len(eigenvalues) * torch.finfo(fitted.theta.dtype).eps * max(abs(smallest), abs(largest))
    if smallest < -rounding:
        start = f"The Hessian is indefinite (smallest eigenvalue {smallest:.1e}): the fit is at no minimum"
        if smallest + damping <= 0:
            return Caveat("indefinite", f"{start}. Set a damping above {rounded_up(-smallest)}.")
        return Caveat("indefinite", f"{start}, and only the damping makes up for it. Compare with exact LOO.")
    low, high = smallest + damping, largest + damping
    if high > CONDITION_LIMIT * low:
        condition = f"condition {high / low:.0e}" if low > 0 else "condition beyond rounding"
        return Caveat("singular", f"The Hessian is nearly singular ({condition}): a larger l2 or damping helps.")
    return None


def effective_points(curvatures: torch.Tensor) -> float:
    """(Σ c_i)² / Σ c_i² with c_i = tr C_i: the number of points that carry the curvature, n where all do alike.

    Returns:
        A number from 0 (no curvature) to n.
    """
    c = curvatures.diagonal(dim1=1, dim2=2).sum(1)
    largest = float(c.max())
    return float((c / largest).sum() ** 2 / (c / largest).square().sum()) if largest > 0 else 0.0


def _support(fitted: FittedModel, leverage: FloatArray | None) -> Caveat | None:
    """Points that carry the curvature for each of the Σ leverage effective parameters: 1 / their typical leverage."""
    if leverage is None:
        return None
    points, parameters = effective_points(fitted.curvatures), float(leverage.sum())
    if points >= SUPPORT_LIMIT * parameters and points > 0:
        return None
    loss = core(fitted.model.loss)
    rests = f"the curvature rests on about {points:.0f} points for {parameters:.1f} effective parameters"
    margins = fitted.model.loss.margins(fitted.outputs, fitted.train.y)
    if isinstance(loss, SmoothedHinge) and loss.t < 1:  # 1 is the width of the margin itself
        return Caveat(
            "hinge",
            f"t = {loss.t:g} is too small for these data: {rests}, those within a few t of the margin, and predicted "
            "changes go wrong. Choose a larger t or l2.",
        )
    if margins is not None and bool((margins > 0).all()):
        return Caveat(
            "separable",
            f"Every training point is classified right, so only the tiny l2 holds the fit: {rests}, and a removal "
            "moves it further than a linear or one-step prediction tells. Choose a larger l2.",
        )
    return Caveat("support", f"For these data l2 is small: {rests}, so predicted changes are rough. Raise l2.")


def _alone(leverage: FloatArray | None) -> Caveat | None:
    """A point that nothing but itself holds in some direction of θ."""
    count = 0 if leverage is None else int((leverage >= 1 - UNIQUE).sum())
    if not count:
        return None
    who = "One training point alone holds" if count == 1 else f"{count} training points alone hold"
    return Caveat(
        "alone",
        f"{who} a parameter (leverage 1, for example the only member of a category): without it there is no single "
        "fit, so its removal has no number. The others are not concerned.",
    )


def _few(fitted: FittedModel) -> Caveat | None:
    if not isinstance(fitted.model, LinearModel):
        return None
    n, width, classes = *fitted.train.x.shape, fitted.model.loss.outputs
    softmax = isinstance(core(fitted.model.loss), Softmax)
    free = width * (classes - 1 if softmax else classes)  # equal changes of all classes change nothing
    if n >= free:
        return None
    count = f"{free:,}, {classes - 1} for each of {width}" if softmax and classes > 2 else f"{free:,}"
    inside = "features and intercept" if fitted.model.intercept else "features"
    why = "only the penalty holds the fit in place" if n < width else "the penalty holds part of the fit in place"
    return Caveat(
        "few",
        f"There are fewer training points ({n:,}) than free parameters ({count} {inside}): {why}, so scores depend on "
        "l2 as much as on the data. Add points or use fewer features.",
    )
