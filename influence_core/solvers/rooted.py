"""Least squares without forming XᵀX: the root R of A = RᵀR comes from the examples, and keeps half the digits more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import numpy, once
from influence_core.curvature import Curvature
from influence_core.solvers.solution import SingularError, Solution

DEPENDENT = 1e-12  # of the length of a column: what the columns before it leave unexplained
CONDITION_LIMIT = 1e10  # of R with columns of length 1; its own rounding is this times 1e-16


@dataclass(frozen=True, eq=False)
class RootFactor:
    """A = RᵀR with R upper triangular, from an orthogonal decomposition of the examples.

    Attributes:
        root: R (p, p).
    """

    root: Tensor

    def __call__(self, b: Tensor) -> Solution:
        """R⁻¹R⁻ᵀB.

        The residual is ‖R⁻ᵀ(B − A V)‖ / ‖R⁻ᵀB‖, the error of V in the length √(vᵀAv): what scores qᵀv see of it.
        """
        half = self.half(b)
        value: Tensor = torch.linalg.solve_triangular(self.root, half, upper=True)
        norms = half.norm(dim=0)
        error = (self.root @ value - half).norm(dim=0)
        relative = torch.where(norms > 0, error / norms.clamp(min=1e-300), error)
        condition = self.condition
        if condition <= CONDITION_LIMIT:
            return Solution(value, relative, 0, True)
        advice = (
            f"The columns nearly depend on each other (condition {condition:.0e}): leave some out, or use a penalty."
        )
        return Solution(value, relative, 0, False, advice)

    def half(self, b: Tensor) -> Tensor:
        """R⁻ᵀB, whose columns have the squared lengths bᵀA⁻¹b, (p, k)."""
        half: Tensor = torch.linalg.solve_triangular(self.root.T, b.to(self.root.dtype), upper=False)
        return half

    def inverse(self) -> Tensor:
        """A⁻¹, (p, p)."""
        found: Tensor = torch.cholesky_inverse(self.root, upper=True)
        return found

    @once
    def eigenvalues(self) -> Tensor:
        """Ascending eigenvalues of A, the squared singular values of R, (p,)."""
        values: Tensor = torch.linalg.svdvals(self.root).flip(0).square()
        return values

    @once
    def condition(self) -> float:
        """Condition of R with columns of length 1: what remains when every feature has its own unit."""
        values = numpy(torch.linalg.svdvals(self.root / self.root.norm(dim=0)))
        return float(values[0] / max(values[-1], 1e-300))


def rooted(curvature: Curvature) -> RootFactor:
    """Factor a curvature that has a root.

    Raises:
        SingularError: columns that depend on each other.
        ValueError: it has none.
    """
    if curvature.root is None:
        raise ValueError("Expected a curvature with a root.")
    root = curvature.root()
    if bool((root.diagonal().abs() <= DEPENDENT * root.norm(dim=0)).any()):
        raise SingularError(
            "Some columns depend on each other, so least squares has no unique answer. Set a damping, leave some of "
            "them out, or choose ridge regression."
        )
    return RootFactor(root)
