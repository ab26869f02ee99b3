"""Iterative solvers on Hessian products only: conjugate gradients, and no solve at all as the baseline."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.curvature import Curvature
from influence_core.solvers.solution import SingularError, Solution, dense_inverse, residuals


@dataclass(frozen=True, eq=False)
class ConjugateGradients:
    """Preconditioned CG on all right-hand sides together, each with its own coefficients (Martens 2010).

    Columns never share a Krylov space, so more right-hand sides than parameters, equal or zero columns do no harm.
    """

    curvature: Curvature
    tolerance: float
    max_products: int
    eigenvalues: None = None

    def __call__(self, b: Tensor) -> Solution:
        """Iterate until every relative residual is ≤ tolerance or ``max_products`` per column are spent.

        Returns:
            The solution; ``products`` counts one per column and iteration.
        """
        x, used = self._iterate(b)
        relative = residuals(self.curvature.matvec, x, b)
        worst = float(relative.max()) if len(relative) else 0.0
        # The recursive residual drifts from the true one by rounding; allow for it.
        good = worst <= 10 * self.tolerance
        if good:
            return Solution(x, relative, used, True)
        advice = (
            f"Conjugate gradients stopped at a relative residual of {worst:.1e} after {self.max_products} products "
            "per right-hand side: allow more products, or raise the damping."
        )
        return Solution(x, relative, used, False, advice)

    def _iterate(self, b: Tensor) -> tuple[Tensor, int]:
        scale = 1 / self.curvature.diagonal()[:, None] if self.curvature.diagonal is not None else 1.0
        goals = self.tolerance * b.norm(dim=0)
        x, r = torch.zeros_like(b), b.clone()
        live = torch.nonzero(b.norm(dim=0) > goals)[:, 0]
        z = r * scale
        direction, rz, used = z.clone(), (r * z).sum(0), 0
        for _ in range(self.max_products):
            if not len(live):
                break
            d = direction[:, live]
            ad = self.curvature.matvec(d)
            used += len(live)
            bend = (d * ad).sum(0)
            if bool((bend <= 0).any()):
                raise SingularError("A direction of zero or negative curvature was met: set a positive damping.")
            alpha = rz[live] / bend
            x[:, live] += alpha * d
            r[:, live] -= alpha * ad
            z = r[:, live] * scale
            new = (r[:, live] * z).sum(0)
            direction[:, live] = z + (new / rz[live]) * d
            rz[live] = new
            live = live[r[:, live].norm(dim=0) > goals[live]]
        return x, used

    def inverse(self) -> Tensor:
        """A⁻¹, p solves.

        Returns:
            (p, p).
        """
        return dense_inverse(self, self.curvature)


@dataclass(frozen=True, eq=False)
class Identity:
    """V = B: no curvature at all, which turns influence into the gradient dot product; its residual shows the error."""

    curvature: Curvature
    eigenvalues: None = None

    def __call__(self, b: Tensor) -> Solution:
        """Return B with its residual.

        Returns:
            The 'solution'.
        """
        relative = residuals(self.curvature.matvec, b, b)
        return Solution(b, relative, 0, False, "No system was solved: this is the gradient dot product, a baseline.")

    def inverse(self) -> Tensor:
        """I.

        Returns:
            (p, p).
        """
        like = self.curvature.like
        return torch.eye(self.curvature.size, dtype=like.dtype, device=like.device)
