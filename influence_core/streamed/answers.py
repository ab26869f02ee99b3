"""Predicted changes, leverage and self-influence of every row on disk, one pass each.

    change[i, j] = m_j(θ̂ without i) − m_j(θ̂)           (new minus old)

First order q_jᵀ (H + δI)⁻¹ g_i / n, or one Newton step with H_i taken out (exact for squared loss), as in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Task, numpy, once, product
from influence_core.compute.pieces import Found
from influence_core.data.stored import Stored
from influence_core.influence.watched import UNIQUE, Watched, rank_corrected, watch
from influence_core.models import Batch, FittedModel
from influence_core.models.fitting import Fit
from influence_core.models.linear import LinearModel
from influence_core.settings import ModelSettings, SettingsError
from influence_core.solvers import ConjugateGradients, Solution
from influence_core.solvers.solution import residuals
from influence_core.streamed.fitting import FEW, fit, model_of, positive
from influence_core.streamed.fitting import at as expansion
from influence_core.streamed.passes import BLOCK_BYTES, Cost, Passes
from influence_core.streamed.products import TOLERANCE, Products
from influence_core.streamed.products import of as products_of
from influence_core.streamed.rows import Residuals, leverage_of
from influence_core.streamed.sharing import each, leading

ESTIMATORS = ("influence", "newton")


@dataclass(frozen=True, eq=False)
class Streamed:
    """A model fitted on data that stay on disk.

    Attributes:
        passes: the training rows.
        fit: θ̂.
        hessian: H without damping, (p, p); None where it has no room.
        damping: δ.
        products: H in its place, where it has no room.
    """

    passes: Passes
    fit: Fit
    hessian: Tensor | None = field(repr=False)
    damping: float = 0.0
    products: Products | None = None

    @property
    def model(self) -> LinearModel:
        """The linear predictor."""
        return self.passes.model

    @property
    def curvature(self) -> Tensor:
        """H + δI with the directions lifted along which θ changes nothing, a fresh array (p, p); a sentence without."""
        if self.hessian is None:
            assert self.products is not None
            raise self.products.refuse()
        h = positive(self.passes, self.hessian.clone())
        h.diagonal().add_(self.damping)
        return h

    @once
    def inverse(self) -> Tensor:
        """(H + δI)⁻¹, (p, p).

        Raises:
            SettingsError: H + δI is singular.
        """
        h = self.curvature
        unit = h.diagonal().clamp(min=1e-300).rsqrt()
        factor, failed = torch.linalg.cholesky_ex(unit[:, None] * h * unit)
        if int(failed):
            raise SettingsError("The Hessian is singular to rounding: choose a larger l2 or a damping.")
        inverse: Tensor = unit[:, None] * torch.cholesky_inverse(factor) * unit
        return inverse

    @once
    def _solver(self) -> ConjugateGradients:
        assert self.products is not None
        mean = expansion(self.passes, self.fit.theta, whole=False).curvature
        return self.products.solver(self.fit.theta, mean, self.damping, TOLERANCE)

    def solve(self, b: Tensor) -> Tensor:
        """(H + δI)⁻¹ B, (p, k): one product, or some passes for all columns together."""
        return product(self.inverse, b) if self.products is None else self.products.solved(self._solver, b).value

    @once
    def _solutions(self) -> WeakKeyDictionary[Watched, Solution]:
        return WeakKeyDictionary()

    def _searched(self, watched: Watched) -> Solution | None:
        """By products, once for as long as ``watched`` is held; None where the inverse is at hand."""
        if self.products is not None and watched not in self._solutions:
            self._solutions[watched] = self.products.solved(self._solver, watched.gradient)
        return self._solutions.get(watched)

    def solved(self, watched: Watched) -> Tensor:
        """V with (H + δI) V = q for what is watched, (p, m)."""
        found = self._searched(watched)
        return product(self.inverse, watched.gradient) if found is None else found.value

    def residual(self, watched: Watched) -> float:
        """Largest relative residual ‖(H + δI) v_j − q_j‖ / ‖q_j‖ of what is watched."""
        found = self._searched(watched)
        if found is not None:
            return float(found.residual.max())
        h = self.curvature
        return float(residuals(lambda v: product(h, v), self.solved(watched), watched.gradient).max())

    def cost(self, passes: int, columns: int, products: float | None = None) -> Cost:
        """What so many passes take, and before them a solve for some columns.

        Args:
            passes: over all rows.
            columns: 0 where all of (H + δI)⁻¹ is needed, which raises ``SettingsError`` where it has no room.
            products: of a block with d̄ × d̄ in each pass, where that is not one for each column.
        """
        share = columns / self.passes.width if products is None else products
        if self.products is None:
            return self.passes.cost(passes, share, len(self.fit.theta))
        if not columns:
            raise self.products.refuse()
        return self.passes.cost(passes + self.products.passes_of(columns), 2 * share, held=self.products.held(columns))

    def watched(self, tests: NDArray[np.int64], quantity: str = "loss", target: int = -1) -> Watched:
        """What is watched at some test rows.

        Raises:
            SettingsError: there is no such row.
        """
        m = len(self.passes.stored.test)
        if len(tests) == 0 or tests.min() < 0 or tests.max() >= m:
            raise SettingsError(f"Test rows: expected numbers from 0 to {m - 1}, got {tests[:5].tolist()}.")
        dataset = self.passes.stored.dataset(tests)
        few = self.passes.rows(slice(0, FEW))
        fitted = FittedModel(self.model, few, self.fit)
        return watch(fitted, self.model.batch(dataset, torch.device("cpu")), quantity, target)

    def blocks(self, task: Task | None = None, within: slice | None = None) -> Iterator[Residuals]:
        """One pass at θ̂, over all rows or those ``within``.

        Yields:
            Rows with their residuals and curvatures.
        """
        for rows, batch in self.passes.over(task or self.passes.task, within):
            yield self.block(rows, batch)

    def block(self, rows: slice | NDArray[np.int64], batch: Batch) -> Residuals:
        """Some rows at θ̂."""
        loss, f = self.model.loss, self.model.outputs(self.fit.theta, batch.x)
        return Residuals(rows, batch, f, loss.residuals(f, batch.y), loss.curvatures(f, batch.y))

    def scores(
        self, watched: Watched, estimator: str = "influence", task: Task | None = None
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Changes of what is watched when a row leaves: one pass with a product of d̄ × m.

        Yields:
            Rows and (b, m).
        """
        of = self.scorer(watched, estimator)
        for rows, found in each(Scoring.changes, of, (), self.passes, task or self.passes.task):
            yield rows, found["change"]

    def scorer(self, watched: Watched, estimator: str) -> Scoring:
        """Solved once: some rows to their (b, m) changes.

        Raises:
            SettingsError: an estimator that is not offered on disk.
        """
        if estimator not in ESTIMATORS:
            raise SettingsError(f"On disk: expected one of {', '.join(ESTIMATORS)}, got {estimator[:40]!r}.")
        first = estimator == "influence"
        if not first and watched.combine is not None:
            raise SettingsError("The mean over all test rows is watched by first-order influence: estimator=influence.")
        solved = self.solved(watched) if first else product(self.inverse, self.columns(watched.batch.x))
        # First order has no use for H any more, which would go to other processes with it.
        return Scoring(replace(self, hessian=None, products=None) if first else self, watched, solved, first)

    def columns(self, x: Tensor) -> Tensor:
        """K_j = I_K ⊗ x̃_j side by side, (p, m·K)."""
        eye = torch.eye(self.model.loss.outputs, dtype=x.dtype)
        return torch.einsum("ab,md->admb", eye, x).reshape(len(self.fit.theta), -1)

    def stepped(self, watched: Watched, x: Tensor, rho: Tensor, solved: Tensor) -> Tensor:
        """m_j(θ̂ + (H + δI)⁻¹ K_i ρ_i / n) − m_j(θ̂) from the solved columns of the test rows, (b, m)."""
        n, loss, m = len(self.passes), self.model.loss, len(watched.batch)
        moved = self.model.gradient_dot(x, rho, solved, 1 / n).view(-1, m, loss.outputs)
        values = watched.quantity.values
        after = values(loss, moved + watched.outputs, watched.batch.y, watched.target)
        return after - values(loss, watched.outputs, watched.batch.y, watched.target)

    def spread(self, block: Residuals) -> Tensor:
        """M_i = K_iᵀ (H + δI)⁻¹ K_i / n, (b, K, K): one product with d̄ × d̄ for each pair of outputs."""
        x, outputs = block.batch.x, self.model.loss.outputs
        parts, m = self.inverse.view(outputs, x.shape[1], outputs, x.shape[1]), x.new_empty(len(x), outputs, outputs)
        for a in range(outputs):
            for b in range(a + 1):
                solved = product(x, parts[a, :, b, :].contiguous())
                m[:, a, b] = m[:, b, a] = torch.linalg.vecdot(solved, x) / len(self.passes)
        return m

    def newton_residuals(self, block: Residuals) -> Tensor:
        """ρ_i (b, K) with δθ_i = (H + δI)⁻¹ K_i ρ_i / n; NaN where the leverage is 1."""
        spread = self.spread(block)
        alone = leverage_of(block.curvatures, spread) >= 1 - UNIQUE
        left = torch.where(alone[:, None, None], 0.0, block.curvatures)
        return torch.where(alone[:, None], torch.nan, rank_corrected(left, spread, block.residuals))

    def signals(self, task: Task | None = None) -> Iterator[tuple[slice, Mapping[str, FloatArray]]]:
        """Loss, leverage and self-influence (b,) of every row: one pass with d̄ × d̄ for each pair of outputs."""
        return each(Streamed.signals_of, self, (), self.passes, task or self.passes.task)

    def signals_of(self, rows: slice, task: Task) -> Found:
        """The same of some rows."""
        loss, parts = self.model.loss, list[dict[str, FloatArray]]()
        for block in self.blocks(task, rows):
            spread, r = self.spread(block), block.residuals
            found = {
                "loss": loss.values(block.outputs, block.batch.y),
                "leverage": leverage_of(block.curvatures, spread),
                "self_influence": torch.einsum("na,nab,nb->n", r, spread, r),
            }
            margins = loss.margins(block.outputs, block.batch.y)
            parts.append({name: numpy(values) for name, values in found.items()})
            if margins is not None:
                parts[-1]["margin"] = numpy(margins)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def strongest(
        self, watched: Watched, count: int, estimator: str = "influence", task: Task | None = None
    ) -> tuple[Any, FloatArray]:
        """The rows that change what is watched most: one pass, keeping ``count`` for each test row.

        Returns:
            Training rows (m, count) by falling |change|, and their changes (m, count).
        """
        of, count = self.scorer(watched, estimator), min(count, len(self.passes))
        found = each(Scoring.strongest, of, (count,), self.passes, task or self.passes.task)
        return leading(((one["rows"], one["change"]) for _, one in found), of.solved_for, count)


@dataclass(frozen=True, eq=False)
class Scoring:
    """Changes of what is watched, solved once: by first order, or by one Newton step."""

    at: Streamed
    watched: Watched
    solved: Tensor
    first: bool

    @property
    def solved_for(self) -> int:
        """What is watched, m."""
        return self.watched.gradient.shape[1]

    def __call__(self, block: Residuals) -> FloatArray:
        """(b, m) of some rows."""
        at, x = self.at, block.batch.x
        if self.first:
            return numpy(at.model.gradient_dot(x, block.residuals, self.solved, 1 / len(at.passes)))
        return numpy(at.stepped(self.watched, x, at.newton_residuals(block), self.solved))

    def changes(self, rows: slice, task: Task) -> Found:
        """(b, m) of some rows, read in blocks."""
        return {"change": np.concatenate([self(block) for block in self.at.blocks(task, rows)])}

    def strongest(self, rows: slice, count: int, task: Task) -> Found:
        """The strongest of some rows, numbers and changes (m, count)."""
        blocks = self.at.blocks(task, rows)
        found = leading(((block.numbers, self(block).T) for block in blocks), self.solved_for, count)
        return dict(zip(("rows", "change"), found, strict=True))


def streamed(
    settings: ModelSettings,
    stored: Stored,
    damping: float = 0.0,
    block: int = BLOCK_BYTES,
    task: Task = Task(),  # noqa: B008 - frozen
) -> Streamed:
    """Fit a model on data that stay on disk."""
    passes = Passes(stored, model_of(settings, stored), block, task)
    products = products_of(passes)
    found, hessian = fit(passes, products)
    return Streamed(passes, found, hessian, damping, products)
