"""H(θ̂)⁻¹ of one output where there are fewer examples than parameters: an n × n factor in place of a p × p inverse."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from torch import Tensor

from influence_core.compute import FloatArray, product
from influence_core.models import FittedModel
from influence_core.retraining.objectives import WIDE


@dataclass(frozen=True, eq=False)
class WideInverse:
    """(ZᵀZ + D)⁻¹ = D⁻¹ − D⁻¹Zᵀ(I + Z D⁻¹ Zᵀ)⁻¹Z D⁻¹, an intercept without penalty eliminated first.

    Attributes:
        roots: Z (n, p), √(c_i/n) x̃_i.
        back: (p,) diagonal of D⁻¹; 0 at the intercept.
        factor: Cholesky factor of I + Z D⁻¹ Zᵀ, as SciPy holds it.
        place: of the intercept; −1 where every parameter is penalised.
        met: (n, 1) (I + Z D⁻¹ Zᵀ)⁻¹ z, z the column of Z at the intercept.
        pivot: zᵀ met.
    """

    roots: Tensor
    back: Tensor
    factor: tuple[FloatArray, bool]
    place: int
    met: Tensor
    pivot: float

    def __call__(self, rows: Tensor) -> Tensor:
        """H⁻¹ v for rows v, (b, p)."""
        scaled = rows * self.back[None, :]
        t = product(self.roots, scaled.T)
        s = _solve(self.factor, t)
        if self.place < 0:
            return self.back * (rows - product(self.roots.T, s).T)
        at = (rows[:, self.place] - (self.met * t).sum(0)) / self.pivot
        found: Tensor = self.back * (rows - product(self.roots.T, s + self.met * at).T)
        found[:, self.place] = at
        return found


def wide_inverse(fitted: FittedModel, penalty: float) -> WideInverse | None:
    """The inverse at a penalty, where an n × n factor is the smaller one and there is one; None elsewhere."""
    model, x = fitted.linear, fitted.train.x
    n, p = x.shape
    c, ridge = fitted.curvatures[:, :, 0], penalty * model.penalised(x)
    free = torch.nonzero(ridge == 0)[:, 0]
    if model.loss.outputs > 1 or not n < p or p <= WIDE or len(free) > 1 or bool((c < 0).any()):
        return None
    roots, back = (c / n).sqrt() * x, torch.where(ridge > 0, 1 / ridge.clamp(min=1e-300), 0.0)
    square = product(roots, (roots * back[None, :]).T)
    square.diagonal().add_(1)
    try:
        factor = cho_factor(square.numpy(), lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    place = int(free[0]) if len(free) else -1
    z = roots[:, place][:, None] if place >= 0 else torch.zeros(n, 1, dtype=x.dtype)
    met = _solve(factor, z)
    pivot = float((z * met).sum())
    return WideInverse(roots, back, factor, place, met, pivot) if place < 0 or pivot > 0 else None


def _solve(factor: tuple[FloatArray, bool], b: Tensor) -> Tensor:
    return torch.from_numpy(cho_solve(factor, b.numpy(), check_finite=False))
