"""The truth for networks: leave-one-out on a sample of points, the noise of refitting, training on random halves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from influence_core.agreement import Datamodelling, linear_datamodelling
from influence_core.compute import FloatArray, NotStored, Task, blocks
from influence_core.models import FittedModel, Network
from influence_core.retraining import Question, Refits, Repeated, joined, leave_groups_out

LEFT_OUT = 200  # training points that a network is trained again without; all of them where there are no more
SEEDS = 5  # runs from other seeds that the noise of refitting is measured on
HALVES = 50  # random half-subsets of the linear datamodelling score
STEP = 2e6  # operations that a step of one model costs beside its products, on the clock of those
PIECE = 2e11  # operations after which a run leaves something to look at, about five seconds on two cores
DRAWN = 200  # times that halves are drawn again for an error
FEWEST = 10  # models of a piece, however long they take
T = TypeVar("T")


@dataclass(frozen=True)
class Draw:
    """How many random halves, and how many runs are averaged on each."""

    subsets: int = HALVES
    seeds: int = 1


DRAW = Draw()


@dataclass(frozen=True, eq=False)
class Halves:
    """Networks trained on random halves of the training points.

    Attributes:
        members: (s, n) which examples each had.
        values: (s, m) the watched quantity after training, averaged over seeds.
        seeds: so many.
    """

    members: NDArray[np.bool_]
    values: FloatArray
    seeds: int

    def score(self, scores: FloatArray) -> Datamodelling:
        """How well scores (n, m) predict these values: the linear datamodelling score.

        Returns:
            Rank correlations over the halves.
        """
        return linear_datamodelling(self.values, scores, self.members)

    @property
    def chance(self) -> float:
        """Standard deviation of a rank correlation over so many halves that is nothing but chance."""
        return float(max(len(self.members) - 1, 1) ** -0.5)

    def gap(self, better: FloatArray, other: FloatArray) -> tuple[float, float]:
        """By how much one ranking (n,) beats another at the only test point, judged on the same halves.

        Returns:
            Difference of the two linear datamodelling scores, and its standard error over halves drawn again.
        """
        sums = (~self.members).astype(np.float64) @ np.stack([better, other], 1)
        drawn = np.random.default_rng(0).integers(len(sums), size=(DRAWN, len(sums)))
        everyone = np.vstack([np.arange(len(sums)), drawn])
        truth, found = (rankdata(column[everyone], axis=1) for column in (self.values[:, 0], sums[:, 0]))
        gaps = _correlations(truth, found) - _correlations(truth, rankdata(sums[:, 1][everyone], axis=1))
        return float(gaps[0]), float(np.nanstd(gaps[1:], ddof=1))


def _correlations(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of every row of one array with the same row of another; NaN where one of them is constant."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        found: FloatArray = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return found


def run_cost(fitted: FittedModel) -> float:
    """Training one more model in a run of many, in floating-point operations of products.

    Returns:
        About 6 per parameter and example, and ``STEP`` a step.
    """
    program = fitted.program
    if program is None:
        return 0.0
    steps, plan = program.optimiser.steps(len(fitted.train)), program.optimiser
    share = fitted.fit.epochs / plan.epochs
    model = fitted.model
    work = model.activations if isinstance(model, Network) else 1
    return share * steps * (6.0 * max(fitted.size, 4 * work) * plan.batch_size + STEP)


def sampled(n: int, seed: int, most: int = LEFT_OUT) -> NDArray[np.int64]:
    """The training points that are left out: all of few, else a random sample, the same for a seed.

    Returns:
        Ascending rows.
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 11]).choice(n, most, replace=False))


def leave_out(fitted: FittedModel, question: Question, seed: int, task: Task, key: str) -> Refits:
    """Train from other seeds for the noise, then without each point of the sample, in pieces that are kept.

    A task that shall compute nothing gets what earlier runs have finished.

    Returns:
        (n, m) changes, NaN outside the sample and the finished pieces, with the values of other seeds (SEEDS, m).
    """
    n, rows = len(fitted.train), sampled(len(fitted.train), seed)
    total = len(rows) + SEEDS

    def piece(part: slice) -> Callable[[], Refits]:
        groups = [rows[k : k + 1] for k in range(part.start, part.stop)]
        return lambda: Repeated(fitted, within(task, SEEDS + part.start, total), key).without(question, groups)

    noise = collected([lambda: Repeated(fitted, within(task, 0, total), key).noise(question, SEEDS)])
    found = collected(piece(part) for part in pieces(fitted, len(rows))) if noise else []
    change, own, certified = np.full((n, len(question.batch)), np.nan), np.full(n, np.nan), np.zeros(n, dtype=bool)
    if not found:
        return Refits(change, own.copy(), certified, own, np.zeros(()))
    refits = joined(found)
    rows = rows[: len(refits.change)]
    change[rows], own[rows], certified[rows] = refits.change, refits.self_change, True
    return Refits(change, np.full(n, np.nan), certified, own, refits.passes, None, noise[0])


def on_halves(fitted: FittedModel, question: Question, draw: Draw, seed: int, key: str) -> Callable[[Task], Halves]:
    """Train on random halves in pieces that are kept; a task that shall compute nothing gets the finished ones.

    Returns:
        What to call with the task; without a finished piece it returns no members.
    """
    members = random_halves(len(fitted.train), draw.subsets, seed)
    seeds = draw.seeds if fitted.network else 1  # a minimum has no other seeds

    def piece(part: slice, task: Task) -> Callable[[], FloatArray]:
        some, own = members[part], within(task, seeds * part.start, seeds * len(members))
        if fitted.network:
            return lambda: Repeated(fitted, own, key).on_subsets(question, some, seeds)
        groups = [np.flatnonzero(~row) for row in some]
        return lambda: leave_groups_out(fitted, question, groups, own, key).change

    def work(task: Task) -> Halves:
        found = collected(piece(part, task) for part in pieces(fitted, len(members)))
        values = np.concatenate(found) if found else np.empty((0, len(question.batch)))
        return Halves(members[: len(values)], values, seeds)

    return work


def refit_without(fitted: FittedModel, question: Question, group: NDArray[np.int64], task: Task, key: str) -> Refits:
    """Refit without one group of training points.

    Returns:
        One row of changes, with θ.
    """
    if fitted.network:
        return Repeated(fitted, task, key).without(question, [group], keep_parameters=True)
    return leave_groups_out(fitted, question, [group], task, key)


def pieces(fitted: FittedModel, count: int) -> Iterable[slice]:
    """Training runs that are started together.

    Returns:
        Slices of ``range(count)``.
    """
    return blocks(count, 1, max(FEWEST, int(PIECE / max(run_cost(fitted), 1.0))))


def collected(makes: Iterable[Callable[[], T]]) -> list[T]:
    """Results in order, up to the first that was only looked up and is not there.

    Returns:
        As many as there are.
    """
    found: list[T] = []
    with suppress(NotStored):
        for make in makes:
            found.append(make())
    return found


def within(task: Task, before: float, total: float) -> Task:
    """The task of one part of a longer run, whose progress counts on from ``before``.

    Returns:
        A task with the same cancel and store.
    """
    return replace(task, report=lambda done, _all: task.report(before + done, total))


def random_halves(n: int, count: int, seed: int) -> NDArray[np.bool_]:
    """Subsets of half the training points, drawn without replacement.

    Returns:
        (count, n).
    """
    random, members = np.random.default_rng([seed, 13]), np.zeros((count, n), dtype=bool)
    for row in members:
        row[random.choice(n, n // 2, replace=False)] = True
    return members
