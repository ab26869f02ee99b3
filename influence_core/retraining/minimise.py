"""Minimising J(·; 1 − e_i) for many i at once, by matrix products over blocks of refits.

Chord steps with the fixed inverse of H(θ̂), rank-corrected for the example that leaves, settle almost all refits in two
or three passes over the data.  A refit whose gradient does not halve in a pass gets Newton steps of its own: the exact
Hessian at θ_i by conjugate gradients (preconditioned by the same fixed inverse) and a line search, again all such
refits together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import Task, blocks, once, product
from influence_core.compute.sparse import dense
from influence_core.models import FittedModel
from influence_core.models.linear import add_projector, project
from influence_core.models.scikit_losses import bounded, counted
from influence_core.retraining.objectives import Objectives
from influence_core.retraining.wide import WideInverse, wide_inverse

CERTIFIED = 1e-6
UNIQUE = 1e-9  # 1 − leverage below which only the point that leaves holds θ in some direction
NEWTON_STEPS = 60
CG_STEPS = 100


class SingularRefitError(ValueError):
    """Refits have no unique minimum."""


@dataclass(frozen=True, eq=False)
class Removals:
    """Which points leave, one per refit, and what their rank-K corrections need.

    Attributes:
        rows: (b,) training points.
        spread: (b, K, K) K_iᵀ H⁻¹ K_i / n.
        solved: (b, p) H⁻¹ x̃_i for a single output, where it saves half the work of a chord step; else None.
    """

    rows: Tensor
    spread: Tensor
    solved: Tensor | None

    def take(self, some: Tensor) -> Removals:
        """Some of the refits."""
        return Removals(self.rows[some], self.spread[some], None if self.solved is None else self.solved[some])


@dataclass(frozen=True, eq=False)
class Minimised:
    """b refits: θ_i (b, p), ∇J(θ_i; 1 − e_i) (b, p), the norm that certifies it, and the gradient evaluations spent."""

    removals: Removals
    theta: Tensor
    gradient: Tensor
    goals: Tensor
    evaluations: int = 0

    @property
    def norms(self) -> Tensor:
        """‖∇J(θ_i; 1 − e_i)‖, (b,); infinite where there is no minimum."""
        norms: Tensor = self.gradient.norm(dim=1)
        return norms

    def take(self, some: Tensor) -> Minimised:
        """Some of the refits."""
        return Minimised(self.removals.take(some), self.theta[some], self.gradient[some], self.goals[some])


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The objectives J(·; 1 − e_i) of one fitted model."""

    fitted: FittedModel
    task: Task

    @once
    def j(self) -> Objectives:
        """J(·; 1 − e_i), its gradients and values."""
        return Objectives(self.fitted, self.task)

    @property
    def floor(self) -> float:
        """Gradient norm below which rounding rules."""
        return self.j.floor

    @once
    def inverse(self) -> Tensor:
        """H(θ̂)⁻¹ without any damping, at the penalty that stays when one point leaves, (p, p)."""
        model, train = self.fitted.linear, self.fitted.train
        h = add_projector(model.hessian(self.fitted.theta, train), model.null_space(train.x), model.loss.outputs)
        h.diagonal().add_((self.j.penalty - model.l2) * model.penalised(train.x))
        self.task.tick()
        unit = h.diagonal().clamp(min=1e-300).rsqrt()  # features come in units of their own
        if model.l2 == 0:
            h = unit[:, None] * h * unit
        factor, failed = torch.linalg.cholesky_ex(h)
        if int(failed) and model.l2 > 0:  # a hinge without curvature at its intercept: good enough for chord steps
            h.diagonal().add_(1e-10 * h.diagonal().mean())
            factor, failed = torch.linalg.cholesky_ex(h)
        if int(failed):
            raise SingularRefitError(
                "The Hessian at the fit is singular, so refits have no unique minimum: choose a larger l2 (in place "
                "of linear regression: ridge regression), or leave some features out."
            )
        self.task.tick()
        inverse: Tensor = torch.cholesky_inverse(factor)
        return unit[:, None] * inverse * unit if model.l2 == 0 else inverse

    @once
    def wide(self) -> WideInverse | None:
        """The same by an n × n factor, where that is the smaller one."""
        return wide_inverse(self.fitted, self.j.penalty)

    def solved(self, rows: Tensor) -> Tensor:
        """H(θ̂)⁻¹ v for rows v, (b, p)."""
        return product(rows, self.inverse) if self.wide is None else self.wide(dense(rows))

    def sizes(self, rows: Tensor) -> Tensor:
        """‖g_i‖/n, the gradient of J(·; 1 − e_i) at θ̂, the folded penalty included, (b,)."""
        fitted = self.fitted
        g = fitted.linear.pullback(fitted.train.x[rows], fitted.residuals[rows])
        norms: Tensor = (g + fitted.model.folded(fitted.theta, fitted.train.x)).norm(dim=1)
        return norms / len(fitted.train)

    def minimise(self, rows: Tensor) -> Minimised:
        """Refit without each of ``rows`` until ‖∇J(θ_i; 1 − e_i)‖ ≤ 1e-6·‖g_i‖/n or the rounding floor.

        Returns:
            The refits; a norm above its goal marks one that did not get there, an infinite one that has no minimum.
        """
        removals, previous = self._removals(rows), self.sizes(rows)
        goals, unique = (CERTIFIED * previous).clamp(min=self.j.floor), self._unique(removals)
        theta = self.fitted.theta + self._start(removals)
        gradients, live, spent = torch.full_like(theta, torch.inf), torch.nonzero(unique)[:, 0], 0
        slow = []
        while len(live):
            gradients[live] = gradient = self.j.gradients(theta[live], rows[live])
            spent += len(live)
            norm = gradient.norm(dim=1)
            unsettled = ~(norm <= goals[live])  # also where it is not a number
            halved = norm <= previous[live] / 2
            slow.append(live[unsettled & ~halved])
            previous[live], moving = norm, unsettled & halved
            live, gradient = live[moving], gradient[moving]
            if len(live):
                theta[live] -= self.chord(removals.take(live), gradient)
        hard = torch.cat(slow) if slow else live
        for span in blocks(len(hard), 1, self.j.block_size()):
            part = hard[span]
            theta[part], gradients[part], used = self._newton(theta[part], removals.take(part), goals[part])
            spent += used
        return Minimised(removals, theta, gradients, goals, spent)

    def remaining(self, q: Tensor, found: Minimised, here: bool = False) -> Tensor:
        """q_jᵀ A_i⁻¹ ∇J(θ_i; 1 − e_i), (b, m): about how far q_jᵀθ_i (m, p) still is from its value at the minimum.

        With the Hessian at θ̂, or with that ``here`` at θ_i by conjugate gradients; not finite without a minimum.
        """
        removals = found.removals
        if here:
            return product(-self._direction(found.theta, removals, found.gradient)[0], q.T)
        if removals.solved is None or len(q) > q.shape[1]:
            return product(self.chord(removals, found.gradient), q.T)
        # One output: (H⁻¹q)ᵀ∇ and its rank-one correction, without solving for every refit.
        c, x = self.fitted.curvatures[removals.rows][:, 0], self.fitted.train.x[removals.rows]
        t = torch.linalg.vecdot(removals.solved, found.gradient) / len(self.fitted.train)
        solved, s = self.solved(q).T, c[:, 0] * t / (1 - c[:, 0] * removals.spread[:, 0, 0])
        left: Tensor = product(found.gradient, solved) + s[:, None] * product(x, solved)
        return left

    def closer(self, found: Minimised) -> Minimised:
        """The same refits with Newton steps to a gradient a thousand times smaller, or to rounding."""
        goals = (1e-3 * found.goals).clamp(min=self.j.floor)
        theta, gradient, spent = self._newton(found.theta, found.removals, goals)
        return Minimised(found.removals, theta, gradient, found.goals, found.evaluations + spent)

    def _unique(self, removals: Removals) -> Tensor:
        """Whether a unique minimum is left: no leverage of 1, and no class that loses its last member, (b,)."""
        fitted, rows = self.fitted, removals.rows
        unique = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        if fitted.model.l2 == 0:  # a penalty holds θ wherever the data do not
            left = torch.eye(removals.spread.shape[1], dtype=fitted.theta.dtype, device=rows.device)
            left = left - fitted.curvatures[rows] @ removals.spread
            unique = torch.linalg.eigvals(left).abs().min(dim=1).values > UNIQUE
        free = fitted.linear.intercept and not fitted.linear.intercept_penalty
        if free and not bounded(fitted.model.loss) and not counted(fitted.model.loss):
            labels = fitted.train.y.long()
            unique &= (
                torch.bincount(labels - labels.min())[labels[rows] - labels.min()] > 1
            )  # the intercept of an empty class goes to −∞
        return unique

    def _removals(self, rows: Tensor) -> Removals:
        """K_iᵀ H⁻¹ K_i / n from the blocks of the inverse."""
        x, outputs = self.fitted.train.x[rows], self.fitted.model.loss.outputs
        if outputs == 1:
            solved = self.solved(x)
            return Removals(rows, (solved * x).sum(1)[:, None, None] / len(self.fitted.train), solved)
        parts, m = self.inverse.view(outputs, x.shape[1], outputs, x.shape[1]), x.new_empty(len(x), outputs, outputs)
        for a in range(outputs):
            for b in range(a + 1):
                solved = product(x, parts[a, :, b, :])
                m[:, a, b] = m[:, b, a] = (solved * x).sum(1) / len(self.fitted.train)
        return Removals(rows, m, None)

    def _start(self, removals: Removals) -> Tensor:
        """One Newton step of J(·; 1 − e_i) from θ̂; where it is undefined (leverage 1), none."""
        fitted, rows = self.fitted, removals.rows
        if removals.solved is not None and not fitted.model.fold_penalty:
            correction = 1 - (fitted.curvatures[rows] * removals.spread)[:, :, 0]
            step = removals.solved * (fitted.residuals[rows] / correction / len(fitted.train))
        else:
            g = fitted.linear.pullback(fitted.train.x[rows], fitted.residuals[rows])
            g = g + fitted.model.folded(fitted.theta, fitted.train.x)
            step = self.chord(removals, g / len(fitted.train))
        return torch.where(torch.isfinite(step).all(1, keepdim=True), step, 0.0)

    def chord(self, removals: Removals, gradient: Tensor) -> Tensor:
        """(H − H_i/n)⁻¹ ∇ for every refit, by the fixed inverse and its rank-K correction, (b, p)."""
        fitted, rows, n = self.fitted, removals.rows, len(self.fitted.train)
        x, c = fitted.train.x[rows], fitted.curvatures[rows]
        u = self.solved(gradient)
        t = torch.einsum("bkd,bd->bk", u.view(len(rows), c.shape[1], -1), x)
        eye = torch.eye(c.shape[1], dtype=c.dtype, device=c.device)
        s, _ = torch.linalg.solve_ex(eye - c @ removals.spread, torch.einsum("bij,bj->bi", c, t) / n)
        if removals.solved is not None:
            return u.addcmul_(removals.solved, s)
        return u + self.solved(fitted.linear.pullback(x, s))

    def _newton(self, theta: Tensor, removals: Removals, goals: Tensor) -> tuple[Tensor, Tensor, int]:
        """Newton steps by conjugate gradients with line search for a block of refits."""
        rows = removals.rows
        theta = torch.where(torch.isfinite(theta), theta, self.fitted.theta)
        values, gradient = self.j.values(theta, rows), self.j.gradients(theta, rows)
        norms, spent = gradient.norm(dim=1), 2 * len(rows)
        live = torch.nonzero(norms > goals)[:, 0]
        for _ in range(NEWTON_STEPS):
            if not len(live):
                break
            direction, used = self._direction(theta[live], removals.take(live), gradient[live])
            moved, tried = self._line_search(theta[live], rows[live], values[live], gradient[live], direction)
            theta[live], spent = moved, spent + used + tried
            values[live], gradient[live] = self.j.values(moved, rows[live]), self.j.gradients(moved, rows[live])
            better = gradient[live].norm(dim=1)
            stalled = (better >= norms[live] * (1 - 1e-12)) & (tried >= 30 * len(live))
            norms[live] = better
            live = live[(better > goals[live]) & ~stalled]
        return theta, gradient, spent

    def _direction(self, theta: Tensor, removals: Removals, gradient: Tensor) -> tuple[Tensor, int]:
        """−H(θ_i)⁻¹∇ by conjugate gradients to 1e-3, preconditioned by the chord's fixed inverse."""
        model, train, rows = self.fitted.linear, self.fitted.train, removals.rows
        c = model.loss.curvatures(self.j.outputs(theta), train.y[:, None])
        c[rows, torch.arange(len(rows), device=rows.device)] = 0
        diagonal, null = self.j.penalty * model.penalised(train.x), model.null_space(train.x)

        def matvec(v: Tensor) -> Tensor:
            f = self.j.outputs(v)
            f = c[..., 0] * f if f.shape[2] == 1 else torch.einsum("nbij,nbj->nbi", c, f)
            return self.j.back(f) + diagonal * v + project(v.T.contiguous(), null, model.loss.outputs).T

        x, r = torch.zeros_like(gradient), gradient.clone()
        goal, spent = 1e-3 * gradient.norm(dim=1), 0
        direction = z = self.chord(removals, r)
        rz = (r * z).sum(1)
        for _ in range(CG_STEPS):
            a_direction = matvec(direction)
            spent += len(rows)
            alpha = rz / (direction * a_direction).sum(1).clamp(min=1e-300)
            x, r = x + alpha[:, None] * direction, r - alpha[:, None] * a_direction
            if bool((r.norm(dim=1) <= goal).all()):
                break
            z = self.chord(removals, r)
            rz, old = (r * z).sum(1), rz
            direction = z + (rz / old.clamp(min=1e-300))[:, None] * direction
        return -x, spent

    def _line_search(
        self, theta: Tensor, rows: Tensor, values: Tensor, gradient: Tensor, direction: Tensor
    ) -> tuple[Tensor, int]:
        """Armijo by halving, each refit its own step; at the rounding floor of J the full step is taken."""
        slope, step = (gradient * direction).sum(1), torch.ones_like(values)
        live, spent = torch.arange(len(rows), device=rows.device), 0
        for _ in range(40):
            candidate = theta[live] + step[live, None] * direction[live]
            new = self.j.values(candidate, rows[live])
            spent += len(live)
            enough = new <= values[live] + 1e-4 * step[live] * slope[live] + 1e-14 * values[live].abs()
            live = live[~enough]
            if not len(live):
                break
            step[live] /= 2
        return theta + step[:, None] * direction, spent
