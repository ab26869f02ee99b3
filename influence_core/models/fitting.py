"""Minimising J: Newton with line search (the default), and AdamW to show what an unconverged fit does to influence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.compute import SparseRows, blocks, gram, product
from influence_core.models.linear import LinearModel, add_projector, project
from influence_core.models.losses import SmoothedHinge, Squared
from influence_core.models.minima import (
    DENSE_LIMIT,
    refuse_empty,
    refuse_partly_separable,
    refuse_separable,
)
from influence_core.models.protocol import Batch
from influence_core.models.reference import least_squares
from influence_core.models.scikit_losses import core, smoother

TOLERANCE = 1e-10
ROUNDING = 1e-14  # of the mean size of what is summed to a gradient
MAX_STEPS = 200
POLISH = 2  # Newton steps after the goal: refits measure differences from θ̂, which its own error would spoil
SMOOTH = 0.1  # hinges with a smaller t start from the fit with a larger one


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a fit ended and how it got there.

    Attributes:
        theta: (p,) fitted parameters.
        method: ``newton``, ``adamw`` or ``sgd``.
        gradient_norm: ‖∇J(θ̂)‖.
        goal: what a converged fit reaches, :func:`goal_of`; for networks 1e-3·max(mean ‖g_i(θ₀)‖, ‖∇J(θ₀)‖).
        history: J after every step or epoch.
        validation: mean validation loss after every epoch; empty without a validation set.
        epochs: after which epoch of a network θ̂ was taken, by early stopping perhaps before the last.
        checkpoints: θ on the way of a network, each with Σ η / (batch size · (1 − μ)) since the one before.
    """

    theta: Tensor
    method: str
    gradient_norm: float
    goal: float
    history: tuple[float, ...]
    validation: tuple[float, ...] = ()
    epochs: int = 0
    checkpoints: tuple[tuple[float, Tensor], ...] = ()

    @property
    def converged(self) -> bool:
        """Whether ‖∇J(θ̂)‖ reached the goal."""
        return self.gradient_norm <= self.goal


def goal_of(model: LinearModel, batch: Batch, weights: Tensor | None = None, tolerance: float = TOLERANCE) -> float:
    """‖∇J‖ of a converged fit, whatever the unit: ``tolerance``·‖∇J(0)‖, but not below the rounding of its terms."""
    zero = model.start(batch)
    residuals = model.loss.residuals(model.outputs(zero, batch.x), batch.y)
    terms = residuals.norm(dim=1) * batch.x.norm(dim=1)
    norm = float(model.objective(zero, batch, weights)[1].norm())
    return max(tolerance * norm, ROUNDING * float(terms.mean()))


def newton(
    model: LinearModel,
    batch: Batch,
    weights: Tensor | None = None,
    start: Tensor | None = None,
    goal: float | None = None,
) -> Fit:
    """Minimise J(·; weights) by Newton steps with Armijo backtracking until ‖∇J‖ ≤ goal, then on towards rounding.

    Args:
        model: the objective.
        batch: n examples.
        weights: (n,) example weights a_i.
        start: (p,) first θ, default 0 (a nearly kinked hinge: the fit with a smoother one).
        goal: default :func:`goal_of`.

    Returns:
        The fit.  ``converged`` is False where rounding stopped the descent first.
    """
    refuse_empty(model, batch, weights)
    zero = model.start(batch)
    at_zero, slope = model.objective(zero, batch, weights)
    norm = float(slope.norm())
    goal = goal_of(model, batch, weights) if goal is None else goal
    polish = POLISH if start is None else 0
    theta = _first(model, batch, weights, 1e-3 * norm) if start is None else start
    history = [] if start is not None or theta is None else [at_zero]
    theta = zero if theta is None else theta
    value, gradient = model.objective(theta, batch, weights)
    ridge, directions = 0.0, _directions(model, batch)
    history.append(value)
    while float(gradient.norm()) > goal and len(history) < MAX_STEPS:
        refuse_separable(model, theta, batch, weights)
        direction = directions(theta, weights, gradient, ridge)
        step = line_search(lambda at: model.objective(at, batch, weights), (theta, value, gradient), direction)
        # Levenberg: where the curvature says nothing (a smoothed hinge far from its data) shorten towards -gradient.
        short = step is None or step[3] < 0.1
        ridge = max(10 * ridge, 1e-4) if short else ridge / 10 * (ridge >= 1e-6)
        if step is not None:
            theta, value, gradient, _ = step
            history.append(value)
        elif ridge > 1e6:
            break
    for _ in range(polish if float(gradient.norm()) <= goal else 0):
        candidate = theta + directions(theta, weights, gradient, 0.0)
        there, slope = model.objective(candidate, batch, weights)
        if not float(slope.norm()) < float(gradient.norm()):
            break
        theta, value, gradient = candidate, there, slope
    refuse_separable(model, theta, batch, weights)
    refuse_partly_separable(model, theta, batch, weights)
    return Fit(theta, "newton", float(gradient.norm()), goal, tuple(history))


def _first(model: LinearModel, batch: Batch, weights: Tensor | None, goal: float) -> Tensor | None:
    """Where a fit starts if not at 0: least squares at its answer, a nearly kinked hinge at that of a smoother one."""
    if isinstance(model.loss, Squared) and model.l2 == 0 and weights is None:
        return least_squares(batch.x, batch.y)
    return _smoother_start(model, batch, weights, goal)


def _smoother_start(model: LinearModel, batch: Batch, weights: Tensor | None, goal: float) -> Tensor | None:
    """Roughly fitted θ of the hinge with 3t, itself found this way, whose kink Newton steps can still see."""
    loss = core(model.loss)
    if not isinstance(loss, SmoothedHinge) or not 0 < loss.t < SMOOTH:
        return None
    before = replace(model, loss=smoother(model.loss, min(3 * loss.t, SMOOTH)))
    return newton(before, batch, weights, goal=goal).theta


def _directions(model: LinearModel, batch: Batch) -> Callable[[Tensor, Tensor | None, Tensor, float], Tensor]:
    """−(H + ridge I)⁻¹∇J, by a dense factor for few parameters, by conjugate gradients for many."""
    outputs, width, null = model.loss.outputs, batch.x.shape[1], model.null_space(batch.x)
    if isinstance(batch.x, SparseRows) and outputs * width > DENSE_LIMIT:
        return _TruncatedCG(model, batch, batch.x.square().sum(0) / len(batch), None)
    if outputs * width > DENSE_LIMIT:
        return _TruncatedCG(model, batch, *torch.linalg.eigh(gram(batch.x) / len(batch)))

    def dense(theta: Tensor, weights: Tensor | None, gradient: Tensor, ridge: float) -> Tensor:
        h = add_projector(model.hessian(theta, batch, weights), null, outputs)
        h.diagonal().add_(ridge)
        unit = h.diagonal().clamp(min=1e-300).rsqrt()  # features come in units of their own
        h = unit[:, None] * h * unit
        factor, failed = torch.linalg.cholesky_ex(h)
        while int(failed):  # rank-deficient to rounding: the smallest ridge that factors
            ridge = max(100 * ridge, 1e-14)
            factor, failed = torch.linalg.cholesky_ex(h + ridge * torch.eye(len(h), dtype=h.dtype, device=h.device))
        return -unit * torch.cholesky_solve((unit * gradient)[:, None], factor)[:, 0]

    return dense


@dataclass(frozen=True, eq=False)
class _TruncatedCG:
    """Directions to a relative residual of min(0.1, √‖∇J‖): Newton stays superlinear (Nocedal & Wright, alg. 7.1).

    Preconditioned by the Kronecker product of the mean curvature C̄ and XᵀX/n = QΛQᵀ, which is exact where all
    examples share their C_i; for sparse examples its diagonal alone stands for XᵀX/n.
    """

    model: LinearModel
    batch: Batch
    values: Tensor
    vectors: Tensor | None

    def __call__(self, theta: Tensor, weights: Tensor | None, gradient: Tensor, ridge: float) -> Tensor:
        model, x_, outputs = self.model, self.batch.x, self.model.loss.outputs
        c, penalty = model.curvatures(theta, self.batch, weights), model.penalty(weights)
        null, precondition = model.null_space(x_), self._preconditioner(c, penalty + ridge)
        x, r = torch.zeros_like(gradient), gradient.clone()
        goal = float(gradient.norm()) * min(0.1, float(gradient.norm()) ** 0.5)
        direction = z = precondition(r)
        rz = float(r @ z)
        for _ in range(2 * len(theta)):
            column = direction[:, None]
            a_direction = model.hvp(x_, c, column, penalty) + project(column, null, outputs) + ridge * column
            alpha = rz / float(direction @ a_direction[:, 0])
            x, r = x + alpha * direction, r - alpha * a_direction[:, 0]
            if float(r.norm()) <= goal:
                break
            z = precondition(r)
            rz, old = float(r @ z), rz
            direction = z + (rz / old) * direction
        return -x

    def _preconditioner(self, c: Tensor, shift: float) -> Callable[[Tensor], Tensor]:
        scales, sides = torch.linalg.eigh(c.mean(0))
        divisor = scales.clamp(min=0)[:, None] * self.values.clamp(min=0) + max(shift, 1e-12 * float(self.values.max()))

        def apply(r: Tensor) -> Tensor:
            rotated = sides.T @ r.view(len(scales), -1)
            if self.vectors is None:
                plain: Tensor = (sides @ (rotated / divisor)).reshape(-1)
                return plain
            back: Tensor = (sides @ (rotated @ self.vectors / divisor) @ self.vectors.T).reshape(-1)
            return back

        return apply


def line_search(
    objective: Callable[[Tensor], tuple[float, Tensor]], at: tuple[Tensor, float, Tensor], direction: Tensor
) -> tuple[Tensor, float, Tensor, float] | None:
    """Halve the step until J falls enough, or, at the rounding floor of J, until ‖∇J‖ falls.

    Returns:
        θ, J, ∇J and the length of the step, or None where no step helps.
    """
    theta, value, gradient = at
    descent, floor = float(gradient @ direction), 1e-14 * max(abs(value), 1e-300)
    for halving in range(40):
        step = 0.5**halving
        candidate = theta + step * direction
        new_value, new_gradient = objective(candidate)
        if new_value <= value + 1e-4 * step * descent and value - new_value > floor:
            return candidate, new_value, new_gradient, step
        if abs(new_value - value) <= 10 * floor + 1e-300 and float(new_gradient.norm()) < float(gradient.norm()):
            return candidate, new_value, new_gradient, step
    return None


@dataclass(frozen=True)
class AdamW:
    """First-order training: mean loss over batches, decoupled decay l2 (so its fixed point is no minimum of J)."""

    epochs: int = 50
    learning_rate: float = 0.05
    schedule: str = "cosine"
    batch_size: int = 256

    @staticmethod
    def of(options: Mapping[str, object]) -> AdamW:
        """The optimiser described by the options of a model."""
        names = ("epochs", "learning_rate", "schedule", "batch_size")
        return AdamW(**{name: options[name] for name in names if name in options})  # type: ignore[arg-type]


def adamw(
    model: LinearModel,
    batch: Batch,
    optimiser: AdamW,
    seed: int,
    validation: Batch | None = None,
) -> Fit:
    """Train by AdamW from θ = 0, reporting J and the validation loss after every epoch.

    Returns:
        The fit, usually not converged in the sense of J: the reason this path exists.
    """
    theta = model.start(batch).requires_grad_(True)
    step = torch.optim.AdamW([theta], lr=optimiser.learning_rate, weight_decay=0.0)
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(step, optimiser.epochs) if optimiser.schedule == "cosine" else None
    )
    random = torch.Generator().manual_seed(seed)
    penalised, history, curve = model.penalised(batch.x), [], []
    for _ in range(optimiser.epochs):
        order = torch.randperm(len(batch), generator=random).to(batch.x.device)
        for rows in blocks(len(batch), 1, optimiser.batch_size):
            part = batch.take(order[rows])
            with torch.no_grad():
                residuals = model.loss.residuals(model.outputs(theta, part.x), part.y)
                theta.grad = product(residuals.T.contiguous(), part.x).reshape(-1) / len(part)
                theta *= 1 - step.param_groups[0]["lr"] * model.l2 * penalised  # decoupled, the intercept spared
            step.step()
        if schedule is not None:
            schedule.step()
        fixed = theta.detach()
        history.append(model.objective(fixed, batch)[0])
        if validation is not None and len(validation):
            curve.append(float(model.losses(fixed, validation).mean()))
    final = theta.detach().clone()
    norm = float(model.objective(final, batch)[1].norm())
    return Fit(final, "adamw", norm, goal_of(model, batch), tuple(history), tuple(curve))
