"""The very run that ended at θ̂ once more, step by step: all its θ where they fit, else states to go on from.

    v ← μv + g,  θ ← θ − ηv                             (SGD; AdamW has two averages in place of v)

A stretch of the run is kept whole while it is walked backwards.  Where the whole run does not fit into ``ROOM``, the
state at the start of every stretch is kept and its steps are computed again (Griewank 1992): one more run in all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.compute import once
from influence_core.models import Program
from influence_core.models.stacked import stack_of
from influence_core.models.training import Updates

ROOM = 640 * 2**20  # bytes of θ and of what the optimiser remembers


@dataclass(frozen=True, eq=False)
class Moment:
    """Where a run stands: θ (p,) before a step, what the optimiser remembers, and how many steps it has taken."""

    theta: Tensor
    memory: tuple[Tensor, ...]
    count: int


@dataclass(frozen=True, eq=False)
class Taken:
    """One step of a run.

    Attributes:
        theta: (p,) before it.
        memory: of AdamW, after it; empty for SGD.
        rows: of its minibatch.
        rate: η.
        count: of steps, this one included.
    """

    theta: Tensor
    memory: tuple[Tensor, ...]
    rows: Tensor
    rate: float
    count: int


@dataclass(frozen=True, eq=False)
class Replay:
    """A run to be walked backwards.

    Attributes:
        program: data, network and optimiser.
        start: (p,) first parameters.
        epochs: after which θ̂ was taken.
        room: bytes for what is kept of it.
    """

    program: Program
    start: Tensor
    epochs: int
    room: int = ROOM

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.epochs * -(-len(self.program.batch) // self.program.optimiser.batch_size)

    @once
    def plan(self) -> list[tuple[float, Tensor]]:
        """η and the rows of the minibatch of every step."""
        rate = self.program.optimiser.rate
        orders = enumerate(self.program.orders(self.epochs))
        return [(rate(epoch), rows) for epoch, order in orders for rows in order]

    @property
    def _bytes(self) -> tuple[int, int]:
        """Of one kept step, and of a state to go on from."""
        size = len(self.start) * self.start.element_size()
        return (size, 2 * size) if self.program.optimiser.method == "sgd" else (3 * size, 3 * size)

    @property
    def stretch(self) -> int:
        """Steps that are kept at a time: all of them, else as many as fit beside the states, else √ of them."""
        (step, state), steps = self._bytes, self.steps
        if steps * step <= self.room:
            return steps
        # length·step + steps/length·state ≤ room
        half, rest = self.room / (2 * step), steps * state / step
        if half * half >= rest:
            return int(half + math.sqrt(half * half - rest))
        return max(1, round(math.sqrt(rest)))

    @property
    def stretches(self) -> list[slice]:
        """The run cut into stretches, first to last."""
        length = self.stretch
        return [slice(low, min(low + length, self.steps)) for low in range(0, self.steps, length)]

    @property
    def kept_bytes(self) -> int:
        """What is kept at most."""
        step, state = self._bytes
        return self.stretch * step + len(self.stretches) * state

    @property
    def computed(self) -> int:
        """Steps that are computed until the run has been walked backwards, those that are computed again included."""
        last = self.stretches[-1]
        return 2 * self.steps - int(last.stop - last.start)

    def states(self, tick: Callable[[], None]) -> tuple[list[Moment], list[Taken], Tensor]:
        """Walk the whole run.

        Returns:
            The states that its stretches start from, the steps of the last one, and θ at the end (p,).
        """
        moments, steps = [self.first], list[Taken]()
        for part in self.stretches:
            last = part.stop == self.steps
            steps, moment = self.walk(moments[-1], part, tick, keep=last)
            moments.append(moment)
        return moments[:-1], steps, moments[-1].theta

    @property
    def first(self) -> Moment:
        """Before the first step."""
        memories = 1 if self.program.optimiser.method == "sgd" else 2
        return Moment(self.start, tuple(torch.zeros_like(self.start) for _ in range(memories)), 0)

    def walk(
        self, moment: Moment, part: slice, tick: Callable[[], None], keep: bool = True
    ) -> tuple[list[Taken], Moment]:
        """The steps of one stretch, if they are to be kept, and the state behind them."""
        program, network = self.program, self.program.network
        stack = stack_of(network)
        state, updates = stack.split(moment.theta[None]), Updates(program, stack, 1)
        updates.memory, updates.count = [stack.split(values[None]) for values in moment.memory], moment.count
        adam, kept = program.optimiser.method != "sgd", list[Taken]()
        for rate, rows in self.plan[part]:
            theta = stack.join(state)[0] if keep else self.start
            updates(state, stack.gradient(state, program.batch.take(rows), None), rate)
            if keep:
                memory = tuple(stack.join(values)[0] for values in updates.memory) if adam else ()
                kept.append(Taken(theta, memory, rows, rate, updates.count))
            tick()
        after = tuple(stack.join(values)[0] for values in updates.memory)
        return kept, Moment(stack.join(state)[0], after, updates.count)
