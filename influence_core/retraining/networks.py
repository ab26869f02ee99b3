"""The truth for networks: trained again without some examples, many at a time, by the program that trained θ̂.

A refit repeats the run that gave θ̂ (first parameters, order of the examples, schedule, number of epochs) with the
weights of the examples that leave at zero, beside a model that keeps them all: both see the same arithmetic, so that
their difference is not the rounding of two programs.  What another seed alone would change is measured as the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, Rows, Task, blocks, fingerprint, numpy
from influence_core.compute.pieces import Found, Piece, gathered, together
from influence_core.compute.spread import cores
from influence_core.models import QUANTITIES, FittedModel, Program
from influence_core.models.fitting import Fit
from influence_core.retraining.question import Question, Refits, joined
from influence_core.settings import SettingsError

STATE_BYTES = 8 * 2**20  # θ of the models of a block: fewer share a step worse, many more leave the cache
MOST = 256  # models of a block
WARM_EPOCHS, WARM_RATE = 0.2, 0.1  # shares of the epochs and of the learning rate that a warm start takes
MEMBERS, SUBSETS = 7_919, 104_729  # distance of their seeds


@dataclass(frozen=True, eq=False)
class Repeated:
    """The run behind a fitted network, to be repeated with other example weights.

    Attributes:
        fitted: the network at θ̂.
        task: progress, cancel, and the store of finished blocks.
        key: names model and data in the store; empty for no storing.
        warm: start at θ̂ and train a share of the epochs, instead of the whole run from its first parameters.
        seed: 0 for the very run of θ̂; others draw first parameters and the order of the examples anew.
    """

    fitted: FittedModel
    task: Task = Task()  # noqa: RUF009 - frozen
    key: str = ""
    warm: bool = False
    seed: int = 0

    @property
    def program(self) -> Program:
        """The run of θ̂, or that of another seed.

        Raises:
            SettingsError: the network was not trained here.
        """
        if self.fitted.program is None:
            raise SettingsError(
                "This network was not trained here, so its run cannot be repeated without some examples. "
                "Wrap it with fit='sgd' or fit='adamw' to have it trained."
            )
        return replace(self.fitted.program, seed=self.fitted.program.seed + SUBSETS * self.seed)

    @property
    def start(self) -> Tensor:
        """First parameters of the run, (p,)."""
        first = self.fitted.start
        return self.program.network.drawn(self.program.seed).to(first) if self.seed else first

    def without(self, question: Question, groups: Sequence[Rows], keep_parameters: bool = False) -> Refits:
        """Train again without each group of training points and measure the change, new minus old.

        Returns:
            (number of groups, m) changes; certificates are NaN, because a network has none.

        Raises:
            ValueError: no groups.
        """
        if not groups:
            raise ValueError("Expected at least one group of training points to leave out, got none.")

        rows = [np.asarray(group, dtype=np.int64) for group in groups]
        run, m = f"{self.warm}:{self.seed}" if self.seed else str(self.warm), len(question.batch)

        def piece(some: list[Rows]) -> Piece:
            name = f"net:{self.key}:{run}:{_asked(question)}:{fingerprint(*some)}"
            return self._piece(
                Repeated.left_out,
                (question, some, keep_parameters),
                "" if keep_parameters else name,
                len(some),
                ("change", (len(some), m)),
            )

        parts = [rows[part] for part in self._parts(len(rows), 1)]
        return joined([self._refits(found) for found in self._gathered([piece(some) for some in parts])])

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

        def piece(some: NDArray[np.bool_], seed: int) -> Piece:
            name = f"lds:{self.key}:{_asked(question)}:{seed}:{fingerprint(some)}"
            shape = len(some), len(question.batch)
            return self._piece(Repeated.subsets, (question, some, seed), name, len(some), ("values", shape))

        parts = [members[part] for part in self._parts(len(members), 0)]
        found = self._gathered([piece(some, seed) for seed in range(seeds) for some in parts])
        values = np.concatenate([made["values"] for made in found])
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

        def piece(k: int) -> Piece:
            name = f"member:{self.key}:{k}" + (f":{share:g}" if share < 1 else "")
            return self._piece(Repeated.member, (k, share), name, 1, ("theta", (self.fitted.size,)))

        fit = self.fitted.fit
        found = self._gathered([piece(k + 1) for k in range(count)])
        thetas = [torch.as_tensor(made["theta"]).to(self.fitted.theta) for made in found]
        return [Fit(theta, fit.method, np.nan, fit.goal, ()) for theta in thetas]

    def trained(self, weights: Tensor, task: Task = Task()) -> Tensor:  # noqa: B008 - frozen
        """θ of one model per row of example weights (k, n), by the run behind θ̂, (k, p)."""
        program, first, epochs = replace(self.program, task=_quiet(task)), self.start, self.fitted.fit.epochs
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
        return cores() * together(self.task) if self.fitted.theta.device.type == "cpu" else 1

    def _piece(
        self, function: Callable[..., Found], args: tuple[Any, ...], name: str, items: int, shape: tuple[str, Any]
    ) -> Piece:
        def fits(found: Found) -> bool:
            return bool(found.get(shape[0], np.empty(0)).shape == shape[1])

        return Piece(function, self, args, name if self.key else "", items, fits)

    def _gathered(self, pieces: Sequence[Piece]) -> list[Found]:
        here = self.task if self.fitted.theta.device.type == "cpu" else replace(self.task, workers=None)
        return gathered(pieces, here, self._workers)

    def _refits(self, found: Found) -> Refits:
        count = len(found["own"])
        passes = np.asarray(float(self.fitted.fit.epochs * count))
        certified, certificate = np.ones(count, dtype=bool), np.full(count, np.nan)
        return Refits(found["change"], certificate, certified, found["own"], passes, found.get("theta"))

    def left_out(self, question: Question, groups: Sequence[Rows], keep: bool, task: Task) -> Found:
        """Changes without each group, those of its own loss, and θ where that is kept."""
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
        return {"change": np.stack(change), "own": np.array(own)} | ({"theta": numpy(theta[1:])} if keep else {})

    def subsets(self, question: Question, members: NDArray[np.bool_], seed: int, task: Task) -> Found:
        """The watched quantity after training on subsets from one seed."""
        weights = torch.as_tensor(members / members.mean(1, keepdims=True)).to(self.fitted.theta)
        ends = zip(replace(self, seed=seed).trained(weights, task), weights, strict=True)
        return {"values": np.stack([self._values(question, at, a) for at, a in ends])}

    def member(self, k: int, share: float, task: Task) -> Found:
        """θ from another seed, trained on all examples or a share of its own."""
        seed, plan = self.program.seed + MEMBERS * k, replace(self.program.optimiser, patience=0)
        program = replace(self.program, seed=seed, optimiser=plan, task=_quiet(task))
        start = program.network.drawn(seed).to(self.fitted.theta)
        weights, epochs = None, self.fitted.fit.epochs
        if share < 1:
            drawn = np.random.default_rng([seed, 13]).permutation(len(program.batch)) < share * len(program.batch)
            weights = torch.as_tensor(drawn / drawn.mean()).to(start)[None]
        return {"theta": numpy(program.run(start[None], weights, epochs, _telling(task, 1, epochs))[0])}

    def _values(self, question: Question, theta: Tensor, weights: Tensor | None) -> FloatArray:
        batch, quantity = question.batch, QUANTITIES[question.quantity]
        network = self.program.settled(theta, weights)
        values = quantity.values(network.loss, network.outputs(theta, batch.x), batch.y, question.target)
        return numpy(values).astype(np.float64)


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
