"""Reverse accumulation through a training run: ∂m_j(θ_T)/∂a_i at a = 1, for many j in one walk backwards.

SGD with g_t = (1/b) Σ_{i∈B_t} a_i ∇ℓ_i(θ_t) + l2·Dθ_t, v ← μv + g_t, θ ← θ − ηv (Hara, Nitanda & Maehara 2019; Ilyas &
Engstrom 2025).  From λ = q_j, ν = 0 at the end, step by step backwards:

    m = ν − η_t λ;   ∂m_j/∂a_i += mᵀ∇ℓ_i(θ_t)/b,  i ∈ B_t;   λ += H_{B_t} m + l2·D m;   ν = μ m

AdamW has the adjoints of its two averages in place of ν, and decays λ by 1 − η·l2·D instead of adding l2·D m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from influence_core.compute import Task, blocks
from influence_core.compute.spread import cores, spread
from influence_core.influence.unrolled.products import Minibatch, Parts, StepProducts, products_of
from influence_core.influence.unrolled.replay import Replay, Taken
from influence_core.models import Program
from influence_core.models.stacked import stack_of
from influence_core.models.training import BETAS, EPSILON

WIDTH = 64  # columns of a thread
SMALLEST = 1e-2  # factor of the kept momentum before it is multiplied in
PASS, COLUMN = 1.2, 0.75  # of a training step, measured: a step backwards, and every column of it


@dataclass(eq=False)
class _Momentum:
    """Adjoints of SGD; m = factor · kept, so that a step reads and writes it once."""

    program: Program
    products: StepProducts
    value: Parts
    decay: Parts
    kept: Parts
    factor: float = 1.0

    def step(self, taken: Taken) -> Tensor:
        """One step backwards: mᵀ∇ℓ_i/b of its minibatch, (b, k)."""
        batch, l2 = self.program.batch.take(taken.rows), self.program.network.l2
        self.factor *= self.program.optimiser.momentum
        if self.factor < SMALLEST:
            for kept in self.kept:
                kept.mul_(self.factor)
            self.factor = 1.0
        for kept, value in zip(self.kept, self.value, strict=True):
            kept.sub_(value, alpha=taken.rate / self.factor)
        found = self.products.add(Minibatch(taken.theta, batch, self.factor / len(batch)), self.kept, self.value)
        if l2:
            for value, kept, decay in zip(self.value, self.kept, self.decay, strict=True):
                value.addcmul_(kept, decay, value=self.factor)
        return found


@dataclass(eq=False)
class _Averages:
    """Adjoints of AdamW: of θ, and of the averages of g and of g²."""

    program: Program
    products: StepProducts
    value: Parts
    decay: Parts
    first: Parts
    second: Parts

    def step(self, taken: Taken) -> Tensor:
        """One step backwards: the adjoint of g times ∇ℓ_i/b, of its minibatch, (b, k)."""
        program, split = self.program, self.products.split
        batch, stack = program.batch.take(taken.rows), stack_of(program.network)
        g = stack.join(stack.gradient(stack.split(taken.theta[None]), batch, None))[0]
        first, second = taken.memory
        low, high = (1 - beta**taken.count for beta in BETAS)
        root = (second / high).sqrt()
        below = root + EPSILON
        to_first = -taken.rate / low / below
        to_second = taken.rate / low * first / (2 * high * below.square() * root)
        to_second = torch.where(root > 0, to_second, 0.0)  # where every gradient was zero, so is its average
        factors = (split(values[:, None]) for values in (to_first, to_second, g))
        slopes = list[Tensor]()
        for value, m, s, decay, a, b, c in zip(self.value, self.first, self.second, self.decay, *factors, strict=True):
            m.addcmul_(value, a)
            s.addcmul_(value, b)
            slopes.append((1 - BETAS[0]) * m + (2 * (1 - BETAS[1])) * c * s)
            value.mul_(1 - taken.rate * decay)
            m.mul_(BETAS[0])
            s.mul_(BETAS[1])
        return self.products.add(Minibatch(taken.theta, batch, 1 / len(batch)), slopes, self.value)


class _Block:
    """Some columns on their way back."""

    def __init__(self, program: Program, q: Tensor) -> None:
        products = products_of(program.network, program.batch.x)
        value = products.split(q)
        decay = products.split((program.network.l2 * program.network.penalised(program.batch.x))[:, None])
        zeros = [[torch.zeros_like(part) for part in value] for _ in range(2)]
        if program.optimiser.method == "sgd":
            self.adjoint: _Momentum | _Averages = _Momentum(program, products, value, decay, zeros[0])
        else:
            self.adjoint = _Averages(program, products, value, decay, *zeros)
        self.slopes = torch.zeros(len(program.batch), q.shape[1], dtype=torch.float64, device=q.device)

    def back(self, steps: list[Taken], task: Task) -> None:
        """Through some steps, last to first."""
        for done, taken in enumerate(reversed(steps), 1):
            self.slopes[taken.rows] += self.adjoint.step(taken)
            task.tick(done * (PASS + COLUMN * self.slopes.shape[1]), 1)


def work(replay: Replay, columns: int) -> float:
    """Steps of training that :func:`slopes` takes as long as."""
    passes = -(-columns // _width(columns))
    return replay.computed + replay.steps * (PASS * passes + COLUMN * columns)


def _width(columns: int) -> int:
    """Columns of a thread."""
    return max(1, min(WIDTH, -(-columns // cores())))


def kept_bytes(replay: Replay, columns: int) -> float:
    """What :func:`slopes` keeps at most: the run, and the columns with their adjoints."""
    adjoints = 3 if replay.program.optimiser.method == "sgd" else 6
    return replay.kept_bytes + float(adjoints * columns * len(replay.start) * replay.start.element_size())


def slopes(replay: Replay, ask: Callable[[Tensor], Tensor], columns: int, task: Task) -> Tensor:
    """∂m_j(θ_T)/∂a_i.

    Args:
        replay: the run.
        ask: θ_T (p,) to the columns q_j = ∂m_j/∂θ (p, k).
        columns: k.
        task: of all of it.

    Returns:
        (n, k), in double precision.
    """
    total, done, program = work(replay, columns), 0.0, replay.program

    def tick() -> None:
        nonlocal done
        done += 1
        task.tick(done, total)

    moments, steps, end = replay.states(tick)
    q, workers = ask(end), cores() if end.device.type == "cpu" else 1
    some = [_Block(program, q[:, part]) for part in blocks(columns, 1, _width(columns))]
    for at in reversed(range(len(moments))):
        part = replay.stretches[at]
        if at < len(moments) - 1:
            steps, _ = replay.walk(moments[at], part, tick)
        before = done
        told = replace(task, report=lambda items, _all, before=before: task.report(before + items, total))  # type: ignore[misc]
        spread([partial(block.back, steps) for block in some], told, total, workers)
        done += len(steps) * (PASS * len(some) + COLUMN * columns)
    return torch.cat([block.slopes for block in some], 1)
