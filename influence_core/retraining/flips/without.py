"""A linear predictor without some training points: its curvature there, and what one point more or less would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import Task, once, product
from influence_core.models import FittedModel
from influence_core.models.linear import add_projector
from influence_core.retraining.flips.aim import Aim
from influence_core.retraining.minimise import UNIQUE, SingularRefitError

SURE = 10.0  # a sign is decided where the margin is so many certificates from zero


@dataclass(frozen=True, eq=False)
class Without:
    """The model without the training points ``rows``, at θ near the minimum of what is left.

    Attributes:
        fitted: the model with all training points.
        aim: what is watched.
        rows: (k,) who left.
        theta: (p,).
        task: ticked at every pass over the data.
        borrowed: A⁻¹ of the same points at a θ that chord steps led away from; None for one of its own.
    """

    fitted: FittedModel
    aim: Aim
    rows: Tensor
    theta: Tensor
    task: Task
    borrowed: Tensor | None = None

    @once
    def weights(self) -> Tensor:
        """(n,) 0 where a point left, else 1."""
        weights = torch.ones_like(self.fitted.train.y)
        weights[self.rows] = 0
        return weights

    @once
    def at_test(self) -> Tensor:
        """f at the test point, (K,)."""
        return product(self.theta.view(-1, len(self.aim.x)), self.aim.x[:, None])[:, 0]

    @once
    def margin(self) -> float:
        """m at θ."""
        return float(self.aim.margin(self.at_test))

    @once
    def gradient(self) -> Tensor:
        """∇J(θ; 1 − 1_S), (p,)."""
        self.task.tick()
        return self.fitted.linear.objective(self.theta, self.fitted.train, self.weights)[1]

    @once
    def inverse(self) -> Tensor:
        """A⁻¹ with A = ∇²J(θ; 1 − 1_S), (p, p).

        Raises:
            SingularRefitError: what is left has no unique minimum.
        """
        if self.borrowed is not None:
            return self.borrowed
        model, train = self.fitted.linear, self.fitted.train
        self.task.tick()
        h = model.hessian(self.theta, train, self.weights)
        h = add_projector(h, model.null_space(train.x), model.loss.outputs)
        factor, failed = torch.linalg.cholesky_ex(h)
        if int(failed) and model.l2 > 0:  # a hinge without curvature at its intercept
            h.diagonal().add_(1e-10 * h.diagonal().mean())
            factor, failed = torch.linalg.cholesky_ex(h)
        if int(failed):
            raise SingularRefitError(self.nothing_left)
        self.task.tick()
        inverse: Tensor = torch.cholesky_inverse(factor)
        return inverse

    @once
    def reach(self) -> float:
        """Largest ‖q‖ in the metric of A⁻¹ over the rivals."""
        q, solved = self._solved
        return float((q * solved).sum(1).clamp(min=0).max().sqrt())

    @once
    def certificate(self) -> float:
        """‖q‖·‖∇J‖ in the metric of A⁻¹: how far m is at most from that of the exact refit, A being the same there."""
        return self.reach * float(sizes(self.gradient[None], self.inverse)[0])

    @property
    def flips(self) -> bool:
        """Whether m is negative, and by more than the certificate leaves open."""
        return self.margin < 0 and self.margin + SURE * self.certificate < 0

    @property
    def nothing_left(self) -> str:
        """The sentence for a set without which there is no refit."""
        which = f"Without {len(self.rows):,} of the training points" if len(self.rows) else "For this model"
        return f"{which} J has no unique minimum: choose a larger l2 (for least squares: ridge)."

    @once
    def curvatures(self) -> Tensor:
        """C_i at θ, of all points, (n, K, K)."""
        return self.fitted.linear.loss.curvatures(self.outputs, self.fitted.train.y)

    def spread(self, rows: Tensor) -> Tensor:
        """M_i = K_iᵀA⁻¹K_i/n, (b, K, K)."""
        x, k = self.fitted.train.x[rows], self.fitted.linear.loss.outputs
        parts, m = self.inverse.view(k, x.shape[1], k, x.shape[1]), x.new_empty(len(x), k, k)
        for a in range(k):
            for b in range(a + 1):
                m[:, a, b] = m[:, b, a] = (product(x, parts[a, :, b, :]) * x).sum(1) / len(self.weights)
                self.task.tick()
        return m

    def first_order(self) -> Tensor:
        """(n,) change of m when each point leaves, to first order: q·A⁻¹g_i/n."""
        return self._along(self._residuals)

    def leaving(self) -> Tensor:
        """(n,) change of m by one Newton step when each point leaves too; infinite where there is none."""
        c = self.curvatures
        left = eye(c) - c @ self.spread(torch.arange(len(c), device=c.device))
        undefined = torch.linalg.det(left) <= UNIQUE
        left[undefined] = eye(c)
        change = self._along(torch.linalg.solve(left, self._residuals))
        return torch.where(undefined | (self.weights == 0), torch.inf, change)

    def returning(self) -> Tensor:
        """(k,) change of m by one Newton step when each point that left comes back."""
        c, residuals = self.curvatures[self.rows], torch.zeros_like(self._residuals)
        grown = eye(c) + c @ self.spread(self.rows)
        residuals[self.rows] = torch.linalg.solve(grown, self._residuals[self.rows])
        return -self._along(residuals)[self.rows]

    def corrects(self, weights: Tensor) -> bool:
        """Whether so few points differ that Woodbury for them costs less than a factor."""
        return int((weights != self.weights).sum()) * self.curvatures.shape[1] <= len(self.theta) // 2 + 1

    def corrected(self, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """(A ± H_T/n)⁻¹∇ by Woodbury, T the points whose weight differs."""
        train, n = self.fitted.train, len(weights)
        rows = torch.nonzero(weights != self.weights)[:, 0]
        x, c = train.x[rows], self.curvatures[rows] * (weights - self.weights)[rows, None, None]
        k, t = c.shape[1], len(rows)
        if not t:
            return lambda gradient: product(gradient[None], self.inverse).view(-1)
        back = x.T.contiguous()
        solved = product(self.inverse.reshape(-1, x.shape[1]), back).view(-1, k * t)
        m = torch.cat([product(x, part) for part in solved.view(k, x.shape[1], -1)]) / n
        change, at = torch.zeros(k, t, k, t, dtype=c.dtype, device=c.device), torch.arange(t, device=c.device)
        change[:, at, :, at] = c
        change = change.view(k * t, k * t)
        inner = torch.linalg.lu_factor(eye(change) + change @ m)

        def step(gradient: Tensor) -> Tensor:
            u = product(gradient[None], self.inverse)[0]
            inside = product(u.view(k, -1), back).view(-1, 1)
            moved: Tensor = u - (solved @ torch.linalg.lu_solve(*inner, change @ inside / n))[:, 0]
            return moved

        return step

    @once
    def outputs(self) -> Tensor:
        """f of all points at θ, (n, K)."""
        return self.fitted.linear.outputs(self.theta, self.fitted.train.x)

    @once
    def _residuals(self) -> Tensor:
        return self.fitted.linear.loss.residuals(self.outputs, self.fitted.train.y)

    @once
    def _solved(self) -> tuple[Tensor, Tensor]:
        """q of every rival, the nearest first, and A⁻¹q, (rivals, p) each."""
        directions = self.aim.directions(self.at_test)
        q = self.fitted.linear.pullback(self.aim.x.expand(len(directions), -1), directions)
        return q, product(q, self.inverse)

    def _along(self, residuals: Tensor) -> Tensor:
        """q·A⁻¹(K_i r_i + folded)/n for r (n, K), (n,)."""
        model, train, v = self.fitted.linear, self.fitted.train, self._solved[1][0]
        shared = v @ model.folded(self.theta, train.x)
        change: Tensor = ((model.outputs(v, train.x) * residuals).sum(1) + shared) / len(train)
        return change


def sizes(gradient: Tensor, inverse: Tensor) -> Tensor:
    """‖∇J‖ in the metric of A⁻¹ for rows (b, p), (b,)."""
    found: Tensor = (product(gradient, inverse) * gradient).sum(1).clamp(min=0).sqrt()
    return found


def eye(like: Tensor) -> Tensor:
    """The identity of the size, type and device of the last two dimensions."""
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
