"""The two truths for networks, on a sample of points and on random halves, never mixed.

This very run, repeated with its first parameters and its order of the examples while what leaves weighs nothing, is
what ``unrolled`` predicts.  The mean over runs from several seeds is what training does on average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.truth import Truth, Way, collected, looking, within
from influence_core.compute import FloatArray, Rows, Task
from influence_core.models import FittedModel
from influence_core.retraining import Question, Refits, Repeated, joined

LEFT_OUT = 200  # training points that a network is trained again without; all of them where there are no more
SEEDS = 5  # runs from other seeds that the noise of refitting is measured on
HALF = 0.5  # share of the examples of each network for projection scores
STEP = 2e6  # operations that a step of one model costs beside its products, on the clock of those


def _repeated(truth: Truth, task: Task, seed: int = 0) -> Repeated:
    return Repeated(truth.fitted, task, truth.key, seed=seed)


def _rows(truth: Truth) -> NDArray[np.int64]:
    return sampled(len(truth.fitted.train), truth.seed)


def _does(truth: Truth) -> str:
    many, n = len(_rows(truth)), len(truth.fitted.train)
    which = f"a random sample of {many:,} of the {n:,} training points" if many < n else f"the {n:,} training points"
    return (
        f"Train the network again without each of {which}, from the same first parameters in the same order, and "
        f"{SEEDS} times from other seeds to see what those change."
    )


def _does_over_seeds(truth: Truth) -> str:
    many, n = len(_rows(truth)), len(truth.fitted.train)
    which = f"a random sample of {many:,} of the {n:,} training points" if many < n else f"the {n:,} training points"
    return f"Train the network without each of {which} from {SEEDS} seeds, and take the mean of the changes."


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
        (n, m) changes, NaN outside the sample and the finished pieces, with the values of other seeds (SEEDS, m);
        of a shard its own, the first one with those values.
    """
    n, rows = len(truth.fitted.train), _rows(truth)
    total = len(rows) + SEEDS

    def piece(part: slice) -> Callable[[], Refits]:
        groups = [rows[k : k + 1] for k in range(part.start, part.stop)]
        return lambda: _repeated(truth, within(task, SEEDS + part.start, total)).without(question, groups)

    own, first = truth.share(len(rows), task=task), truth.shard.index == 0
    noise = collected([lambda: _repeated(truth, within(task, 0, total)).noise(question, SEEDS)] if first else [])
    found = collected(piece(part) for part in own) if noise or not first else []
    change, self_change = np.full((n, len(question.batch)), np.nan), np.full(n, np.nan)
    certified = np.zeros(n, dtype=bool)
    if not found:
        return Refits(change, self_change.copy(), certified, self_change, np.zeros(()))
    refits = joined(found)
    rows = rows[own[0].start :][: len(refits.change)]
    change[rows], self_change[rows], certified[rows] = refits.change, refits.self_change, True
    others = noise[0] if noise else None
    return Refits(change, np.full(n, np.nan), certified, self_change, refits.passes, noise=others)


def _over_seeds(truth: Truth, question: Question, task: Task) -> Refits:
    """Without each point of the sample from several seeds, in pieces that are kept.

    Returns:
        (n, m) mean changes, NaN outside the sample and the finished pieces, with those of every seed; of a shard its
        own.
    """
    n, rows, m = len(truth.fitted.train), _rows(truth), len(question.batch)

    def piece(part: slice) -> Callable[[], FloatArray]:
        groups = [rows[k : k + 1] for k in range(part.start, part.stop)]

        def make() -> FloatArray:
            found = []
            for seed in range(SEEDS):
                own = within(task, SEEDS * part.start + seed * len(groups), SEEDS * len(rows))
                found.append(_repeated(truth, own, seed).without(question, groups).change)
            return np.stack(found)

        return make

    share = truth.share(len(rows), SEEDS, task)
    found = collected(piece(part) for part in share)
    change = np.full((SEEDS, n, m), np.nan)
    if found:
        some = np.concatenate(found, 1)
        change[:, rows[share[0].start :][: some.shape[1]]] = some
    certified, none = np.isfinite(change).all((0, 2)), np.full(n, np.nan)
    return Refits(change.mean(0), none, certified, none, np.asarray(0.0), seeds=change)


def _groups_over_seeds(truth: Truth, question: Question, groups: Sequence[Rows], task: Task) -> FloatArray:
    """Mean changes (g, m) over ``SEEDS`` runs with and without each group."""

    def told(seed: int) -> Task:
        return replace(
            task, report=lambda done, _all: task.report((seed * len(groups) + done) / SEEDS, float(len(groups)))
        )

    found = [_repeated(truth, told(seed), seed).without(question, groups).change for seed in range(SEEDS)]
    mean: FloatArray = np.mean(found, 0)
    return mean


def _without_subsets(
    truth: Truth, question: Question, members: NDArray[np.bool_], _seeds: int, task: Task
) -> FloatArray:
    """Changes of this very run, which rank subsets as its values do."""
    return _repeated(truth, task).without(question, [np.flatnonzero(~row) for row in members]).change


def _finished(measure: Callable[[Truth, Question, Task], Refits]) -> Callable[[Truth, Question, bool], Refits | None]:
    """What an earlier run of a measurement has stored, of a finished one or also of a part."""

    def stored(truth: Truth, question: Question, partial: bool) -> Refits | None:
        found = measure(truth, question, looking())
        return found if found.certified.sum() >= (1 if partial else len(_rows(truth))) else None

    return stored


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


SAME_RUN = Way(
    name="the same run without a point",
    title="The same run without a point",
    button="Train without each point",
    runs="the same run without a point",
    columns=("to LOO of this run", "LDS of this run"),
    digits=".2f",
    does=_does,
    once="once, many networks at a time",
    noisy=True,
    short="this very run",
    cost=lambda truth: (len(_rows(truth)) + SEEDS) * truth.run_cost,
    run_cost=_run_cost,
    rows=_rows,
    loo=_leave_out,
    stored=_finished(_leave_out),
    without=lambda truth, question, group, task: _repeated(truth, task).without(question, [group], True),
    groups=lambda truth, question, groups, task: _repeated(truth, task).without(question, groups).change,
    on_subsets=_without_subsets,
    members=_members,
)
OVER_SEEDS = replace(
    SAME_RUN,
    name=f"training without a point, mean over {SEEDS} seeds",
    title="Training without a point, over seeds",
    runs=f"training without a point, over {SEEDS} seeds",
    columns=("to LOO over seeds", "LDS over seeds"),
    does=_does_over_seeds,
    seeds=SEEDS,
    short=f"mean over {SEEDS} seeds",
    cost=lambda truth: SEEDS * (len(_rows(truth)) + 1) * truth.run_cost,
    loo=_over_seeds,
    stored=_finished(_over_seeds),
    groups=_groups_over_seeds,
    on_subsets=lambda truth, question, members, seeds, task: _repeated(truth, task).on_subsets(
        question, members, seeds
    ),
)
