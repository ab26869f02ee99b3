"""The truth for networks: trained again without some examples, many at a time, by the program that trained θ̂.

A refit repeats the run that gave θ̂ (first parameters, order of the examples, schedule, number of epochs) with the
weights of the examples that leave at zero, beside a model that keeps them all: both see the same arithmetic, so that
their difference is not the rounding of two programs.  What another seed alone would change is measured as the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Rows, Task, blocks, fingerprint, numpy
from influence_core.compute.spread import cores, spread
from influence_core.models import QUANTITIES, FittedModel, Program
from influence_core.models.fitting import Fit
from influence_core.retraining.question import Question, Refits, joined
from influence_core.settings import SettingsError

STATE_BYTES = 8 * 2**20  # θ of the models of a block: fewer share a step worse, many more leave the cache
MOST = 256  # models of a block
WARM_EPOCHS, WARM_RATE = 0.2, 0.1  # shares of the epochs and of the learning rate that a warm start takes
MEMBERS, SUBSETS = 7_919, 104_729  # distance of their seeds
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Repeated:
    """The run behind a fitted network, to be repeated with other example weights.

    Attributes:
        fitted: the network at θ̂.
        task: progress, cancel, and the store of finished blocks.
        key: names model and data in the store; empty for no storing.
        warm: start at θ̂ and train a share of the epochs, instead of the whole run from its first parameters.
    """

    fitted: FittedModel
    task: Task = Task()  # noqa: RUF009 - frozen
    key: str = ""
    warm: bool = False

    @property
    def program(self) -> Program:
        """The run of θ̂.

        Raises:
            SettingsError: the network was not trained here.
        """
        if self.fitted.program is None:
            raise SettingsError(
                "This network was not trained here, so its run cannot be repeated without some examples. "
                "Wrap it with fit='sgd' or fit='adamw' to have it trained."
            )
        return self.fitted.program

    def without(self, question: Question, groups: Sequence[Rows], keep_parameters: bool = False) -> Refits:
        """Train again without each group of training points and measure the change, new minus old.

        Returns:
            (number of groups, m) changes; certificates are NaN, because a network has none.

        Raises:
            ValueError: no groups.
        """
        if not groups:
            raise ValueError("Expected at least one group of training points to leave out, got none.")

        def piece(some: Sequence[Rows]) -> Callable[[Task], Refits]:
            return lambda task: self._groups(question, some, keep_parameters, task)

        parts = [groups[part] for part in self._parts(len(groups), 1)]
        return joined(self._spread([piece(some) for some in parts], len(groups)))

    def on_subsets(self, question: Question, members: NDArray[np.bool_], seeds: int = 1) -> FloatArray:
        """The watched quantity after training on subsets, averaged over seeds.

        Every member weighs n / |S|, so that the loss is the mean over the subset.

        Args:
            question: what is watched.
            members: (s, n) which examples each subset has.
            seeds: first parameters and orders of the examples to average over.

        Returns:
            (s, m) values.
        """

        def piece(some: NDArray[np.bool_], seed: int) -> Callable[[Task], FloatArray]:
            return lambda task: self._subsets(question, some, seed, task)

        parts = [members[part] for part in self._parts(len(members), 0)]
        pieces = [piece(some, seed) for seed in range(seeds) for some in parts]
        values = np.concatenate(self._spread(pieces, seeds * len(members)))
        averaged: FloatArray = values.reshape(seeds, len(members), -1).mean(0)
        return averaged

    def noise(self, question: Question, seeds: int = 5) -> FloatArray:
        """The watched quantity after training on the same data from other seeds.

        Returns:
            (seeds, m) values; their standard deviation is the noise of refitting.
        """
        return np.stack([self._values(question, fit.theta, None) for fit in self.members(seeds)])

    def members(self, count: int, share: float = 1.0) -> list[Fit]:
        """Networks like θ̂ from other seeds: other first parameters, another order of the examples.

        Args:
            count: how many.
            share: of the examples that each is trained on, a random subset of its own.

        Returns:
            So many fits, each trained for as many epochs as θ̂.
        """
        return self._spread([lambda task, k=k: self._member(k + 1, share, task) for k in range(count)], count)  # type: ignore[misc]

    def trained(self, weights: Tensor, task: Task = Task()) -> Tensor:  # noqa: B008 - frozen
        """θ of one model per row of example weights (k, n), by the run behind θ̂, (k, p)."""
        program, first, epochs = replace(self.program, task=_quiet(task)), self.fitted.start, self.fitted.fit.epochs
        if self.warm:
            plan, epochs = program.optimiser, max(1, round(WARM_EPOCHS * epochs))
            plan = replace(plan, learning_rate=WARM_RATE * plan.learning_rate, epochs=epochs, schedule="constant")
            program, first = replace(program, optimiser=plan), self.fitted.theta
        return program.run(first.expand(len(weights), -1), weights, epochs, _telling(task, len(weights), epochs))

    def _parts(self, count: int, reserve: int) -> list[slice]:
        """Blocks of models: small enough for the cache, and at least one for every core."""
        size = int(STATE_BYTES // (self.fitted.size * self.fitted.theta.element_size())) - reserve
        return list(blocks(count, 1, max(1, min(MOST, size, -(-count // self._workers)))))

    @property
    def _workers(self) -> int:
        return cores() if self.fitted.theta.device.type == "cpu" else 1

    def _spread(self, pieces: Sequence[Callable[[Task], T]], total: int) -> list[T]:
        return spread(pieces, self.task, total, self._workers)

    def _kept(
        self, name: str, make: Callable[[], dict[str, Any]], shape: tuple[str, tuple[int, ...]]
    ) -> dict[str, Any]:
        """Stored arrays of a finished piece, or made now and stored."""
        store = self.task.store if self.key else None
        found = store.load(name) if store is not None else None
        if found is not None and found.get(shape[0], np.empty(0)).shape == shape[1]:
            return found
        made = make()
        if store is not None:
            with suppress(OSError):  # a full disk costs the resume, not the result
                store.save(name, **made)
        return made

    def _groups(self, question: Question, groups: Sequence[Rows], keep: bool, task: Task) -> Refits:
        rows = [np.asarray(group, dtype=np.int64) for group in groups]
        name = f"net:{self.key}:{self.warm}:{_asked(question)}:{fingerprint(*rows)}"
        if keep:
            found = self._left_out(question, rows, task)
        else:
            shape = ("change", (len(rows), len(question.batch)))
            found = self._kept(name, lambda: _without_theta(self._left_out(question, rows, task)), shape)
        task.tick(len(rows), len(rows))
        count = len(rows)
        passes = np.asarray(float(self.fitted.fit.epochs * count))
        certified, certificate = np.ones(count, dtype=bool), np.full(count, np.nan)
        return Refits(found["change"], certificate, certified, found["own"], passes, found["theta"] if keep else None)

    def _left_out(self, question: Question, groups: Sequence[Rows], task: Task) -> dict[str, Any]:
        batch = self.fitted.train
        weights = batch.x.new_ones(len(groups) + 1, len(batch))
        members = [torch.as_tensor(rows, device=weights.device) for rows in groups]
        for k, rows in enumerate(members):
            weights[k + 1, rows] = 0
        theta = self.trained(weights, task)
        base, whole = self._values(question, theta[0], None), self.program.settled(theta[0])
        own, change = [], []
        for at, rows, a in zip(theta[1:], members, weights[1:], strict=True):
            left, network = batch.take(rows), self.program.settled(at, a)
            own.append(float((network.losses(at, left) - whole.losses(theta[0], left)).sum()))
            change.append(self._values(question, at, a) - base)
        return {"change": np.stack(change), "own": np.array(own), "theta": numpy(theta[1:])}

    def _subsets(self, question: Question, members: NDArray[np.bool_], seed: int, task: Task) -> FloatArray:
        def make() -> dict[str, Any]:
            weights = torch.as_tensor(members / members.mean(1, keepdims=True)).to(self.fitted.theta)
            program, start, epochs = replace(self.program, task=_quiet(task)), self.fitted.start, self.fitted.fit.epochs
            if seed:
                other = program.seed + SUBSETS * seed
                program, start = replace(program, seed=other), program.network.drawn(other).to(start)
            starts, told = start.expand(len(members), -1), _telling(task, len(members), epochs)
            ends = zip(program.run(starts, weights, epochs, told), weights, strict=True)
            return {"values": np.stack([self._values(question, at, a) for at, a in ends])}

        name = f"lds:{self.key}:{_asked(question)}:{seed}:{fingerprint(members)}"
        found = self._kept(name, make, ("values", (len(members), len(question.batch))))
        task.tick(len(members), len(members))
        return np.asarray(found["values"])

    def _member(self, k: int, share: float, task: Task) -> Fit:
        def make() -> dict[str, Any]:
            seed, plan = self.program.seed + MEMBERS * k, replace(self.program.optimiser, patience=0)
            program = replace(self.program, seed=seed, optimiser=plan, task=_quiet(task))
            start = program.network.drawn(seed).to(self.fitted.theta)
            weights, epochs = None, self.fitted.fit.epochs
            if share < 1:
                drawn = np.random.default_rng([seed, 13]).permutation(len(program.batch)) < share * len(program.batch)
                weights = torch.as_tensor(drawn / drawn.mean()).to(start)[None]
            return {"theta": numpy(program.run(start[None], weights, epochs, _telling(task, 1, epochs))[0])}

        name, fit = f"member:{self.key}:{k}" + (f":{share:g}" if share < 1 else ""), self.fitted.fit
        found = self._kept(name, make, ("theta", (self.fitted.size,)))
        task.tick(1, 1)
        return Fit(torch.as_tensor(found["theta"]).to(self.fitted.theta), fit.method, np.nan, fit.goal, ())

    def _values(self, question: Question, theta: Tensor, weights: Tensor | None) -> FloatArray:
        batch, quantity = question.batch, QUANTITIES[question.quantity]
        network = self.program.settled(theta, weights)
        values = quantity.values(network.loss, network.outputs(theta, batch.x), batch.y, question.target)
        return numpy(values).astype(np.float64)


def _without_theta(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("change", "own")}


def _asked(question: Question) -> str:
    return f"{question.quantity}:{question.target}:{fingerprint(numpy(question.batch.x))}"


def _quiet(task: Task) -> Task:
    """Cancel and turn, without progress: what is done is told by the epoch."""
    return replace(task, report=lambda _done, _total: None)


def _telling(task: Task, items: int, epochs: int) -> Callable[[int, Callable[[], Tensor]], bool]:
    def after(epoch: int, _theta: Callable[[], Tensor]) -> bool:
        task.tick(items * (epoch + 1) / epochs, items)
        return False

    return after
