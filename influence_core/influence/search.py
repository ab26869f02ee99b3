"""FastIF: score the nearest training points only, spend as few products as the ranking needs, repeats side by side.

Guo et al. 2020, whose sign is the opposite of ours: the largest of their scores is the most harmful point.  The three
parts are measured apart: what the index saves in scoring, what fewer rounds and what parallel repeats save in solving.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from influence_core.compute import FloatArray, Task, numpy
from influence_core.influence import index
from influence_core.influence.candidates import FastSearch
from influence_core.influence.estimators import dots
from influence_core.influence.watched import Influence, Watched
from influence_core.settings import Options, resolve
from influence_core.solvers import SOLVERS
from influence_core.solvers.lissa import Lissa, LissaSettings

T = TypeVar("T")
Solve = tuple[Tensor, float]  # columns, and seconds of all together
PARTS = ("index", "settings", "repeats side by side")
ENOUGH = 0.95  # recall of the true top at which a candidate set is large enough
STEADY = 0.99  # Spearman correlation with a long run above which a shorter one is good enough


@dataclass(frozen=True)
class Reached:
    """One size of the candidate set.

    Attributes:
        k: candidates per test point.
        recall: mean over test points of the share of the true top that is among them.
        seconds: per test point, their median: search and scores of the candidates.
    """

    k: int
    recall: float
    seconds: float


@dataclass(frozen=True)
class Shortened:
    """One way from the gradient of a test point to its strongest training points.

    Attributes:
        parts: which of the three shorten it: ``none``, one of ``PARTS``, or ``all three``.
        seconds: per test point, of solve and scores.
        recall: mean over test points of the share of the true top that is in the top by these scores.
        r: mean correlation of the scores with the true ones, over the points that are scored.
    """

    parts: str
    seconds: float
    recall: float
    r: float


@dataclass(frozen=True)
class FastReport:
    """What each of the three parts saves, in seconds per test point.

    Attributes:
        top: how many of the largest |scores| are sought.
        sizes: recall and time for every size of the candidate set.
        full: seconds to score every training point, one test point at a time like the candidates, median.
        together: the same with all test points in one pass.
        build: seconds to build the index, once.
        long: seconds of the long solve.
        short: seconds of the shortest solve whose scores stay within ``STEADY`` of the long one.
        apart: the same solve with its repeats one after the other.
        rounds: of the short and the long solve.
        rho: Spearman correlation of the short run's scores with the long run's.
        ways: the whole way by long repeats one after the other, with each part alone, and with all three.
    """

    top: int
    sizes: tuple[Reached, ...]
    full: float
    together: float
    build: float
    long: float
    short: float
    apart: float
    rounds: tuple[int, int]
    rho: float
    ways: tuple[Shortened, ...] = ()

    def enough(self, wanted: float = ENOUGH) -> Reached | None:
        """The smallest candidate set that reaches a recall.

        Returns:
            It, or None.
        """
        return _enough(self.sizes, wanted)


@dataclass(frozen=True, eq=False)
class FastPlan:
    """What is measured.

    Attributes:
        sizes: of the candidate set, ascending.
        top: how many of the largest |scores| are sought.
        rounds: of LiSSA, ascending; the last is the long run.
        repeats: of LiSSA.
        task: progress and cancel.
    """

    sizes: Sequence[int]
    top: int = 10
    rounds: Sequence[int] = (1, 2, 4, 8, 16)
    repeats: int = 4
    task: Task = field(default_factory=Task)

    def tick(self, done: int) -> None:
        """Progress: every size, every number of rounds, and the two runs with repeats one after the other."""
        self.task.tick(done, len(self.sizes) + len(self.rounds) + 2)


def measure(influence: Influence, watched: Watched, plan: FastPlan) -> FastReport:
    """Recall of the true top against time, and the three contributions apart and together.

    The truth is the influence by the solver of ``influence`` on every training point; LiSSA is what settings are
    searched for.

    Args:
        influence: with a solver that is trusted.
        watched: a few test points.
        plan: what to measure.
    """
    search, m = FastSearch(influence), len(watched.batch)
    solved = influence.solved(watched).value
    truth, together = _timed(lambda: numpy(dots(influence, solved)))
    full = float(np.median([_timed(lambda j=j: dots(influence, solved[:, j : j + 1]))[1] for j in range(m)]))  # type: ignore[misc]
    _, build = _timed(lambda: search.index)
    sizes = []
    for done, k in enumerate(plan.sizes):
        sizes.append(_reached(search, watched, (truth, solved), (k, plan.top)))
        plan.tick(done + 1)
    rounds, rho, long, short = _rounds(influence, watched, plan)
    slow = _apart(influence, watched, plan, plan.rounds[-1])
    apart = slow if rounds == plan.rounds[-1] else _apart(influence, watched, plan, rounds)
    plan.tick(len(plan.sizes) + len(plan.rounds) + 2)
    n, few = len(truth), (_enough(sizes) or sizes[-1]).k
    asked = zip(("none", *PARTS, "all three"), (slow, slow, apart, long, short), (n, few, n, n, few), strict=True)
    ways = tuple(_way(search, watched, truth, way, plan.top) for way in asked)
    return FastReport(
        plan.top, tuple(sizes), full, together / m, build, long[1] / m, short[1] / m, apart[1] / m,
        (rounds, plan.rounds[-1]), rho, ways,
    )  # fmt: skip


def _enough(sizes: Sequence[Reached], wanted: float = ENOUGH) -> Reached | None:
    return next((one for one in sizes if one.recall >= wanted), None)


def _reached(
    search: FastSearch, watched: Watched, known: tuple[FloatArray, Tensor], wanted: tuple[int, int]
) -> Reached:
    """Search and score candidates of one test point after the other, as a click does."""
    (truth, solved), (k, top), recalls, seconds = known, wanted, [], []
    for j in range(truth.shape[1]):
        (rows, _), taken = _timed(lambda j=j: _scored(search, watched, solved, (j, k)))  # type: ignore[misc]
        seconds.append(taken)
        recalls.append(index.recall(truth[:, j], rows, top))
    return Reached(min(k, len(truth)), float(np.mean(recalls)), float(np.median(seconds)))


def _scored(
    search: FastSearch, watched: Watched, solved: Tensor, asked: tuple[int, int]
) -> tuple[NDArray[np.int64], FloatArray]:
    """Candidates of test point j and their scores."""
    j, k = asked
    rows = search.candidates(watched.batch.take(slice(j, j + 1)), k)[0]
    rows = rows[rows >= 0]
    return rows, search.scores(solved[:, j : j + 1], rows)[:, 0]


def _way(search: FastSearch, watched: Watched, truth: FloatArray, asked: tuple[str, Solve, int], top: int) -> Shortened:
    """Scores of k candidates, or of every point without a search where k = n, from columns that took some seconds."""
    (parts, (value, taken), k), (n, m) = asked, truth.shape
    recalls, correlations, seconds = [], [], []
    for j in range(m):
        start = time.perf_counter()
        if k < n:
            rows, scores = _scored(search, watched, value, (j, k))
        else:
            rows, scores = np.arange(n), numpy(dots(search.influence, value[:, j : j + 1]))[:, 0]
        best = rows[np.argsort(-np.abs(scores), kind="stable")[:top]]
        seconds.append(time.perf_counter() - start)
        recalls.append(index.recall(truth[:, j], best, top))
        correlations.append(_correlation(scores, truth[rows, j]))
    return Shortened(
        parts, taken / m + float(np.median(seconds)), float(np.mean(recalls)), float(np.mean(correlations))
    )


def _rounds(influence: Influence, watched: Watched, plan: FastPlan) -> tuple[int, float, Solve, Solve]:
    """Fewest rounds that keep the ranking of the longest run, their ρ, and both runs."""
    runs: dict[int, Solve] = {}

    def run(rounds: int) -> tuple[FloatArray, float]:
        made = _lissa(influence, rounds, plan.repeats)
        runs[rounds] = _timed(lambda: made(watched.gradient).value)
        plan.tick(len(plan.sizes) + len(runs))
        return numpy(dots(influence, runs[rounds][0])), runs[rounds][1]

    longest = plan.rounds[-1]
    goal, _ = run(longest)
    rounds, rho, _ = fewest(run, plan.rounds[:-1], goal)
    return (rounds, rho, runs[longest], runs[rounds]) if rounds else (longest, 1.0, runs[longest], runs[longest])


def _apart(influence: Influence, watched: Watched, plan: FastPlan, rounds: int) -> Solve:
    """The same rounds with one repeat after the other, of as many and as large steps each, and their mean."""
    chosen = _lissa(influence, rounds, plan.repeats).recursion
    steps = (("batch", chosen.batch), ("depth", chosen.depth), ("scale", chosen.scale))
    parts, seconds = list[Tensor](), 0.0
    for seed in range(plan.repeats):
        made = _lissa(influence, rounds, 1, (*steps, ("draw", seed)))
        part, taken = _timed(lambda made=made: made(watched.gradient).value)  # type: ignore[misc]
        plan.task.tick()
        parts, seconds = [*parts, part], seconds + taken
    return torch.stack(parts).mean(0), seconds


def fewest(
    run: Callable[[int], tuple[FloatArray, float]], budgets: Sequence[int], goal: FloatArray, steady: float = STEADY
) -> tuple[int, float, float]:
    """The smallest budget whose scores rank like those of a long run: the settings search of FastIF.

    Args:
        run: budget -> scores (n, m), and seconds.
        budgets: ascending.
        goal: (n, m) scores of the long run.
        steady: Spearman correlation to reach, at the worst test point.

    Returns:
        The budget (0 where none is enough), its ρ, and its seconds.
    """
    for budget in budgets:
        scores, seconds = run(budget)
        rho = min(_spearman(scores[:, j], goal[:, j]) for j in range(goal.shape[1]))
        if rho >= steady:
            return budget, rho, seconds
    return 0, 0.0, 0.0


def _spearman(a: FloatArray, b: FloatArray) -> float:
    return _correlation(rankdata(a), rankdata(b))


def _correlation(a: FloatArray, b: FloatArray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def _lissa(influence: Influence, rounds: int, repeats: int, more: Options = ()) -> Lissa:
    options = dict((("repeats", repeats), ("rounds", rounds), ("tolerance", 1e-12), *more))
    return Lissa(influence.curvature, LissaSettings.of(resolve(tuple(options.items()), SOLVERS["lissa"].options)))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start
