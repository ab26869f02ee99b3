"""Models with a linear predictor f = Θ x̃: everything is a residual, a curvature and two matrix products.

θ is the flattened (K, d̄) matrix Θ, d̄ = d + 1 with an intercept (its column comes last and is never penalised).
Per example g_i = r_i ⊗ x̃_i with r_i = ∂ℓ/∂f (K,), and H_i = C_i ⊗ x̃_i x̃_iᵀ with C_i = ∂²ℓ/∂f² (K, K).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from influence_core.compute import SparseRows, blocks, gram, product
from influence_core.compute.sparse import is_sparse
from influence_core.data.dataset import Dataset
from influence_core.models.kinds import LINEAR, Kind
from influence_core.models.losses import Loss, Softmax
from influence_core.models.protocol import Batch
from influence_core.models.scikit_losses import core

NEGLIGIBLE = 1e-20


@dataclass(frozen=True)
class LinearModel:
    """J(θ; a) = (1/n) Σ a_i ℓ_i(θ) + (l2/2) ‖θ_penalised‖², n the original number of examples whatever the weights.

    With ``fold_penalty`` the penalty belongs to every example's loss, (l2/2)‖θ‖² each: gradients carry l2·θ, and the
    penalty of J is multiplied by the mean weight, so that a removed point takes its share along.  Without a penalty θ
    stays 0 at the columns that are ``held``, because the others determine them.

    Attributes:
        loss: ℓ as a function of the outputs.
        l2: the penalty.
        intercept: whether there is one.
        fold_penalty: whether the penalty belongs to the examples.
        held: columns whose parameters stay 0.
        intercept_penalty: share of l2 on the intercept: 0 but for solvers that take it for one more coefficient.
        notes: what was understood of a model that somebody brought, sentences for people.
    """

    loss: Loss
    l2: float = 0.0
    intercept: bool = True
    fold_penalty: bool = False
    held: tuple[int, ...] = ()
    intercept_penalty: float = 0.0
    notes: tuple[str, ...] = ()
    kind: ClassVar[Kind] = LINEAR

    def batch(self, dataset: Dataset, device: torch.device) -> Batch:
        """Examples as float64 tensors on ``device``, with the intercept column; sparse ones stay so, on the CPU.

        Returns:
            x̃ (n, d̄) and y (n,).
        """
        if is_sparse(dataset.x):
            return Batch(self._sparse(dataset.x), torch.as_tensor(dataset.y.copy(), dtype=torch.float64))
        x = self.features(torch.as_tensor(dataset.x.copy(), dtype=torch.float64))
        return Batch(x.to(device), torch.as_tensor(dataset.y.copy(), dtype=torch.float64).to(device))

    def features(self, x: Tensor) -> Tensor:
        """x̃: the features, with a last column of ones where the model has an intercept, zero where held, (n, d̄)."""
        if self.held:
            x = x.clone()
            x[:, list(self.held)] = 0
        return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1) if self.intercept else x

    def _sparse(self, x: Any) -> SparseRows:
        """:meth:`features` of sparse rows."""
        kept = np.ones(x.shape[1])
        kept[list(self.held)] = 0
        parts = [x @ sparse.diags_array(kept) if self.held else x, np.ones((x.shape[0], int(self.intercept)))]
        return SparseRows(sparse.csr_array(sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")))

    def penalised(self, x: Tensor) -> Tensor:
        """1 where θ is penalised, ``intercept_penalty`` at the intercepts, (p,)."""
        mask = torch.ones(self.loss.outputs, x.shape[1], dtype=x.dtype, device=x.device)
        if self.intercept:
            mask[:, -1] = self.intercept_penalty
        return mask.reshape(-1)

    def start(self, batch: Batch) -> Tensor:
        """Zeros, (p,)."""
        return torch.zeros(self.loss.outputs * batch.x.shape[1], dtype=batch.x.dtype, device=batch.x.device)

    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """f = x̃ Θᵀ, (n, K)."""
        return product(x, theta.view(self.loss.outputs, -1).T)

    def losses(self, theta: Tensor, batch: Batch) -> Tensor:
        """ℓ_i(θ), the penalty not included, (n,)."""
        return self.loss.values(self.outputs(theta, batch.x), batch.y)

    def pullback(self, x: Tensor, residuals: Tensor) -> Tensor:
        """Per-example gradients r_i ⊗ x̃_i of any function with ∂/∂f = r_i.  For few examples: it is (n, p)."""
        return (residuals[:, :, None] * x[:, None, :]).reshape(len(x), -1)

    def gradients(self, theta: Tensor, batch: Batch) -> Tensor:
        """∇ℓ_i(θ), plus l2·θ under ``fold_penalty``.  For few examples: it is (n, p)."""
        rows = self.pullback(batch.x, self.loss.residuals(self.outputs(theta, batch.x), batch.y))
        return rows + self.folded(theta, batch.x) if self.fold_penalty else rows

    def folded(self, theta: Tensor, x: Tensor) -> Tensor:
        """What ``fold_penalty`` adds to every example's gradient: l2·θ_penalised, or zero when it is off, (p,)."""
        return (self.l2 if self.fold_penalty else 0.0) * self.penalised(x) * theta

    def gradient_dot(self, x: Tensor, residuals: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
        """scale · (r_i ⊗ x̃_i)ᵀ v_j for all i, j by matrix products; no (n, p) array is formed.

        Args:
            x: (n, d̄).
            residuals: (n, K).
            v: (p, k).
            scale: factor of the result.

        Returns:
            (n, k).
        """
        outputs, columns = self.loss.outputs, v.shape[1]
        scaled = residuals * scale
        if outputs == 1:
            return product(x, v).mul_(scaled)
        total = x.new_empty(len(x), columns)
        for part in blocks(columns, 8.0 * len(x) * outputs):
            # One product with all K parts side by side reads x once, whatever K.
            f = product(x, _side_by_side(v[:, part], outputs)).view(len(x), outputs, -1)
            total[:, part] = torch.einsum("nok,no->nk", f, scaled)
        return total

    def penalty(self, weights: Tensor | None) -> float:
        """The effective l2 of J(·; weights).

        Returns:
            l2, times the mean weight under ``fold_penalty``.
        """
        return self.l2 if weights is None or not self.fold_penalty else self.l2 * float(weights.mean())

    def objective(self, theta: Tensor, batch: Batch, weights: Tensor | None = None) -> tuple[float, Tensor]:
        """J(θ; weights) and its gradient.

        Returns:
            The value and ∇J (p,).
        """
        n, f = len(batch), self.outputs(theta, batch.x)
        value, residuals = self.loss.values(f, batch.y), self.loss.residuals(f, batch.y)
        if weights is not None:
            value, residuals = value * weights, residuals * weights[:, None]
        penalised = self.penalised(batch.x) * theta * self.penalty(weights)
        gradient = product(residuals.T.contiguous(), batch.x).reshape(-1) / n + penalised
        return float(value.sum() / n + penalised @ theta / 2), gradient

    def curvatures(self, theta: Tensor, batch: Batch, weights: Tensor | None = None) -> Tensor:
        """C_i = ∂²ℓ_i/∂f², times the example weights, (n, K, K)."""
        c = self.loss.curvatures(self.outputs(theta, batch.x), batch.y)
        return c if weights is None else c * weights[:, None, None]

    def hessian(self, theta: Tensor, batch: Batch, weights: Tensor | None = None) -> Tensor:
        """∇²J = (1/n) Σ a_i C_i ⊗ x̃_i x̃_iᵀ + l2·D, made of K(K+1)/2 weighted Grams.

        Returns:
            (p, p), exactly singular for softmax along :meth:`null_space`.
        """
        outputs, width = self.loss.outputs, batch.x.shape[1]
        c = self.curvatures(theta, batch, weights) / len(batch)
        h = torch.empty(outputs, width, outputs, width, dtype=batch.x.dtype, device=batch.x.device)
        for a in range(outputs):
            for b in range(a + 1):
                h[a, :, b, :] = block = _weighted_gram(batch.x, c[:, a, b])
                if a != b:
                    h[b, :, a, :] = block
        square = h.view(outputs * width, outputs * width)
        square.diagonal().add_(self.penalty(weights) * self.penalised(batch.x))
        return square

    def hvp(self, x: Tensor, curvatures: Tensor, v: Tensor, penalty: float) -> Tensor:
        """∇²J V from the per-example curvatures, in blocks of columns.

        Args:
            x: (n, d̄).
            curvatures: (n, K, K), example weights included.
            v: (p, k).
            penalty: effective l2.

        Returns:
            (p, k).
        """
        n, outputs, columns = len(x), self.loss.outputs, v.shape[1]
        result = (penalty * self.penalised(x))[:, None] * v
        for part in blocks(columns, 16.0 * n * outputs):
            f = product(x, _side_by_side(v[:, part], outputs)).view(n, outputs, -1)
            f = curvatures * f if outputs == 1 else torch.bmm(curvatures, f)
            back = product(x.T, f.reshape(n, -1)).view(x.shape[1], outputs, -1).permute(1, 0, 2)
            result[:, part] += back.reshape(v.shape[0], -1) / n
        return result

    def null_space(self, x: Tensor) -> Tensor | None:
        """Coordinates k along which θ changes nothing: a constant added to all classes of softmax, or a held column.

        The penalty removes the penalised ones, so with l2 > 0 only the intercepts stay.  All gradients of losses,
        margins and probabilities are orthogonal to these directions, so adding their projector to H is exact.

        Returns:
            (d̄,) mask of coordinates, or None.
        """
        mask = torch.zeros(x.shape[1], dtype=x.dtype, device=x.device)
        if not isinstance(core(self.loss), Softmax):
            mask[list(self.held)] = 1
        elif self.l2 == 0:
            mask[:] = 1
        elif self.intercept and not self.intercept_penalty:
            mask[-1] = 1
        return mask if bool(mask.any()) else None


def _side_by_side(v: Tensor, outputs: int) -> Tensor:
    """(K·d̄, k) parameter columns as (d̄, K·k), so that x times it holds the K outputs of every column."""
    if outputs == 1:
        return v
    return v.reshape(outputs, -1, v.shape[1]).permute(1, 0, 2).reshape(len(v) // outputs, -1)


def _weighted_gram(x: Tensor, w: Tensor) -> Tensor:
    """xᵀ diag(w) x; weights of one sign go through the symmetric product at half the cost.

    Rows whose weight is below rounding are left out: for a smoothed hinge that is all but the band at the margin.

    Returns:
        (d̄, d̄).
    """
    keep = w.abs() > NEGLIGIBLE * w.abs().max()
    if float(keep.double().mean()) < 0.7:
        x, w = x[keep], w[keep]
    if bool((w >= 0).all()):
        return gram(w.sqrt()[:, None] * x)
    if bool((w <= 0).all()):
        return -gram((-w).sqrt()[:, None] * x)
    return product(x.T, w[:, None] * x)


def project(v: Tensor, null: Tensor | None, outputs: int) -> Tensor:
    """Σ_k u_k u_kᵀ v with u_k = (1/√c) 1 ⊗ e_k over the coordinates of ``null``; the deflation term of softmax.

    Returns:
        (p, k) like ``v``; zero without a null space.
    """
    if null is None:
        return torch.zeros_like(v)
    mean = v.view(outputs, len(null), -1).mean(0) * null[:, None]
    return mean.expand(outputs, *mean.shape).reshape(v.shape)


def add_projector(h: Tensor, null: Tensor | None, outputs: int) -> Tensor:
    """H plus the projector of :func:`project`, in place.

    Returns:
        ``h``.
    """
    if null is not None:
        parts = h.view(outputs, len(null), outputs, len(null))
        for a in range(outputs):
            for b in range(outputs):
                parts[a, :, b, :].diagonal().add_(null / outputs)
    return h
