"""The objectives J(·; 1 − e_i) of one fitted model, their gradients and values for many refits by matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import Task, blocks, gram, once, product
from influence_core.models import FittedModel
from influence_core.models.losses import Squared

FLOOR = 1e-14
WIDE = 1_500  # parameters up to which p × p costs little whatever the number of examples
SQUARED_CONDITION = 1e6  # of XᵀX, columns of length 1: above it a product with XᵀX loses digits that two with X keep
PASS_BYTES = 64 * 2**20  # one array of outputs of all n examples for a block of refits


@dataclass(frozen=True, eq=False)
class Objectives:
    """J(·; 1 − e_i) for every training point i."""

    fitted: FittedModel
    task: Task

    @once
    def penalty(self) -> float:
        """l2 of J(·; 1 − e_i)."""
        n = len(self.fitted.train)
        return self.fitted.model.l2 * (1 - 1 / n if self.fitted.model.fold_penalty else 1.0)

    @once
    def floor(self) -> float:
        """Gradient norm below which rounding rules: 1e-14·‖∇J(0)‖."""
        zero = torch.zeros_like(self.fitted.theta)
        return FLOOR * float(self.fitted.model.objective(zero, self.fitted.train)[1].norm())

    @once
    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        """For squared loss 2XᵀX/n and Xᵀr̂/n: the whole objective, so that a pass costs p² and not n·p per refit."""
        train = self.fitted.train
        n, p = train.x.shape
        if not isinstance(self.fitted.model.loss, Squared) or (n < p and p > WIDE):
            return None
        curvature = 2 * gram(train.x) / len(train)
        if self.penalty == 0 and _condition(curvature) > SQUARED_CONDITION:
            return None
        return curvature, product(train.x.T, self.fitted.residuals)[:, 0] / len(train)

    def block_size(self) -> int:
        """Refits worked on together, so that one array of their outputs has ``PASS_BYTES``."""
        return max(1, int(PASS_BYTES // (8.0 * len(self.fitted.train) * self.fitted.model.loss.outputs)))

    def outputs(self, theta: Tensor) -> Tensor:
        """F of all examples under each refit, (n, b, K): the expensive step of everything here, so it ticks."""
        self.task.tick()
        x = self.fitted.train.x
        return product(x, theta.reshape(-1, x.shape[1]).T).view(len(x), len(theta), -1)

    def back(self, weights: Tensor) -> Tensor:
        """(1/n) Σ_j w_j ⊗ x̃_j for weights (n, b, K), shape (b, p)."""
        n, b, _ = weights.shape
        return product(weights.reshape(n, -1).T, self.fitted.train.x).view(b, -1) / n

    def gradients(self, theta: Tensor, rows: Tensor) -> Tensor:
        """∇J(θ_i; 1 − e_i) for b refits by two matrix products per block of refits, (b, p)."""
        model, train = self.fitted.linear, self.fitted.train
        penalty = self.penalty * model.penalised(train.x) * theta
        if self.quadratic is not None:
            curvature, at_fit = self.quadratic
            own = model.loss.residuals((theta * train.x[rows]).sum(1, keepdim=True), train.y[rows])
            moved = product(theta - self.fitted.theta, curvature)
            return moved + at_fit - own * train.x[rows] / len(train) + penalty
        parts = []
        for part in blocks(len(rows), 1, self.block_size()):
            residuals = model.loss.residuals(self.outputs(theta[part]), train.y[:, None])
            residuals[rows[part], torch.arange(residuals.shape[1], device=rows.device)] = 0
            parts.append(self.back(residuals))
        return torch.cat(parts) + penalty

    def values(self, theta: Tensor, rows: Tensor) -> Tensor:
        """J(θ_i; 1 − e_i) for b refits, (b,)."""
        model, train = self.fitted.linear, self.fitted.train
        losses = model.loss.values(self.outputs(theta), train.y[:, None])
        losses[rows, torch.arange(len(rows), device=rows.device)] = 0
        return losses.sum(0) / len(train) + self.penalty * (theta**2 @ model.penalised(train.x)) / 2


def _condition(square: Tensor) -> float:
    """Largest over smallest eigenvalue, every column in its own unit, columns of zeros aside."""
    used = square.diagonal() > 0
    unit = square.diagonal()[used].rsqrt()
    values = torch.linalg.eigvalsh(unit[:, None] * square[used][:, used] * unit)
    return float(values[-1] / values[0].clamp(min=1e-300)) if len(values) else 1.0
