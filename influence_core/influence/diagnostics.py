"""Classical diagnostics of unpenalised least squares, from the same leverages (Belsley, Kuh & Welsch 1980)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.compute import FloatArray, numpy
from influence_core.influence.effects import parameter_change
from influence_core.influence.watched import Influence
from influence_core.models import FittedModel
from influence_core.models.losses import Squared


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Deletion diagnostics of n points.

    Attributes:
        leverage: (n,) hat diagonal.
        studentised: (n,) externally studentised residuals e / √(s²₋ᵢ (1 − h)), target minus prediction.
        cooks_distance: (n,) e² h / (p s² (1 − h)²).
        dffits: (n,) studentised residual times √(h / (1 − h)).
        dfbetas: (n, p) scaled θ̂ − θ̂₋ᵢ; note the sign, opposite to parameter_change.
    """

    leverage: FloatArray
    studentised: FloatArray
    cooks_distance: FloatArray
    dffits: FloatArray
    dfbetas: FloatArray


def defined(fitted: FittedModel) -> bool:
    """Whether this is a least-squares fit without a penalty, at its minimum, to more points than parameters + 1."""
    n, p = fitted.train.x.shape
    plain = isinstance(fitted.model.loss, Squared) and fitted.model.l2 == 0
    return plain and fitted.unique and fitted.fit.converged and n > p + 1


def deletion_diagnostics(influence: Influence) -> Diagnostics:
    """Studentised residuals, Cook's distance, DFFITS and DFBETAS for squared loss with l2 = 0 and no damping.

    Raises:
        ValueError: another loss, a penalty, or a damping, for which they are not defined.
    """
    fitted = influence.fitted
    if not isinstance(fitted.model.loss, Squared) or fitted.model.l2 != 0 or influence.settings.damping != 0:
        raise ValueError("Cook's distance, DFFITS and DFBETAS need squared loss with l2 = 0 and no damping.")
    n, p = fitted.train.x.shape
    if n <= p + 1:
        raise ValueError(f"Expected more than {p + 1} training points for {p} parameters, got {n}.")
    moved = -parameter_change(influence, np.arange(n), newton=True)
    h, e = numpy(influence.leverage), numpy(fitted.train.y - fitted.outputs[:, 0])
    rss = float(e @ e)
    outside = (rss - e**2 / (1 - h)) / (n - p - 1)  # s² without point i
    studentised = e / np.sqrt(outside * (1 - h))
    unscaled = 2 * np.diag(numpy(influence.removal_solve.inverse())) / n  # diagonal of (XᵀX)⁻¹: H = 2 XᵀX / n
    return Diagnostics(
        h,
        studentised,
        e**2 * h / (p * (rss / (n - p)) * (1 - h) ** 2),
        studentised * np.sqrt(h / (1 - h)),
        moved / np.sqrt(outside[:, None] * unscaled),
    )
