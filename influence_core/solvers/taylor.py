"""Neumann (Taylor) series of A / s with full Hessian products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import once
from influence_core.curvature import Curvature
from influence_core.solvers.lanczos import largest_eigenvalue
from influence_core.solvers.solution import Solution, dense_inverse, residuals

GROWN = 1e3  # a residual that many times the right-hand side is no slow start any more


@dataclass(frozen=True, eq=False)
class Taylor:
    """V_k = B + (I − A/s) V_{k−1}, V_0 = B; A⁻¹B ≈ V_m / s (Koh & Liang 2017).

    Converges iff s > λ_max / 2; the automatic s is λ_max, and every eigenvalue λ of A costs (1 − λ/s) per product.
    V_m/s is iterated as x ← x + (B − A x)/s, the same numbers, so that every product also gives the residual.

    Attributes:
        curvature: of A.
        scale: s; 0 for λ_max.
        tolerance: relative residual at which a column is done.
        max_products: per right-hand side.
    """

    curvature: Curvature
    scale: float
    tolerance: float
    max_products: int
    eigenvalues: None = None

    @once
    def chosen(self) -> tuple[float, int]:
        """s and the products it cost."""
        return (self.scale, 0) if self.scale else largest_eigenvalue(self.curvature)

    @property
    def setup(self) -> int:
        """Products before the first solve."""
        return self.chosen[1]

    def __call__(self, b: Tensor) -> Solution:
        """Add terms until every relative residual is ≤ tolerance, ``max_products`` are spent or the series diverges."""
        s, size = self.chosen[0], b.norm(dim=0)
        x, used, worst = torch.zeros_like(b), 0, [1.0, 1.0]
        r, live = b.clone(), torch.nonzero(size > 0)[:, 0]
        for step in range(self.max_products + 1):
            if not len(live) or not worst[-1] < GROWN:
                break
            x[:, live] += r[:, live] / s
            if step == self.max_products:
                break
            r[:, live] = b[:, live] - self.curvature.matvec(x[:, live])
            used += len(live)
            left = r[:, live].norm(dim=0) / size[live]
            worst.append(float(left.max()))
            live = live[~(left <= self.tolerance)]
        relative = residuals(self.curvature.matvec, x, b)
        good = not bool((relative > self.tolerance).any() or relative.isnan().any())
        return Solution(x, relative, used, good, "" if good else self._advice(worst), note=self._note)

    @property
    def _note(self) -> str:
        if self.scale:
            return f"Scale s = {self.scale:.4g}, set by hand."
        s, products = self.chosen
        return f"Scale s = {s:.4g}: the largest eigenvalue of H + δI, by {products} products of power iteration."

    def _advice(self, worst: list[float]) -> str:
        if not worst[-1] < GROWN:
            return (
                f"The Taylor series diverges: the scale s = {self.chosen[0]:.3g} is not above half the largest "
                "eigenvalue, or H + δI is indefinite. Leave the scale at 0 (automatic), or raise the damping."
            )
        rate = worst[-1] / worst[-2] if worst[-2] else 1.0
        more = math.log(self.tolerance / worst[-1]) / math.log(rate) if 0 < rate < 1 else math.inf
        need = f"about {more:,.0f} more at this rate" if more < 1e6 else "far more than anyone can wait for"
        return (
            f"The Taylor series stopped at a relative residual of {worst[-1]:.1e} after {len(worst) - 2:,} products "
            f"per right-hand side and needs {need}: allow more products, or raise the damping."
        )

    def inverse(self) -> Tensor:
        """A⁻¹, p solves, (p, p)."""
        return dense_inverse(self, self.curvature)
