"""Confident learning through the open-source ``cleanlab`` package (Northcutt, Jiang & Chuang 2021)."""

from __future__ import annotations

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from influence_core.compute import FloatArray


def label_quality(labels: NDArray[np.int64], probabilities: FloatArray) -> FloatArray:
    """Label score of cleanlab by self-confidence, the cross-validated probability of the given label; lower = worse.

    Args:
        labels: (n,) class indices.
        probabilities: (n, c) out-of-sample class probabilities.

    Returns:
        (n,) in [0, 1].
    """
    return np.asarray(get_label_quality_scores(labels, probabilities), dtype=np.float64)


def label_issues(labels: NDArray[np.int64], probabilities: FloatArray) -> NDArray[np.bool_]:
    """Points that confident learning prunes by noise rate, cleanlab's default filter.

    Args:
        labels: (n,) class indices, every class present.
        probabilities: (n, c) out-of-sample class probabilities.

    Returns:
        (n,) bool.
    """
    return np.asarray(find_label_issues(labels, probabilities, n_jobs=1), dtype=np.bool_)
