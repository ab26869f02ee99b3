"""Why a training point matters: its score over the columns of the source, three factors; and who carries most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.analysis.answers import Analysis
from influence_core.compute import FloatArray, RowsLike, numpy
from influence_core.data import DataError
from influence_core.data.columns import SourceColumn, summed
from influence_core.influence.concentration import Concentration, concentration
from influence_core.influence.estimators import ESTIMATORS
from influence_core.influence.exchange import Exchange, asked_shares, exchange
from influence_core.influence.shares import Factors, Shares, factors, first_order_parts, shares, shares_of, splitting
from influence_core.influence.watched import training_gradients

STRONGEST = 12  # points around which near-duplicates are looked for


@dataclass(frozen=True, eq=False)
class Why:
    """One training point and the test points it is asked about.

    Attributes:
        row: the training point.
        shares: its score, as a sum.
        columns: columns of the source; none for a network, whose last layer reads features of its own.
        share: (number of columns,) share of each, summed over its features.
        factors: how wrong, how hard it pulls, how alike.
        wronger: share of the training points on which the model is less wrong.
        leverage: of the point, where it is known; and the share of the training points with less.
        asked: the same score over the features of what is asked about, where those are words.
    """

    row: int
    shares: Shares
    columns: tuple[SourceColumn, ...]
    share: FloatArray
    factors: Factors | None
    wronger: float
    leverage: tuple[float, float] | None
    asked: Shares | None = None

    @property
    def order(self) -> list[int]:
        """Places in ``share``, the strongest first."""
        return [int(k) for k in np.argsort(-np.abs(self.share), kind="stable")]


def why(analysis: Analysis, test: RowsLike, row: int) -> Why:
    """The score of training point ``row`` at one test point, or for the mean over several, over its columns.

    Args:
        analysis: the fitted model, estimator and quantity.
        test: test points asked about.
        row: the training point.

    Returns:
        Shares that sum to the score to rounding, with what stands behind it.

    Raises:
        DataError: there is no such training point.
    """
    fitted, problem = analysis.problem.fitted, analysis.problem
    if not 0 <= row < len(fitted.train):
        raise DataError(f"Training point: expected a row from 0 to {len(fitted.train) - 1}, got {row}.")
    watched = analysis.asked(test).watched
    found = shares(analysis.influence, watched, row, analysis.settings.estimator)
    linear = found.before is None
    columns = problem.columns if linear else ()
    share = summed(columns, found.features) if linear else found.features
    wrong = numpy(fitted.residuals.norm(dim=1))
    curved = ESTIMATORS[analysis.settings.estimator].curvature
    return Why(
        row,
        found,
        columns,
        share,
        factors(analysis.influence, watched, row) if curved else None,
        float((wrong < wrong[row]).mean()),
        _leverage(analysis, row),
        asked_shares(analysis.influence, watched, row, analysis.settings.estimator)
        if linear and problem.split.train.worded
        else None,
    )


def decisive(analysis: Analysis, tests: RowsLike, rows: RowsLike, reverse: bool = False) -> tuple[int, ...]:
    """Places in ``Problem.columns``, those first that carry most of the scores of some points, or tell them apart.

    A column that carries a large share of the first-order score of one point counts as one that carries it for all;
    for a network, whose score is no sum over columns, those come first in which the points differ from what is asked.

    Args:
        analysis: the fitted model and the quantity.
        tests: test points asked about; with ``reverse`` those that are listed.
        rows: training points that are listed; with ``reverse`` the one that leaves.
        reverse: whether the test points are the ones that are listed.

    Returns:
        All places.
    """
    problem, influence = analysis.problem, analysis.influence
    listed = problem.split.test.x[list(tests)] if reverse else problem.split.train.x[list(rows)]
    asked = problem.split.train.x[list(rows)] if reverse else problem.split.test.x[list(tests)]
    apart = _weights(problem.columns, np.abs(listed - asked.mean(0)).clip(0, 1))
    if not problem.fitted.kind.closed_form:
        return _falling(apart)
    mine, curved = training_gradients(influence, torch.as_tensor(list(rows))), analysis.estimator.curvature
    if reverse:
        other = influence.solve(mine).value if curved else mine
        parts = first_order_parts(influence, analysis.watched(tests).gradient, other)
    else:
        other = analysis.solved(tests) if curved else analysis.watched(tests, mean=True).gradient
        parts = first_order_parts(influence, mine, other)
    return _falling(_weights(problem.columns, np.zeros_like(listed) if parts is None else parts) + 1e-9 * apart)


def _weights(columns: tuple[SourceColumn, ...], parts: FloatArray) -> FloatArray:
    """(number of columns,) what each carries of |parts| (b, d), every example counted alike."""
    sums = np.abs(summed(columns, parts))
    whole = sums.sum(1, keepdims=True)
    found: FloatArray = np.divide(sums, whole, out=np.zeros_like(sums), where=whole > 0).mean(0)
    return found


def _falling(weights: FloatArray) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argsort(-weights, kind="stable"))


def word_pairs(analysis: Analysis, test: RowsLike, row: int) -> Exchange:
    """The same score over pairs of features of the training point and of what is asked about."""
    return exchange(analysis.influence, analysis.asked(test).watched, row, analysis.settings.estimator)


def feature_shares(analysis: Analysis, test: int, rows: RowsLike) -> FloatArray:
    """(b, d) shares of the features of several training points at one test point."""
    asked, chosen = analysis.asked([test]), np.asarray(rows, dtype=np.int64)
    name, places = analysis.settings.estimator, torch.from_numpy(chosen)
    entry = splitting(name)
    if entry.curvature:
        scores = torch.from_numpy(asked.scores[chosen, 0].copy())
        together = shares_of(analysis.influence, asked.watched, places, scores, name)
        if together is not None:
            return together
    return np.stack([shares(analysis.influence, asked.watched, int(row), name).features for row in chosen])


def concentrated(analysis: Analysis, scores: FloatArray) -> Concentration:
    """How few training points carry most of (n,) scores, their classes, and the near-duplicates that carry most."""
    problem = analysis.problem
    train, families = problem.split.train, []
    for row in np.argsort(-np.nan_to_num(np.abs(scores)), kind="stable")[:STRONGEST]:
        near = problem.crowd.near(int(row))
        if len(near):
            families.append(np.sort(np.append(near, row)))
    labels = train.y if train.classes else np.zeros(len(train), np.int64)
    return concentration(scores, labels, train.classes, families)


def _leverage(analysis: Analysis, row: int) -> tuple[float, float] | None:
    found = analysis.ground.leverage
    return None if found is None else (float(found[row]), float((found < found[row]).mean()))
