"""Why one training point matters: its score over the columns of the source, three factors; and who carries most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.analysis.answers import Analysis
from influence_core.compute import FloatArray, RowsLike, numpy
from influence_core.data import DataError
from influence_core.data.columns import SourceColumn
from influence_core.influence.concentration import Concentration, concentration
from influence_core.influence.estimators import ESTIMATORS
from influence_core.influence.shares import Factors, Shares, factors, shares

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
    """

    row: int
    shares: Shares
    columns: tuple[SourceColumn, ...]
    share: FloatArray
    factors: Factors | None
    wronger: float
    leverage: tuple[float, float] | None

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
    watched = analysis.watched(test, mean=True)
    found = shares(analysis.influence, watched, row, analysis.settings.estimator)
    linear = found.before is None
    columns = problem.columns if linear else ()
    share = np.array([found.features[list(column.features)].sum() for column in columns]) if linear else found.features
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
    )


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
