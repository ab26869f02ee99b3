"""From suspicions to a queue, and how good that queue is where the flips are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from influence_core.agreement import Measure
from influence_core.compute import FloatArray, Rows

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Detection:
    """How well one ranking of n points finds known flips.

    Attributes:
        auc: probability that a flip ranks above a correct point, ties counted half; undefined without both kinds.
        fractions: (f,) shares of the training data checked, as asked for.
        checked: (f,) points checked, round(fraction · n).
        found: (f,) flips among them.
        precision: (f,) found / checked; NaN where nothing is checked.
        recall: (f,) found / all flips; NaN without flips.
    """

    auc: Measure
    fractions: FloatArray
    checked: Rows
    found: Rows
    precision: FloatArray
    recall: FloatArray


def places(ids: NDArray[np.str_]) -> Rows:
    """The place of every id among all ids in sorted order; ties between points are broken by it.

    Returns:
        (n,) a permutation of 0 … n − 1.
    """
    result = np.empty(len(ids), dtype=np.int64)
    result[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return result


def rank(suspicion: FloatArray, ties: Rows) -> Rows:
    """Rows from the most to the least suspicious; equal suspicions in the order of their ids, whatever the row order.

    Args:
        suspicion: (n,).
        ties: (n,) of :func:`places`.

    Returns:
        (n,) rows.

    Raises:
        ValueError: a suspicion that is not a number, which has no place in an order.
    """
    if np.isnan(suspicion).any():
        raise ValueError(f"Expected {len(suspicion)} numbers, got NaN in row {int(np.isnan(suspicion).argmax())}.")
    by_id = np.argsort(ties, kind="stable")
    order: Rows = by_id[np.argsort(-suspicion[by_id], kind="stable")]
    return order


def percentiles(suspicion: FloatArray) -> FloatArray:
    """Share of points below each point, in percent, ties counted half: 50 for the middle, near 100 for the top.

    Returns:
        (n,) in (0, 100).
    """
    return np.asarray(100 * (rankdata(suspicion) - 0.5) / len(suspicion))


def auc(suspicion: FloatArray, flipped: Mask) -> Measure:
    """Area under the ROC curve: the share of (flip, correct point) pairs in the right order, ties counted half.

    Returns:
        A number in [0, 1]; 0.5 for chance.
    """
    positive = int(flipped.sum())
    negative = len(flipped) - positive
    if not positive or not negative:
        return Measure(None, "needs flipped and correct labels")
    total = float(rankdata(suspicion)[flipped].sum())
    return Measure((total - positive * (positive + 1) / 2) / (positive * negative))


def detection(suspicion: FloatArray, flipped: Mask, ties: Rows, fractions: Sequence[float]) -> Detection:
    """Precision and recall after checking the most suspicious shares of the data.

    Args:
        suspicion: (n,).
        flipped: (n,) known flips.
        ties: (n,) of :func:`places`.
        fractions: shares in [0, 1].

    Returns:
        Exact counts and their ratios.
    """
    shares = np.asarray(fractions, dtype=np.float64)
    checked = np.round(shares * len(flipped)).astype(np.int64)
    found = np.concatenate([[0], np.cumsum(flipped[rank(suspicion, ties)])])[checked].astype(np.int64)
    total = int(flipped.sum())
    precision = np.divide(found, checked, out=np.full(len(shares), np.nan), where=checked > 0)
    recall = found / total if total else np.full(len(shares), np.nan)
    return Detection(auc(suspicion, flipped), shares, checked, found, precision, recall)
