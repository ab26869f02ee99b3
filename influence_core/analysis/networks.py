"""The truth for networks: leave-one-out on a sample of points, the noise of refitting, training on random halves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influence_core.agreement import Datamodelling, linear_datamodelling
from influence_core.compute import FloatArray, Task
from influence_core.models import FittedModel, Network
from influence_core.retraining import Question, Refits, Repeated

LEFT_OUT = 200  # training points that a network is trained again without; all of them where there are no more
SEEDS = 5  # runs from other seeds that the noise of refitting is measured on
HALVES = 50  # random half-subsets of the linear datamodelling score
STEP = 2e6  # operations that a step of one model costs beside its products, on the clock of those


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
    """Train again without each point of the sample, and from other seeds for the noise.

    Returns:
        (n, m) changes, NaN outside the sample, with the values of other seeds (SEEDS, m).
    """
    n = len(fitted.train)
    rows = sampled(n, seed)
    total = len(rows) + SEEDS
    first = replace(task, report=lambda done, _all: task.report(done, total))
    found = Repeated(fitted, first, key).without(question, [rows[k : k + 1] for k in range(len(rows))])
    second = replace(task, report=lambda done, _all: task.report(len(rows) + done, total))
    noise = Repeated(fitted, second, key).noise(question, SEEDS)
    change, own = np.full((n, found.change.shape[1]), np.nan), np.full(n, np.nan)
    certified, certificate = np.zeros(n, dtype=bool), np.full(n, np.nan)
    change[rows], own[rows], certified[rows] = found.change, found.self_change, True
    return Refits(change, certificate, certified, own, found.passes, None, noise)


def random_halves(n: int, count: int, seed: int) -> NDArray[np.bool_]:
    """Subsets of half the training points, drawn without replacement.

    Returns:
        (count, n).
    """
    random, members = np.random.default_rng([seed, 13]), np.zeros((count, n), dtype=bool)
    for row in members:
        row[random.choice(n, n // 2, replace=False)] = True
    return members
