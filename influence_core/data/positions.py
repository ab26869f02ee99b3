"""Where points are drawn: two coordinates per example, whatever the number of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD

from influence_core.compute import FloatArray
from influence_core.compute.sparse import is_sparse, rows_of
from influence_core.data.dataset import Dataset, Split

EXACT = 1_000


@dataclass(frozen=True, eq=False)
class Positions:
    """Two coordinates per point, in the unit of the axes."""

    train: FloatArray
    test: FloatArray
    axes: tuple[str, str]


@dataclass(frozen=True, eq=False)
class Placing:
    """Two axes, and examples, scaled as those they were found on, to their (n, 2) coordinates."""

    axes: tuple[str, str]
    place: Callable[[Dataset], FloatArray]


def positions(split: Split) -> Positions:
    """Both parts on :func:`plane`."""
    found = plane(split)
    return Positions(found.place(split.train), found.place(split.test), found.axes)


def plane(split: Split) -> Placing:
    """Two features as they are, one feature against the target, else the two principal axes of the training part.

    Returns:
        Where any example like these is drawn.
    """
    names, d = split.train.feature_names, len(split.train.feature_names)
    if d == 2:
        return Placing((names[0], names[1]), lambda part: _plain(split, part.x))
    if d == 1:
        return Placing(
            (names[0], split.train.target_name), lambda part: np.column_stack([_plain(split, part.x)[:, 0], part.y])
        )
    if is_sparse(split.train.x):
        return _directions(split)
    # Beyond some hundred features all d axes cost far more than the two that are drawn.
    solver = "covariance_eigh" if d <= EXACT else "randomized"
    pca = PCA(2, svd_solver=solver, random_state=0).fit(split.train.x)
    first, second = (
        f"principal axis {k + 1} ({share:.0%} of variance)" for k, share in enumerate(pca.explained_variance_ratio_)
    )
    return Placing((first, second), lambda part: pca.transform(part.x))


def _directions(split: Split) -> Placing:
    """The second and third singular direction of the words: the first says little but how long a text is."""
    x = split.train.x
    count = min(3, x.shape[1])
    svd = TruncatedSVD(count, random_state=0).fit(x)
    chosen = [count - 2, count - 1]
    named = [
        " / ".join(split.train.feature_names[k] for k in np.argsort(-side)[:2]) for side in svd.components_[chosen]
    ]
    first, second = (f"direction of words {k + 1} (towards {words})" for k, words in zip(chosen, named, strict=True))
    return Placing((first, second), lambda part: svd.transform(part.x)[:, chosen])


def _plain(split: Split, x: FloatArray) -> FloatArray:
    """Few features as they are, in the unit of the source."""
    found: FloatArray = rows_of(split.scaling.invert(x), slice(None))
    return found
