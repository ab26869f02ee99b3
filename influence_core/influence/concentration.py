"""How concentrated influence is: how few points carry most of it, and who they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray

MOST = 0.8  # of the sum of |score|


@dataclass(frozen=True, eq=False)
class Concentration:
    """Of n scores.

    Attributes:
        count: fewest points that carry ``share`` of Σ|score|; 0 where all scores are 0.
        share: what they are to carry.
        of: n.
        helpful: (c,) share of each class in the sum of the positive scores; empty without classes.
        harmful: (c,) likewise of the negative ones.
        family: the near-duplicates that carry most together, at least two; empty where there are none.
        carried: their share of Σ|score|.
    """

    count: int
    share: float
    of: int
    helpful: FloatArray
    harmful: FloatArray
    family: NDArray[np.int64]
    carried: float


def concentration(
    scores: FloatArray, labels: NDArray[np.int64], classes: int, families: Sequence[NDArray[np.int64]] = ()
) -> Concentration:
    """Who carries the influence.

    Args:
        scores: (n,) signed scores; NaN for a point without one counts as 0.
        labels: (n,) classes; any numbers where there are none.
        classes: c, 0 for regression.
        families: groups of near-duplicates.

    Returns:
        Counts and shares.
    """
    scores = np.nan_to_num(scores)
    size = np.abs(scores)
    total = float(size.sum())
    descending = np.cumsum(np.sort(size)[::-1])
    count = int(np.searchsorted(descending, MOST * total * (1 - 1e-12)) + 1) if total else 0
    weights = [float(size[rows].sum()) for rows in families]
    best = int(np.argmax(weights)) if weights else -1
    return Concentration(
        min(count, len(scores)),
        MOST,
        len(scores),
        _mix(np.maximum(scores, 0), labels, classes),
        _mix(np.maximum(-scores, 0), labels, classes),
        families[best] if weights else np.empty(0, np.int64),
        weights[best] / total if weights and total else 0.0,
    )


def _mix(weights: FloatArray, labels: NDArray[np.int64], classes: int) -> FloatArray:
    if not classes:
        return np.empty(0)
    found: FloatArray = np.bincount(labels, weights, minlength=classes).astype(np.float64)
    return found / found.sum() if found.sum() else found
