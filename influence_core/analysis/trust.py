"""The trust line: what the numbers rest on, and one sentence of advice for every assumption that is broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from influence_core.agreement import Agreement
from influence_core.compute import FloatArray, once
from influence_core.models import FittedModel, LinearModel
from influence_core.models.losses import SmoothedHinge, Softmax
from influence_core.solvers import Solution

LEVERAGE_LIMIT = 0.5
CONDITION_LIMIT = 1e10
# Measured on bundled data over l2 and t: with fewer points per effective parameter than this, the slope of exact LOO on
# first order leaves 1 by half and more at the median test point or varies over test points, r falls below 0.9, and
# one-step Newton errs too; with more it does not.
SUPPORT_LIMIT = 3.0
FAR = 1.5  # at most 2 % of the test points of every bundled set lie further off; a point 5 σ off 2-D blobs is beyond 3
FAR_SHARE = 0.05
TOP = 20
ROUGH = ("hinge", "separable", "support")  # codes of a curvature that rests on too few points


@dataclass(frozen=True)
class Caveat:
    """A broken assumption: a short code for programs, and a sentence that says what to do."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Trust:
    """Facts beside every score view.

    Attributes:
        gradient_norm: ‖∇J(θ̂)‖.
        smallest_eigenvalue: of H without the damping; None where it was not computed.
        residual: largest relative residual of the solve.
        damping: δ.
        agreement: with exact LOO, where that has been run.
        caveats: one per broken assumption; empty means green.
        reason: why this damping was chosen, where nobody set it.
        truth: what the agreement is with.
    """

    gradient_norm: float
    smallest_eigenvalue: float | None
    residual: float
    damping: float
    agreement: Agreement | None
    caveats: tuple[Caveat, ...]
    reason: str = ""
    truth: str = "exact LOO"

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences of the caveats."""
        return tuple(caveat.sentence for caveat in self.caveats)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the caveats."""
        return tuple(caveat.code for caveat in self.caveats)

    @property
    def line(self) -> str:
        """The facts as one line of text."""
        smallest = "not computed" if self.smallest_eigenvalue is None else f"{self.smallest_eigenvalue:.2g}"
        facts = [
            f"‖∇J(θ̂)‖ = {self.gradient_norm:.1e}",
            f"smallest eigenvalue of H {smallest}",
            f"relative residual of the solve {self.residual:.0e}",
            f"damping {self.damping:g}",
        ]
        facts += [self.reason] if self.reason else []
        if self.agreement is not None:
            facts.append(f"against {self.truth}: r = {self.agreement.r}, slope = {self.agreement.slope}")
        return " · ".join(facts)


@dataclass(frozen=True, eq=False)
class Ground:
    """What the scores at every test point stand on; checked once, not at every click.

    Attributes:
        fitted: model at θ̂.
        damping: δ.
        eigenvalues: (p,) of H without the damping, or None.
        leverage: (n,) or None.
        copies: (n,) training points with the same number are exact copies of each other.
        curvature: whether the scores use the Hessian at all.
        first_order: whether they ignore that the Hessian changes when a point leaves.
        reason: why this damping was chosen, where nobody set it.
        truth: what the scores may be compared with.
    """

    fitted: FittedModel
    damping: float
    eigenvalues: FloatArray | None
    leverage: FloatArray | None
    copies: NDArray[np.int64]
    curvature: bool = True
    first_order: bool = True
    reason: str = ""
    truth: str = "exact LOO"

    @once
    def caveats(self) -> tuple[Caveat, ...]:
        """Fit, spectrum, support of the curvature, and number of points."""
        found = [_fit(self.fitted), _few(self.fitted)]
        if self.curvature:
            found[1:1] = [_spectrum(self.eigenvalues, self.damping, self.fitted), _support(self.fitted, self.leverage)]
        return tuple(caveat for caveat in found if caveat)

    @once
    def twins(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) whether a point has an exact copy, and (n,) whether one under another label."""
        y = self.fitted.train.y.cpu().numpy()
        labelled = np.unique(np.stack([self.copies, y], 1), axis=0, return_inverse=True)[1].reshape(-1)
        many, same = np.bincount(self.copies)[self.copies], np.bincount(labelled)[labelled]
        return many > 1, many > same


def trust(
    ground: Ground, solution: Solution, scores: FloatArray, remoteness: FloatArray, agreed: Agreement | None = None
) -> Trust:
    """The trust line of the scores at one test point, or of their mean over several.

    Args:
        ground: what was checked before.
        solution: of (H + δI) V = q.
        scores: (n,).
        remoteness: (m,) of the test points asked about, in units of what is far for a training point.
        agreed: with exact LOO.
    """
    values = ground.eigenvalues
    clicked = [_copies(ground, scores), _far(remoteness)]
    if ground.curvature:
        clicked[:0] = [Caveat("solver", solution.advice) if solution.advice else None]
    if ground.first_order and ground.leverage is not None:
        rough = any(caveat.code in ROUGH for caveat in ground.caveats)
        clicked[:0] = [_leverage(ground.leverage, scores, rough)]
    return Trust(
        ground.fitted.fit.gradient_norm,
        None if values is None else float(values.min()),
        float(solution.residual.max()) if len(solution.residual) else 0.0,
        ground.damping,
        agreed,
        ground.caveats + tuple(caveat for caveat in clicked if caveat),
        ground.reason,
        ground.truth,
    )


def _fit(fitted: FittedModel) -> Caveat | None:
    fit = fitted.fit
    if fit.converged:
        return None
    if fitted.kind.seeded:
        return Caveat(
            "network",
            f"Training stopped at ‖∇J‖ = {fit.gradient_norm:.1e}: a network is at no exact minimum, and another run "
            "ends elsewhere. Read scores as a ranking, and compare with training on random halves (LDS) first.",
        )
    sentence = f"The fit stopped at ‖∇J‖ = {fit.gradient_norm:.1e}, above {fit.goal:.1e}: choose a larger l2."
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
            return Caveat("indefinite", f"{start}. Set a damping above {-smallest:.1e}.")
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
    loss = fitted.model.loss
    rests = f"the curvature rests on about {points:.0f} points for {parameters:.1f} effective parameters"
    margins = loss.margins(fitted.outputs, fitted.train.y)
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


def _few(fitted: FittedModel) -> Caveat | None:
    if not isinstance(fitted.model, LinearModel):
        return None
    n, width, classes = *fitted.train.x.shape, fitted.model.loss.outputs
    softmax = isinstance(fitted.model.loss, Softmax)
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


def _top(scores: FloatArray) -> NDArray[np.int64]:
    k = min(TOP, len(scores))
    return np.argpartition(-np.abs(scores), k - 1)[:k]


def _leverage(leverage: FloatArray, scores: FloatArray, rough: bool) -> Caveat | None:
    """A strong point with leverage above one half, which first order under-estimates more than twice."""
    top = _top(scores)
    count = int((leverage[top] > LEVERAGE_LIMIT).sum())
    if not count:
        return None
    points = "points has" if count == 1 else "points have"
    better = "exact LOO" if rough else "one-step Newton or exact LOO"  # one step errs too where the curvature is rough
    return Caveat(
        "leverage",
        f"{count} of the {len(top)} strongest {points} leverage above {LEVERAGE_LIMIT} "
        f"(up to {leverage[top].max():.2f}): first order under-estimates them; use {better}.",
    )


def _copies(ground: Ground, scores: FloatArray) -> Caveat | None:
    top, (copied, disputed) = _top(scores), ground.twins
    count, other = int(copied[top].sum()), int(disputed[top].sum())
    if not count:
        return None
    points = "points has" if count == 1 else "points have"
    labels = f", {other} under another label" if other else ""
    return Caveat(
        "copies",
        f"{count} of the {len(top)} strongest {points} exact copies among the training points{labels}: removing one "
        "alone says little while its copies stay. Remove them together, as a group.",
    )


def _far(remoteness: FloatArray) -> Caveat | None:
    count, m = int((remoteness > FAR).sum()), len(remoteness)
    if count <= (FAR_SHARE * m if m > 1 else 0):
        return None
    who = "This test point lies" if m == 1 else f"{count} of the {m} test points lie"
    return Caveat(
        "far",
        f"{who} far outside the training data (up to {remoteness.max():.1f} times as far from the nearest training "
        "point as 99 % of those are from each other): the model extrapolates there. Check the row, or add training "
        "points near it.",
    )
