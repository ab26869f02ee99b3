"""The truth for networks: leave-one-out on a sample of points, the noise of refitting, training on random halves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.truth import Truth, Way, collected, looking, pieces, within
from influence_core.compute import Task
from influence_core.models import FittedModel
from influence_core.retraining import Question, Refits, Repeated, joined

LEFT_OUT = 200  # training points that a network is trained again without; all of them where there are no more
SEEDS = 5  # runs from other seeds that the noise of refitting is measured on
HALF = 0.5  # share of the examples of each network for projection scores
STEP = 2e6  # operations that a step of one model costs beside its products, on the clock of those


def _repeated(truth: Truth, task: Task) -> Repeated:
    return Repeated(truth.fitted, task, truth.key)


def _rows(truth: Truth) -> NDArray[np.int64]:
    return sampled(len(truth.fitted.train), truth.seed)


def _does(truth: Truth) -> str:
    many, n = len(_rows(truth)), len(truth.fitted.train)
    which = f"a random sample of {many:,} of the {n:,} training points" if many < n else f"the {n:,} training points"
    return f"Train the network again without each of {which}, and {SEEDS} times from other seeds to see the noise."


def _run_cost(truth: Truth) -> float:
    """About 6 operations per parameter and example, and ``STEP`` a step; 0 for a network that was not trained here."""
    fitted, program = truth.fitted, truth.fitted.program
    if program is None:
        return 0.0
    plan, work = program.optimiser, max(fitted.size, 4 * program.network.activations)
    share = fitted.fit.epochs / plan.epochs
    return share * plan.steps(len(fitted.train)) * (6.0 * work * plan.batch_size + STEP)


def _leave_out(truth: Truth, question: Question, task: Task) -> Refits:
    """Train from other seeds for the noise, then without each point of the sample, in pieces that are kept.

    A task that shall compute nothing gets what earlier runs have finished.

    Returns:
        (n, m) changes, NaN outside the sample and the finished pieces, with the values of other seeds (SEEDS, m).
    """
    n, rows = len(truth.fitted.train), _rows(truth)
    total = len(rows) + SEEDS

    def piece(part: slice) -> Callable[[], Refits]:
        groups = [rows[k : k + 1] for k in range(part.start, part.stop)]
        return lambda: _repeated(truth, within(task, SEEDS + part.start, total)).without(question, groups)

    noise = collected([lambda: _repeated(truth, within(task, 0, total)).noise(question, SEEDS)])
    found = collected(piece(part) for part in pieces(truth.run_cost, len(rows))) if noise else []
    change, own, certified = np.full((n, len(question.batch)), np.nan), np.full(n, np.nan), np.zeros(n, dtype=bool)
    if not found:
        return Refits(change, own.copy(), certified, own, np.zeros(()))
    refits = joined(found)
    rows = rows[: len(refits.change)]
    change[rows], own[rows], certified[rows] = refits.change, refits.self_change, True
    return Refits(change, np.full(n, np.nan), certified, own, refits.passes, noise=noise[0])


def _stored(truth: Truth, question: Question, partial: bool) -> Refits | None:
    found = _leave_out(truth, question, looking())
    return found if found.certified.sum() >= (1 if partial else len(_rows(truth))) else None


def _members(truth: Truth, count: int, task: Task) -> tuple[FittedModel, ...]:
    """Each on its own random half (Park et al. 2023); with a store they are kept."""
    return tuple(truth.fitted.at(fit) for fit in _repeated(truth, task).members(count, HALF))


def sampled(n: int, seed: int, most: int = LEFT_OUT) -> NDArray[np.int64]:
    """The training points that are left out: all of few, else a random sample, the same for a seed.

    Returns:
        Ascending rows.
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 11]).choice(n, most, replace=False))


TRAINED = Way(
    name="training without a point",
    title="Training without a point",
    button="Train without each point",
    runs="training runs without a point",
    columns=("to LOO", "LDS"),
    digits=".2f",
    does=_does,
    once="once, many networks at a time",
    noisy=True,
    cost=lambda truth: (len(_rows(truth)) + SEEDS) * truth.run_cost,
    run_cost=_run_cost,
    loo=_leave_out,
    stored=_stored,
    without=lambda truth, question, group, task: _repeated(truth, task).without(question, [group], True),
    on_subsets=lambda truth, question, members, seeds, task: _repeated(truth, task).on_subsets(
        question, members, seeds
    ),
    members=_members,
)
