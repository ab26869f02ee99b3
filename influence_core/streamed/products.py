"""More parameters than a matrix of them has room: H is known by its products, each one pass over the rows.

Solves are block conjugate gradients: all columns together, one pass for each iteration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from influence_core.compute import blocks, gram, once, product
from influence_core.curvature import Curvature
from influence_core.models.linear import project
from influence_core.settings import SettingsError
from influence_core.solvers import ConjugateGradients, Solution
from influence_core.streamed.passes import COPIES, Passes

MOST_PARAMETERS = 12_000  # up to here H is p × p: 1.2 GB in double precision
TOLERANCE = 1e-8  # largest relative residual of a solve
MOST_PASSES = 2_000  # of a solve
USUAL_FIT, USUAL_SOLVE = 200, 40  # passes, where no solve has told yet
FACTORED = 4_000  # columns up to which all of x̃ᵀx̃/n is factored
SAMPLED = 2_000  # rows that stand for it beyond
KEPT = 4  # of so many sampled rows one direction is taken for one of the data's
SOLVING = 10  # times the columns of a solve that it holds at once
SOLVED_BYTES = 2**28  # of them; more columns are solved one group after another


def of(passes: Passes) -> Products | None:
    """Those of this model, where H itself has no room."""
    return Products(passes) if passes.model.loss.outputs * passes.width > MOST_PARAMETERS else None


@dataclass(frozen=True, eq=False)
class Axes:
    """x̃ᵀx̃/n as Q diag(values) Qᵀ + rest·(I − QQᵀ): all of it, or its leading part in a sample of the rows."""

    values: Tensor
    vectors: Tensor
    rest: float


@dataclass(frozen=True, eq=False)
class Products:
    """H + δI at any θ as an operator, and what makes its systems easy.

    Attributes:
        passes: the rows.
        gains: decimal digits that a pass of each solve has brought so far.
    """

    passes: Passes
    gains: list[float] = field(default_factory=list)
    _spent: list[int] = field(default_factory=lambda: [0])

    @property
    def size(self) -> int:
        """p."""
        return self.passes.model.loss.outputs * self.passes.width

    def refuse(self) -> SettingsError:
        """What needs all of (H + δI)⁻¹."""
        return SettingsError(
            "Leverage, self-influence, one-step Newton and refits without each of all rows need the inverse Hessian, "
            f"which is held for up to {MOST_PARAMETERS:,} parameters; here are {self.size:,}. First-order influence of "
            "test rows, and refits without its strongest rows, are offered."
        )

    def curvature(self, theta: Tensor, damping: float = 0.0) -> Curvature:
        """H(θ) + δI, with the directions lifted along which θ changes nothing; each product is a pass."""
        passes, model, n = self.passes, self.passes.model, len(self.passes)
        plain, null, outputs = replace(model, l2=0.0, fold_penalty=False), passes.null, model.loss.outputs
        shift = (model.l2 * passes.penalised + damping)[:, None]

        def matvec(v: Tensor) -> Tensor:
            self._spent[0] += 1
            total = shift * v + project(v, null, outputs)
            for _, batch in passes:
                total += plain.hvp(batch.x, plain.curvatures(theta, batch), v, 0.0) * (len(batch) / n)
            return total

        def dense() -> Tensor:
            raise self.refuse()

        return Curvature(self.size, damping, matvec, dense, theta.new_empty(0))

    @once
    def axes(self) -> Axes:
        """One pass, or some rows drawn at random: at most four blocks of them."""
        passes, width, n = self.passes, self.passes.width, len(self.passes)
        if width <= FACTORED:
            total = torch.zeros(width, width, dtype=torch.float64)
            for _, batch in passes:
                total += gram(batch.x) / n
            values, sides = torch.linalg.eigh(total)
            return Axes(values, sides, 0.0)
        count = min(n, SAMPLED, COPIES * passes.together)
        x = passes.rows(np.sort(np.random.default_rng(0).choice(n, count, replace=False))).x / math.sqrt(count)
        values, sides = torch.linalg.eigh(product(x, x.T))
        kept = max(1, count // KEPT)
        values, sides = values[-kept:], sides[:, -kept:]
        rest = max(0.0, float(x.square().sum() - values.sum())) / (width - kept)
        return Axes(values, product(x.T.contiguous(), sides) / values.clamp(min=1e-300).sqrt(), rest)

    def solver(self, theta: Tensor, curvature: Tensor, damping: float, tolerance: float) -> ConjugateGradients:
        """Conjugate gradients preconditioned by C̄ ⊗ x̃ᵀx̃/n + l2 + δ: exact where all examples share their C_i."""
        apply = separable(curvature, self.axes, self.passes.model.l2 + damping)
        return ConjugateGradients(self.curvature(theta, damping), tolerance, MOST_PASSES, given=(apply, 0))

    def direction(self, theta: Tensor, gradient: Tensor, curvature: Tensor, tolerance: float) -> Tensor:
        """−H(θ)⁻¹∇J, to a relative residual of ``tolerance``, (p,)."""
        return -self.solved(self.solver(theta, curvature, 0.0, tolerance), gradient[:, None]).value[:, 0]

    @property
    def together(self) -> int:
        """Columns that are solved at once."""
        return max(1, SOLVED_BYTES // (8 * SOLVING * self.size))

    def solved(self, solver: ConjugateGradients, b: Tensor) -> Solution:
        """Solve, and note what a pass brings.

        Raises:
            SettingsError: it did not arrive.
        """
        parts = []
        for part in blocks(b.shape[1], 1, self.together):
            before, found = self._spent[0], solver(b[:, part])
            if not found.converged:
                raise SettingsError(f"Data on disk: {found.advice} A larger l2 helps, too.")
            reached = float(found.residual.max().clamp(1e-16, 0.1))
            self.gains.append(-math.log10(reached) / max(1, self._spent[0] - before))
            parts.append(found)
        joined = [torch.cat([getattr(one, name) for one in parts], -1) for name in ("value", "residual")]
        return replace(parts[0], value=joined[0], residual=joined[1], products=sum(one.products for one in parts))

    def passes_of(self, columns: int) -> int:
        """That a solve usually takes, as earlier ones went."""
        each = math.ceil(-math.log10(TOLERANCE) / min(self.gains[-3:])) + 1 if self.gains else USUAL_SOLVE
        return -(-columns // self.together) * each

    def held(self, columns: int) -> int:
        """Bytes of a solve for so many columns."""
        width = self.passes.width
        factored = width if width <= FACTORED else min(SAMPLED, COPIES * self.passes.together)
        return 8 * (self.size * (columns + SOLVING * min(columns, self.together)) + 3 * width * factored)


def separable(curvature: Tensor, axes: Axes, shift: float) -> Callable[[Tensor], Tensor]:
    """B ↦ (C̄ ⊗ G + shift)⁻¹ B for the mean curvature C̄ (K, K) and G of ``axes``, (p, k) to (p, k)."""
    scales, sides = torch.linalg.eigh(curvature)
    scales = scales.clamp(min=0)
    least = max(shift, 1e-12 * float(scales.max() * axes.values.max()))
    rest = 1 / (scales * axes.rest + least)
    beyond = 1 / (scales[:, None] * axes.values.clamp(min=0) + least) - rest[:, None]

    def apply(b: Tensor) -> Tensor:
        outputs, width, k = len(scales), len(axes.vectors), b.shape[1]  # k may be 0
        turned = product(sides.T.contiguous(), b.reshape(outputs, width * k)).view(outputs, width, k)
        found = turned * rest[:, None, None]
        for a in range(outputs):
            found[a] += product(axes.vectors, beyond[a][:, None] * product(axes.vectors.T, turned[a]))
        return product(sides, found.view(outputs, width * k)).view(b.shape)

    return apply
