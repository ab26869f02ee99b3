"""The penalty l2 that a data scientist would choose: the best leave-one-out loss on a small grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from influence_core.compute import Task, numpy
from influence_core.compute.task import Call
from influence_core.data import Split
from influence_core.influence.estimators import self_influence
from influence_core.influence.watched import Influence
from influence_core.models import MODELS, NoMinimumError, fit
from influence_core.settings import ModelSettings, SolverSettings
from influence_core.solvers import SingularError

GRID = tuple(float(f"{l2:.1g}") for l2 in np.logspace(-4, 1, 11))
WORK = 5e7  # multiplications of one Hessian: a value of the grid takes some ten of them, milliseconds
LARGE = 1e7  # of them above which the grid takes some half a second, in another process where there is one
FEWEST = 200  # training points that are enough to choose by


@dataclass(frozen=True)
class Penalties:
    """Leave-one-out losses over a grid of penalties.

    Attributes:
        best: l2 with the least.
        losses: mean leave-one-out loss by l2.
        points: training points that were left out, one at a time.
    """

    best: float
    losses: dict[float, float]
    points: int


def chosen_penalty(model: ModelSettings, split: Split, task: Task = Task()) -> Penalties | None:  # noqa: B008 - frozen
    """The l2 of the grid with the least mean loss of every training point without itself, by one Newton step.

    Exact for squared loss.  Of many points a random part is taken, with the same total penalty n·l2.

    Args:
        model: its l2 does not matter.
        split: its training part.
        task: ticks in penalties; its workers try those of many points.

    Returns:
        The losses; None for a model without a penalty, without one minimum, or too large to try.
    """
    entry = MODELS[model.name]
    if not entry.penalty or not entry.kind.closed_form:
        return None
    n, width = split.train.x.shape
    size = (width + 1) * max(split.train.classes if split.train.classes > 2 else 1, 1)
    points = min(n, int(WORK / size**2))
    if points < min(n, FEWEST):
        return None
    rows = np.sort(np.random.default_rng(0).permutation(n)[:points])
    part = replace(split, train=split.train.take(rows), flipped=split.flipped[rows])
    if task.workers is None or points * size**2 < LARGE:
        found = _losses(model, part, n / points, task)
    else:
        call = Call(_losses, None, (model, replace(part, test=split.test.take(rows[:1] * 0)), n / points))
        found = task.workers.run([call], task)[0]
    return Penalties(min(found, key=lambda l2: found[l2]), found, points) if found else None


def _losses(model: ModelSettings, split: Split, share: float, task: Task) -> dict[float, float]:
    """Mean leave-one-out losses by l2, those that are finite; the fits take l2 × ``share``."""
    found = dict[float, float]()
    for done, l2 in enumerate(GRID):
        task.tick(done, len(GRID))
        loss = _left_out(replace(model, l2=l2 * share, fit="auto"), split)
        if np.isfinite(loss):
            found[l2] = loss
    return found


def _left_out(model: ModelSettings, split: Split) -> float:
    """Mean loss of every training point by the fit without it; infinite where there is none."""
    try:
        fitted = fit(model, split)
        if not fitted.fit.converged:
            return np.inf
        change = self_influence(Influence(fitted, SolverSettings()), newton=True)
    except (NoMinimumError, SingularError):
        return np.inf
    return float(np.mean(numpy(fitted.model.losses(fitted.theta, fitted.train)) + change))
