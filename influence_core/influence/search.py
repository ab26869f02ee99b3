"""FastIF: score the nearest training points only, spend as few products as the ranking needs, repeats side by side.

Guo et al. 2020, whose sign is the opposite of ours: the largest of their scores is the most harmful point.  The three
parts are measured apart: what the index saves in scoring, what fewer rounds and what parallel repeats save in solving.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from influence_core.compute import FloatArray, Task, numpy, once
from influence_core.influence import index
from influence_core.influence.estimators import dots
from influence_core.influence.watched import Influence, Watched
from influence_core.models import Batch, FittedModel
from influence_core.settings import SolverSettings
from influence_core.solvers import Factor, factor

T = TypeVar("T")
PASS = 1_024  # examples of one forward pass: it keeps what every layer reads
STEADY = 0.99  # Spearman correlation with a long run above which a shorter one is good enough


def features(fitted: FittedModel, x: Tensor) -> FloatArray:
    """Where neighbours are sought: what the last layer reads; the features themselves for a linear predictor.

    Returns:
        (n, q); a model that describes no layers is searched by its outputs, (n, K).
    """
    if not fitted.linearised.layers:
        return numpy(fitted.model.outputs(fitted.theta, x))
    read = torch.cat([fitted.linearised.tap(part).inputs[-1][:, 0] for part in torch.split(x, PASS)])
    constant = fitted.linearised.layers[-1].bias is not None or fitted.model.intercept
    return numpy(read[:, :-1] if constant else read)


@dataclass(frozen=True, eq=False)
class FastSearch:
    """The index over one fitted model, and scores on candidates only."""

    influence: Influence

    @once
    def index(self) -> index.Index:
        """All training points by their features."""
        return index.index(features(self.influence.fitted, self.influence.fitted.train.x))

    def candidates(self, batch: Batch, k: int) -> NDArray[np.int64]:
        """The k nearest training points of every test point, (m, k)."""
        return self.index.nearest(features(self.influence.fitted, batch.x), k)

    def scores(self, columns: Tensor, rows: NDArray[np.int64]) -> FloatArray:
        """g_iᵀ v / n for some training points only, v = (H + δI)⁻¹ q.

        Args:
            columns: (p, m).
            rows: (k,); a −1 of the index is left out beforehand.

        Returns:
            (k, m), the rows of the full scores.
        """
        return numpy(dots(self.influence, columns, torch.as_tensor(rows, device=columns.device)))


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

    def enough(self, wanted: float = 0.95) -> Reached | None:
        """The smallest candidate set that reaches a recall.

        Returns:
            It, or None.
        """
        return next((one for one in self.sizes if one.recall >= wanted), None)


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


def measure(influence: Influence, watched: Watched, plan: FastPlan) -> FastReport:
    """Recall of the true top against time, and the three contributions apart.

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
        plan.task.tick(done + 1, len(plan.sizes) + len(plan.rounds))
    rounds, rho, times = _rounds(influence, watched, plan)
    apart = _timed(lambda: [_lissa(influence, rounds, 1, seed)(watched.gradient) for seed in range(plan.repeats)])[1]
    return FastReport(
        plan.top, tuple(sizes), full, together / m, build, times[-1] / m, times[0] / m, apart / m,
        (rounds, plan.rounds[-1]), rho,
    )  # fmt: skip


def _reached(
    search: FastSearch, watched: Watched, known: tuple[FloatArray, Tensor], wanted: tuple[int, int]
) -> Reached:
    """Search and score candidates of one test point after the other, as a click does."""
    (truth, solved), (k, top), recalls, seconds = known, wanted, [], []
    for j in range(truth.shape[1]):
        start = time.perf_counter()
        rows = search.candidates(watched.batch.take(slice(j, j + 1)), k)[0]
        rows = rows[rows >= 0]
        search.scores(solved[:, j : j + 1], rows)
        seconds.append(time.perf_counter() - start)
        recalls.append(index.recall(truth[:, j], rows, top))
    return Reached(min(k, len(truth)), float(np.mean(recalls)), float(np.median(seconds)))


def _rounds(influence: Influence, watched: Watched, plan: FastPlan) -> tuple[int, float, tuple[float, float]]:
    """Fewest rounds that keep the ranking of the longest run, their ρ, and seconds of both."""
    longest = _lissa(influence, plan.rounds[-1], plan.repeats)
    solution, seconds = _timed(lambda: longest(watched.gradient).value)
    goal = numpy(dots(influence, solution))

    def run(rounds: int) -> tuple[FloatArray, float]:
        value, taken = _timed(lambda: _lissa(influence, rounds, plan.repeats)(watched.gradient).value)
        plan.task.tick()
        return numpy(dots(influence, value)), taken

    rounds, rho, taken = fewest(run, plan.rounds[:-1], goal)
    return (rounds, rho, (taken, seconds)) if rounds else (plan.rounds[-1], 1.0, (seconds, seconds))


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
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def _lissa(influence: Influence, rounds: int, repeats: int, seed: int = 0) -> Factor:
    options = (("draw", seed), ("repeats", repeats), ("rounds", rounds), ("tolerance", 1e-12))
    settings: SolverSettings = replace(influence.settings, name="lissa", options=options)
    return factor(settings, influence.curvature)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start
