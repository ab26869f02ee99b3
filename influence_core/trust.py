"""The trust line: what the numbers rest on, and one sentence of advice for every assumption that is broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.agreement import Agreement
from influence_core.compute import FloatArray
from influence_core.models import FittedModel
from influence_core.solvers import Solution

LEVERAGE_LIMIT = 0.5
CONDITION_LIMIT = 1e10
TOP = 20


@dataclass(frozen=True)
class Trust:
    """Facts beside every score view.

    Attributes:
        gradient_norm: ‖∇J(θ̂)‖.
        smallest_eigenvalue: of H without the damping; None where it was not computed.
        residual: largest relative residual of the solve.
        damping: δ.
        agreement: with exact LOO, where that has been run.
        warnings: one sentence of advice per broken assumption; empty means green.
    """

    gradient_norm: float
    smallest_eigenvalue: float | None
    residual: float
    damping: float
    agreement: Agreement | None
    warnings: tuple[str, ...]

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
        if self.agreement is not None:
            facts.append(f"against exact LOO: r = {self.agreement.r}, slope = {self.agreement.slope}")
        return " · ".join(facts)


def trust(
    fitted: FittedModel,
    solution: Solution,
    damping: float,
    eigenvalues: FloatArray | None = None,
    agreed: Agreement | None = None,
) -> Trust:
    """Collect the facts and check fit, spectrum and solve.

    Returns:
        The trust line, without the checks that need scores (:func:`check_leverage`).
    """
    smallest = None if eigenvalues is None else float(eigenvalues.min())
    residual = float(solution.residual.max()) if len(solution.residual) else 0.0
    warnings = [*_fit(fitted), *_spectrum(eigenvalues, damping)]
    if solution.advice:
        warnings.append(solution.advice)
    if len(fitted.train) < fitted.train.x.shape[1]:
        warnings.append(
            f"There are fewer training points ({len(fitted.train)}) than features ({fitted.train.x.shape[1]}): "
            "only the penalty holds the fit in place, so scores depend on l2 as much as on the data."
        )
    return Trust(fitted.fit.gradient_norm, smallest, residual, damping, agreed, tuple(warnings))


def _fit(fitted: FittedModel) -> list[str]:
    fit = fitted.fit
    if fit.converged:
        return []
    if fit.method == "adamw":
        return [
            f"AdamW stopped at ‖∇J‖ = {fit.gradient_norm:.1e}: with decoupled decay its fixed point is no minimum of "
            "J, and influence assumes one. Fit by Newton to remove this error."
        ]
    return [f"The fit stopped at ‖∇J‖ = {fit.gradient_norm:.1e}, above {fit.goal:.1e}: choose a larger l2."]


def _spectrum(eigenvalues: FloatArray | None, damping: float) -> list[str]:
    if eigenvalues is None:
        return []
    smallest, largest = float(eigenvalues.min()) + damping, float(eigenvalues.max()) + damping
    if smallest <= 0:
        return [f"The Hessian is indefinite (smallest eigenvalue {smallest:.1e}): set a damping above {-smallest:.1e}."]
    if largest > CONDITION_LIMIT * smallest:
        return [f"The Hessian is nearly singular (condition {largest / smallest:.0e}): a larger l2 or damping helps."]
    return []


def check_leverage(leverage: FloatArray, scores: FloatArray) -> tuple[str, ...]:
    """Advice where a strong point has leverage above one half, so that first order under-estimates it.

    Returns:
        No or one sentence.
    """
    top = np.argsort(-np.abs(scores))[:TOP]
    count = int((leverage[top] > LEVERAGE_LIMIT).sum())
    if not count:
        return ()
    points = "points has" if count == 1 else "points have"
    return (
        f"{count} of the {len(top)} strongest {points} leverage above {LEVERAGE_LIMIT} "
        f"(up to {leverage[top].max():.2f}): first order under-estimates them; use one-step Newton or exact LOO.",
    )
