"""Fewer examples than parameters: the n × n form of the system is factored, which p × p numbers would not fit beside.

With A = (1/n) Σ c_i x̃_i x̃_iᵀ + D = ZᵀZ + D and M = I + Z D⁻¹ Zᵀ, A⁻¹ = D⁻¹ − D⁻¹Zᵀ M⁻¹ Z D⁻¹ (Woodbury).  An intercept
without penalty, where D has no inverse, is eliminated first; a is its column of Z, and its pivot is aᵀM⁻¹a.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.compute import blocks, once, product
from influence_core.curvature import Curvature
from influence_core.solvers.dense import ACCURATE, CholeskyFactor, factored
from influence_core.solvers.refusal import refusal
from influence_core.solvers.solution import SingularError, Solution, dense_inverse, residuals

LATELY = 4  # columns whose solutions are kept
SAME = 1e-15  # of its length: what rounding leaves between a column and a multiple of another


@dataclass(frozen=True, eq=False)
class DualFactor:
    """A = ZᵀZ + D by a Cholesky factor of M.

    Attributes:
        curvature: A.
        roots: Z (n, p).
        back: (p,) diagonal of D⁻¹, 0 where D is 0.
        small: the factor of M (n, n).
    """

    curvature: Curvature
    roots: Tensor
    back: Tensor
    small: CholeskyFactor
    eigenvalues: None = None

    @once
    def free(self) -> tuple[int, Tensor, float] | None:
        """The coordinate without a penalty, M⁻¹a and aᵀM⁻¹a; None where all have one."""
        places = torch.nonzero(self.back == 0)[:, 0]
        if not len(places):
            return None
        column = torch.zeros(len(self.back), 1, dtype=self.back.dtype)
        column[places[0]] = 1
        a = product(self.roots, column)
        solved = self.small(a).value
        return int(places[0]), solved, float((a * solved).sum())

    @once
    def lately(self) -> deque[tuple[Tensor, Solution]]:
        """The last single columns and their solutions."""
        return deque(maxlen=LATELY)

    def __call__(self, b: Tensor) -> Solution:
        """Two products with Z and one solve with M for each right-hand side; the residual is that of A.

        A click asks again and again for multiples of the same two columns, x̃_i and x̃_j, and a solve reads n² numbers:
        a multiple of a column that was solved lately is the same multiple of its solution.
        """
        if b.shape[1] != 1:
            return self._solved(b)
        for column, known in tuple(self.lately):
            times = float((column * b).sum() / column.square().sum())
            if float((b - times * column).norm()) <= SAME * float(b.norm()):
                return replace(known, value=times * known.value)
        found = self._solved(b)
        if bool(b.any()):
            self.lately.append((b.clone(), found))
        return found

    def _solved(self, b: Tensor) -> Solution:
        t = product(self.roots, self.back[:, None] * b)
        s = self.small.apply(t)
        if self.free is not None:
            place, solved, pivot = self.free
            at = (b[place] - (solved * t).sum(0)) / pivot
            s = s + solved * at
        value = self.back[:, None] * (b - product(self.roots.T, s))
        if self.free is not None:
            value[place] = at
        relative = residuals(self.curvature.matvec, value, b)
        worst, n = float(relative.max()) if len(relative) else 0.0, len(self.roots)
        note = f"There are fewer examples than parameters, so the {n:,} × {n:,} form of the system was factored."
        if worst <= ACCURATE:
            return Solution(value, relative, 0, True, note=note)
        advice = f"The system is badly conditioned (relative residual {worst:.0e}): a larger damping or l2 helps."
        return Solution(value, relative, 0, False, advice, note=note)

    def energies(self, rows: Tensor) -> Tensor:
        """x_jᵀ A⁻¹ x_j for every row x_j of (k, p), (k,)."""
        parts = []
        for part in blocks(len(rows), 16.0 * len(self.roots)):
            x = rows[part]
            scaled = x * self.back[None, :]
            t = product(self.roots, scaled.T)
            found = (scaled * x).sum(1) - self.small.half(t).square().sum(0)
            if self.free is not None:
                place, solved, pivot = self.free
                found = found + (x[:, place] - (solved * t).sum(0)).square() / pivot
            parts.append(found)
        return torch.cat(parts)

    def inverse(self) -> Tensor:
        """A⁻¹, p solves, (p, p)."""
        return dense_inverse(self, self.curvature)


def dual(curvature: Curvature) -> DualFactor:
    """Factor a curvature that has a dual form.

    Raises:
        SingularError: it is not positive definite.
        ValueError: it has no such form.
    """
    if curvature.dual is None:
        raise ValueError("Expected a curvature with a dual form.")
    roots, ridge = curvature.dual()
    back = torch.where(ridge > 0, 1 / ridge.clamp(min=1e-300), 0.0)
    m = product(roots, (roots * back[None, :]).T)
    m.diagonal().add_(1)
    small = factored(m)
    found = None if small is None else DualFactor(curvature, roots, back, small)
    if found is None or (found.free is not None and not found.free[2] > 0):
        raise SingularError(refusal(curvature, formed=True))
    return found
