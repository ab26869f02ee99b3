"""Where points are drawn: two coordinates per example, whatever the number of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from influence_core.compute import FloatArray
from influence_core.data.dataset import Split

EXACT = 1_000


@dataclass(frozen=True, eq=False)
class Positions:
    """Two coordinates per point, in the unit of the axes."""

    train: FloatArray
    test: FloatArray
    axes: tuple[str, str]


def positions(split: Split) -> Positions:
    """Two features as they are, one feature against the target, else the two principal axes of the training part.

    Returns:
        Coordinates of both parts.
    """
    names, d = split.train.feature_names, len(split.train.feature_names)
    raw = split.scaling.invert
    if d == 2:
        return Positions(raw(split.train.x), raw(split.test.x), (names[0], names[1]))
    if d == 1:
        pairs = [np.column_stack([raw(part.x)[:, 0], part.y]) for part in (split.train, split.test)]
        return Positions(pairs[0], pairs[1], (names[0], split.train.target_name))
    # Beyond some hundred features all d axes cost far more than the two that are drawn.
    solver = "covariance_eigh" if d <= EXACT else "randomized"
    pca = PCA(2, svd_solver=solver, random_state=0).fit(split.train.x)
    first, second = (
        f"principal axis {k + 1} ({share:.0%} of variance)" for k, share in enumerate(pca.explained_variance_ratio_)
    )
    return Positions(pca.transform(split.train.x), pca.transform(split.test.x), (first, second))
