"""Classical diagnostics of unpenalised least squares, from the same leverages (Belsley, Kuh & Welsch 1980)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.compute import FloatArray, numpy
from influence_core.influence.effects import parameter_change
from influence_core.influence.watched import Influence
from influence_core.models import FittedModel
from influence_core.models.losses import Squared

CANCELS = 1e-4  # share of Σ e² below which a difference of two sums of squares loses too many digits


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Deletion diagnostics of n points.

    Attributes:
        leverage: (n,) hat diagonal; where it is 1 the fit without the point does not exist, and the others are NaN.
        studentised: (n,) externally studentised residuals e / √(s²₋ᵢ (1 − h)), target minus prediction.
        cooks_distance: (n,) e² h / (p s² (1 − h)²).
        dffits: (n,) studentised residual times √(h / (1 − h)).
        dfbetas: (n, p) scaled θ̂ − θ̂₋ᵢ; note the sign, opposite to parameter_change.  0 at coefficients held at 0.
    """

    leverage: FloatArray
    studentised: FloatArray
    cooks_distance: FloatArray
    dffits: FloatArray
    dfbetas: FloatArray


def defined(fitted: FittedModel) -> bool:
    """Whether this is a least-squares fit without a penalty, at its minimum, to more points than parameters + 1."""
    plain = isinstance(fitted.model.loss, Squared) and fitted.model.l2 == 0
    return plain and fitted.unique and fitted.fit.converged and len(fitted.train) > _free(fitted) + 1


def _free(fitted: FittedModel) -> int:
    """Parameters that are not held at 0."""
    return fitted.size - len(fitted.linear.held)


def _squares_without(influence: Influence, e: FloatArray, h: FloatArray) -> FloatArray:
    """Σ_j≠i (residual of j in the fit without i)², (n,).

    Where point i carries nearly all of Σ e², subtracting its share e_i²/(1 − h_i) leaves rounding alone; there the
    residuals themselves are summed, e_j + e_i h_ij / (1 − h_i).
    """
    total, share = float(e @ e), e**2 / (1 - h)
    left = total - share
    for i in np.flatnonzero(left < CANCELS * total):
        column = numpy(influence.removal_solve(influence.fitted.train.x[i : i + 1].T.contiguous()).value)[:, 0]
        across = 2 / len(e) * (numpy(influence.fitted.train.x) @ column)
        others = e + e[i] * across / (1 - h[i])
        others[i] = 0.0
        left[i] = others @ others
    return left


def deletion_diagnostics(influence: Influence) -> Diagnostics:
    """Studentised residuals, Cook's distance, DFFITS and DFBETAS for squared loss with l2 = 0 and no damping.

    Raises:
        ValueError: another loss, a penalty, or a damping, for which they are not defined.
    """
    fitted = influence.fitted
    if not isinstance(fitted.model.loss, Squared) or fitted.model.l2 != 0 or influence.settings.damping != 0:
        raise ValueError("Cook's distance, DFFITS and DFBETAS need squared loss with l2 = 0 and no damping.")
    n, p = len(fitted.train), _free(fitted)
    if n <= p + 1:
        raise ValueError(f"Expected more than {p + 1} training points for {p} parameters, got {n}.")
    moved = -parameter_change(influence, np.arange(n), newton=True)  # NaN at a leverage of 1
    h, e = numpy(influence.leverage), numpy(fitted.train.y - fitted.outputs[:, 0])
    rss, outside = float(e @ e), _squares_without(influence, e, h) / (n - p - 1)  # s², and s² without point i
    h = np.where(numpy(influence.alone), np.nan, h)
    studentised = e / np.sqrt(outside * (1 - h))
    unscaled = 2 * np.diag(numpy(influence.removal_solve.inverse())) / n  # diagonal of (XᵀX)⁻¹: H = 2 XᵀX / n
    return Diagnostics(
        numpy(influence.leverage),
        studentised,
        e**2 * h / (p * (rss / (n - p)) * (1 - h) ** 2),
        studentised * np.sqrt(h / (1 - h)),
        moved / np.sqrt(outside[:, None] * unscaled),
    )
