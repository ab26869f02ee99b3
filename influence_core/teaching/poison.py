"""How little poison it takes: small bounded changes of a few training points that flip one chosen prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import Analysis
from influence_core.compute import FloatArray, numpy
from influence_core.data import Split
from influence_core.influence import estimators
from influence_core.influence.effects import perturbation_change
from influence_core.influence.watched import Influence, watch
from influence_core.models import fit

ROUNDS = 8


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A training set with k points moved, and the model refitted on it.

    Attributes:
        rows: (k,) moved training points.
        before: (k, d) their features, scaled.
        after: (k, d); |after − before| ≤ bound everywhere, and within the range of the feature.
        path: one row per round: round, loss and margin of the test point, by a real refit.
        theta: (p,) refitted.
        self_influence: (n,) of the poisoned training set.
        harm: (n,) minus the predicted loss_change at the test point, of the poisoned training set.
        others: other test points whose predicted class changes.
    """

    rows: NDArray[np.int64]
    before: FloatArray
    after: FloatArray
    path: pd.DataFrame
    theta: FloatArray
    self_influence: FloatArray
    harm: FloatArray
    others: int

    @property
    def flipped(self) -> bool:
        """Whether the prediction at the test point is wrong after the refit."""
        return bool(self.path["margin"].iloc[-1] <= 0)

    def places(self, suspicion: FloatArray) -> NDArray[np.int64]:
        """Where the moved points stand in an order from the most to the least suspicious.

        Returns:
            (k,) places, 1 for the first.
        """
        order = np.argsort(-suspicion, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(1, len(order) + 1)
        return place[self.rows]


def poison(analysis: Analysis, test: int, count: int, bound: float) -> Poisoned:
    """Move ``count`` training points by at most ``bound`` per scaled feature so that the loss at a test point grows.

    The points whose features matter most to that loss are chosen once.  Then, round by round, every feature moves by a
    quarter of ``bound`` in the direction in which perturbation_change says that the loss grows, is cut back to the
    bound and to the values that it takes anywhere in the training set, and the model is refitted: projected gradient
    ascent with the sign of the gradient (Koh & Liang 2017, section 5.2).
    """
    settings, split = analysis.settings, analysis.problem.split
    everywhere = np.arange(len(split.train))
    slope = np.abs(perturbation_change(analysis.influence, analysis.watched([test]), everywhere)[:, :, 0])
    slope = slope @ (np.ptp(split.train.x, axis=0) > 0)  # a feature that is constant stays so
    rows = np.sort(np.argsort(-slope, kind="stable")[:count])
    before = split.train.x[rows]
    after, path = before.copy(), []
    for number in range(ROUNDS + 1):
        moved = _moved(split, rows, after)
        influence = Influence(fit(settings.model, moved, settings.seed, "cpu"), settings.solver)
        path.append((number, *_asked(influence, moved, test)))
        if number < ROUNDS:
            after = _step(influence, moved, (test, rows), (before, after, bound))
    watched = watch(influence.fitted, influence.fitted.batch(moved.test.take(np.array([test]))))
    return Poisoned(
        rows,
        before,
        after,
        pd.DataFrame(path, columns=["round", "loss", "margin"]),
        numpy(influence.fitted.theta),
        estimators.self_influence(influence),
        -estimators.scores(influence, watched)[:, 0],
        _others(analysis, influence, test),
    )


def _others(analysis: Analysis, influence: Influence, test: int) -> int:
    """Other test points that the poisoned model puts into another class."""
    model, x = influence.fitted.model, analysis.problem.test.x.cpu()
    before, after = (model.outputs(theta.cpu(), x) for theta in (analysis.problem.fitted.theta, influence.fitted.theta))
    changed = (before > 0) != (after > 0) if before.shape[1] == 1 else (before.argmax(1) != after.argmax(1))[:, None]
    return int(changed.sum()) - int(changed[test])


def _moved(split: Split, rows: NDArray[np.int64], x: FloatArray) -> Split:
    whole = split.train.x.copy()
    whole[rows] = x
    return replace(split, train=replace(split.train, x=whole))


def _asked(influence: Influence, split: Split, test: int) -> tuple[float, float]:
    """Loss and margin of the test point."""
    fitted = influence.fitted
    asked = fitted.batch(split.test.take(np.array([test])))
    f = fitted.model.outputs(fitted.theta, asked.x)
    margins = fitted.model.loss.margins(f, asked.y)
    assert margins is not None  # a classifier
    return float(fitted.model.losses(fitted.theta, asked)[0]), float(margins[0])


def _step(
    influence: Influence,
    split: Split,
    at: tuple[int, NDArray[np.int64]],
    state: tuple[FloatArray, FloatArray, float],
) -> FloatArray:
    (test, rows), (before, after, bound) = at, state
    watched = watch(influence.fitted, influence.fitted.batch(split.test.take(np.array([test]))))
    slope = perturbation_change(influence, watched, rows)[:, :, 0]
    low, high = split.train.x.min(0), split.train.x.max(0)  # nothing that the source could not hold
    stepped = np.clip(after + bound / 4 * np.sign(slope), before - bound, before + bound)
    return np.asarray(np.clip(stepped, np.minimum(low, before), np.maximum(high, before)))


def least(analysis: Analysis, test: int, bound: float, most: int) -> Poisoned | None:
    """The fewest moved points that flip the prediction, by doubling and halving.

    Returns:
        The poisoned training set, or None where ``most`` points do not suffice.
    """
    low, high, found = 0, 1, None
    while found is None and high <= most:
        tried = poison(analysis, test, high, bound)
        if tried.flipped:
            found = tried
        else:
            low, high = high, high * 2
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        tried = poison(analysis, test, middle, bound)
        if tried.flipped:
            found, high = tried, middle
        else:
            low = middle
    return found
