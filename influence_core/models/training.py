"""Training networks by SGD or AdamW, any number of them at a time over per-model example weights.

All models of one run see the same minibatches in the same order, so that two of them differ only by what their example
weights, first parameters and rounding make of it: the experiment "leave i out" and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.compute import Task, blocks, once
from influence_core.models.fitting import TOLERANCE, Fit, line_search
from influence_core.models.linearised import linearised
from influence_core.models.minima import NoMinimumError
from influence_core.models.network import Network
from influence_core.models.normalised import settled
from influence_core.models.protocol import Batch
from influence_core.models.stacked import Stacked, stack_of
from influence_core.settings import SettingsError

GOAL = 1e-3  # of max(mean ‖g_i(θ₀)‖, ‖∇J(θ₀)‖): below this the first-order prediction starts from as good as a minimum
BETAS, EPSILON = (0.9, 0.999), 1e-8
NEWTON_LIMIT, NEWTON_STEPS = 2_000, 200


@dataclass(frozen=True)
class Optimiser:
    """How a network is trained.

    Attributes:
        method: ``sgd``: v ← μv + ∇J_batch, θ ← θ − ηv, the penalty inside the gradient, so that a fixed point is a
            minimum of J; ``adamw``: decoupled decay, whose fixed point is none; ``newton``: to a minimum, for few
            parameters.
        epochs: passes over the examples.
        learning_rate: η of the first epoch.
        momentum: μ; of SGD.
        batch_size: examples per step.
        schedule: ``cosine`` to zero, or ``constant``.
        patience: epochs without a lower validation loss after which training stops; 0: never.
        checkpoints: number of θ kept on the way.
    """

    method: str = "sgd"
    epochs: int = 50
    learning_rate: float = 0.05
    momentum: float = 0.9
    batch_size: int = 64
    schedule: str = "cosine"
    patience: int = 0
    checkpoints: int = 5

    @staticmethod
    def of(method: str, options: Mapping[str, object]) -> Optimiser:
        """The optimiser described by the options of a model."""
        names = {"epochs", "learning_rate", "momentum", "batch_size", "schedule", "patience", "checkpoints"}
        return replace(Optimiser(method), **{name: options[name] for name in names & options.keys()})  # type: ignore[arg-type]

    def rate(self, epoch: int) -> float:
        """η of an epoch."""
        share = 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) if self.schedule == "cosine" else 1.0
        return self.learning_rate * share

    def steps(self, n: int) -> int:
        """Steps of the whole run.

        Returns:
            Epochs times batches per epoch.
        """
        return self.epochs * -(-n // self.batch_size)


@dataclass(frozen=True, eq=False)
class Program:
    """What all models of a run share.

    Attributes:
        network: architecture, loss and penalty.
        batch: n examples.
        optimiser: how they are trained.
        seed: of the order of the examples.
        task: ticked after every epoch.
    """

    network: Network
    batch: Batch
    optimiser: Optimiser
    seed: int = 0
    task: Task = Task()  # noqa: RUF009 - frozen

    @once
    def scale(self) -> float:
        """Mean ‖g_i(θ₀)‖: what rounding of ∇J is measured by, whatever the unit of the loss."""
        first, x = self.network.start(self.batch).to(self.batch.x.device), self.batch.x
        residuals = self.network.loss.residuals(self.network.outputs(first, x), self.batch.y)
        return float(linearised(self.network, first).squared_norms(x, residuals).sqrt().mean())

    def settled(self, theta: Tensor, weights: Tensor | None = None) -> Network:
        """The network as it is evaluated at θ, which weighted examples led to: with averages of its batch norms."""
        return settled(self.network, theta, self.batch, weights, self.optimiser.batch_size)

    def run(
        self,
        starts: Tensor,
        weights: Tensor | None = None,
        epochs: int | None = None,
        after: Callable[[int, Callable[[], Tensor]], bool] = lambda _epoch, _theta: False,
    ) -> Tensor:
        """Train k models from ``starts``, all on the same minibatches.

        Args:
            starts: (k, p) first parameters.
            weights: (k, n) example weights a_i of every model; the divisor stays the batch size.
            epochs: stop after so many, on the schedule of all of them.
            after: told every finished epoch and how to get θ (k, p); returns whether to stop.

        Returns:
            (k, p).
        """
        if self.optimiser.method == "newton":
            own = [None] * len(starts) if weights is None else list(weights)
            return torch.stack([descend(self, start, a).theta for start, a in zip(starts, own, strict=True)])
        stack, plan = stack_of(self.network, self.seed), self.optimiser
        state, updates = stack.split(starts), Updates(self, stack, len(starts))
        for epoch, order in enumerate(self.orders(epochs)):
            for chosen in order:
                part = self.batch.take(chosen)
                gradient = stack.gradient(state, part, None if weights is None else weights[:, chosen])
                updates(state, gradient, plan.rate(epoch))
                self.task.tick()
            if after(epoch, lambda: stack.join(state)):
                break
        return stack.join(state)

    def orders(self, epochs: int | None = None) -> Iterator[list[Tensor]]:
        """The rows of every minibatch, one list for every epoch."""
        random, n = torch.Generator().manual_seed(self.seed), len(self.batch)
        for _ in range(self.optimiser.epochs if epochs is None else epochs):
            order = torch.randperm(n, generator=random).to(self.batch.x.device)
            yield [order[rows] for rows in blocks(n, 1, self.optimiser.batch_size)]


class Updates:
    """Steps of the optimiser on all models of a run, in place.

    Args:
        program: whose.
        stack: of the models.
        models: so many.

    Attributes:
        memory: what it remembers between steps, like the state: v; the averages of g and g² of AdamW.
        count: steps taken.
    """

    def __init__(self, program: Program, stack: Stacked, models: int) -> None:
        network, self.plan, like = program.network, program.optimiser, program.batch.x
        self.penalised, self.count = network.l2 > 0, 0
        self.decay = stack.split((network.l2 * network.penalised(like))[None])
        zero = torch.zeros(models, len(network.start()), dtype=network.dtype, device=like.device)
        self.memory = [stack.split(zero) for _ in range(1 if self.plan.method == "sgd" else 2)]

    def __call__(self, state: list[Tensor], gradient: list[Tensor], rate: float) -> None:
        """θ after one step with (1/b) Σ a_i ∇ℓ_i."""
        self.count += 1
        (self._sgd if self.plan.method == "sgd" else self._adamw)(state, gradient, rate)

    def _sgd(self, state: list[Tensor], gradient: list[Tensor], rate: float) -> None:
        for value, g, velocity, share in zip(state, gradient, *self.memory, self.decay, strict=True):
            if self.penalised:
                g.addcmul_(share, value)
            velocity.mul_(self.plan.momentum).add_(g)
            value.sub_(velocity, alpha=rate)

    def _adamw(self, state: list[Tensor], gradient: list[Tensor], rate: float) -> None:
        low, high = (1 - beta**self.count for beta in BETAS)
        for value, g, first, second, share in zip(state, gradient, *self.memory, self.decay, strict=True):
            first.mul_(BETAS[0]).add_(g, alpha=1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            value.mul_(1 - rate * share)
            value.addcdiv_(first, (second / high).sqrt_().add_(EPSILON), value=-rate / low)


def train(program: Program, validation: Batch | None = None, start: Tensor | None = None) -> Fit:
    """Train one network, with its curves, checkpoints and, with ``patience``, early stopping at the lowest validation.

    Returns:
        The fit; its θ is that of epoch ``fit.epochs``.

    Raises:
        NoMinimumError: the parameters grew beyond all numbers.
    """
    network, batch, plan = program.network, program.batch, program.optimiser
    first = network.start(batch).to(batch.x.device) if start is None else start
    if plan.method == "newton":
        return descend(program, first)
    history, curve, best = list[float](), list[float](), list[tuple[int, Tensor]]()
    kept, keep = list[tuple[int, Tensor]](), _evenly(plan.epochs, plan.checkpoints)

    def after(epoch: int, theta_of: Callable[[], Tensor]) -> bool:
        theta = theta_of()[0]
        program.task.tick(epoch + 1, plan.epochs)
        at = program.settled(theta)
        losses = at.losses(theta, batch)
        history.append(float(losses.mean()) + network.l2 / 2 * float(network.penalised(batch.x) @ theta.square()))
        if epoch in keep:
            kept.append((epoch + 1, theta.clone()))
        if validation is None or not len(validation):
            return False
        curve.append(float(at.losses(theta, validation).mean()))
        if not plan.patience:
            return False
        if curve[-1] <= min(curve):
            best[:] = [(epoch + 1, theta.clone())]
        return epoch + 1 - best[0][0] >= plan.patience

    last = program.run(first[None], after=after)[0]
    epochs, theta = best[0] if best else (len(history), last)
    if not bool(torch.isfinite(theta).all()):
        lost = next((k for k, value in enumerate(history, 1) if not math.isfinite(value)), len(history))
        raise NoMinimumError(
            f"Expected training to stay at finite numbers, left them in epoch {lost} of {plan.epochs}: choose a "
            f"learning rate below {plan.learning_rate:g}, or bring the target to the size of 1."
        )
    scale = max(program.scale, float(network.objective(first, batch)[1].norm()))
    norm = float(program.settled(theta).objective(theta, batch)[1].norm())
    checkpoints = _weighted(plan, len(batch), [(epoch, at) for epoch, at in kept if epoch <= epochs], (epochs, theta))
    return Fit(theta, plan.method, norm, GOAL * scale, tuple(history), tuple(curve), epochs, checkpoints)


def _evenly(epochs: int, count: int) -> set[int]:
    return {round((k + 1) * epochs / count) - 1 for k in range(count)} if count else set()


def _weighted(
    plan: Optimiser, n: int, kept: list[tuple[int, Tensor]], final: tuple[int, Tensor]
) -> tuple[tuple[float, Tensor], ...]:
    """Every checkpoint with Σ η / (batch size · (1 − μ)) over the epochs since the one before.

    The last batch of an epoch is often smaller, and an example in it weighs more: in the mean over the order of the
    examples 1 / batch size is the number of batches over n.
    """
    kept = kept if kept and kept[-1][0] == final[0] else [*kept, final]
    momentum = plan.momentum if plan.method == "sgd" else 0.0
    share = -(-n // plan.batch_size) / n
    marks = [0, *(epoch for epoch, _ in kept)]
    return tuple(
        (sum(plan.rate(epoch) for epoch in range(low, high)) * share / (1 - momentum), theta)
        for low, high, (_, theta) in zip(marks[:-1], marks[1:], kept, strict=True)
    )


def descend(program: Program, start: Tensor, weights: Tensor | None = None) -> Fit:
    """Newton with a dense Hessian, made positive definite by a ridge, to 1e-10 of a typical ‖g_i(θ₀)‖ or of ‖∇J(θ₀)‖.

    Returns:
        The fit; ``converged`` is False where rounding or a nonconvex J stopped it.

    Raises:
        SettingsError: more parameters than a dense Hessian is for.
    """
    network, batch = program.network, program.batch
    if len(start) > NEWTON_LIMIT:
        raise SettingsError(f"Newton: expected at most {NEWTON_LIMIT:,} parameters, got {len(start):,}: fit by adamw.")
    theta, eye = start, torch.eye(len(start), dtype=start.dtype, device=start.device)
    decay = network.l2 * network.penalised(batch.x)
    value, gradient = network.objective(theta, batch, weights)
    history, goal = [value], TOLERANCE * max(program.scale, float(gradient.norm()))
    while float(gradient.norm()) > goal and len(history) < NEWTON_STEPS:
        program.task.tick()
        h = network.hvp(theta, batch, eye, weights) + torch.diag(decay)
        ridge, (factor, failed) = 0.0, torch.linalg.cholesky_ex(h)
        while int(failed):
            ridge = max(10 * ridge, 1e-6 * float(h.diagonal().abs().max()) + 1e-300)
            factor, failed = torch.linalg.cholesky_ex(h + ridge * eye)
        direction = -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        step = line_search(lambda at: network.objective(at, batch, weights), (theta, value, gradient), direction)
        if step is None:
            break
        theta, value, gradient, _ = step
        history.append(value)
    return Fit(theta, "newton", float(gradient.norm()), goal, tuple(history))
