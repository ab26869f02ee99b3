"""What is asked of refits, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, RowsLike
from influence_core.models import Batch


@dataclass(frozen=True, eq=False)
class Question:
    """What is watched at m test points while points leave: a quantity of ``QUANTITIES`` and the examples."""

    batch: Batch
    quantity: str = "loss"
    target: int = -1


@dataclass(frozen=True, eq=False)
class Refits:
    """Measured changes, new minus old.

    Attributes:
        change: (n, m) change of the watched quantity; NaN where a refit is not certified.
        certificate: (n,) ‖∇J(θ_i; 1 − e_i)‖ / (‖g_i‖/n): 1 at θ̂, 0 at the exact refit; a size ‖g_i‖/n below what
            rounding lets one tell counts as that.  Infinite where no unique minimum is left.
        certified: (n,) bool, certificate ≤ 1e-6 and error ≤ 1 % of the largest |change|.
        self_change: (n,) change of the loss of the removed point (for a group: of its points, summed).
        passes: (), gradient evaluations spent, in units of one per training point.
        parameters: (n, p) refitted θ_i, where asked for.
        error: (n,) largest |q_jᵀ A_i⁻¹ ∇J(θ_i; 1 − e_i)| over the test points, A_i the Hessian without i: about how far
            the changes are from those of the exact refit, in their unit.
        noise: (s, m) the watched quantity after training on all points from other seeds; networks only.
        seeds: (s, n, m) changes in runs from several seeds, of which ``change`` is the mean; where that was measured.
    """

    change: FloatArray
    certificate: FloatArray
    certified: NDArray[np.bool_]
    self_change: FloatArray
    passes: FloatArray
    parameters: FloatArray | None = None
    error: FloatArray | None = None
    noise: FloatArray | None = None
    seeds: FloatArray | None = None

    def noise_of(self, test: RowsLike) -> float | None:
        """Standard deviation, over training runs from other seeds, of the watched quantity's mean over test points.

        Of changes that are means over seeds it is their typical standard error.

        Returns:
            σ in the unit of the quantity; None for refits to a minimum, which have no noise.
        """
        if self.seeds is not None:
            known = self.seeds[:, self.certified][:, :, list(test)].mean(2)
            return float(np.sqrt(known.var(0, ddof=1).mean() / len(known)))
        return None if self.noise is None else float(self.noise[:, list(test)].mean(1).std(ddof=1))


def joined(parts: Sequence[Refits]) -> Refits:
    """Blocks one after another."""

    def join(name: str) -> FloatArray:
        joined: FloatArray = np.concatenate([getattr(part, name) for part in parts])
        return joined

    parameters = None if parts[0].parameters is None else join("parameters")
    error = None if parts[0].error is None else join("error")
    passes = np.asarray(sum(float(part.passes) for part in parts))
    certified = join("certified").astype(bool)
    return Refits(join("change"), join("certificate"), certified, join("self_change"), passes, parameters, error)
