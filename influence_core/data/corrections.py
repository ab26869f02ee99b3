"""What people decided about training labels, and the split that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import fingerprint, once
from influence_core.data.dataset import DataError, Split

LEFT = 2  # training points of a class that must stay


@dataclass(frozen=True, eq=False)
class Corrections:
    """One decision for each of k training points.

    Attributes:
        rows: (k,) training points, each at most once.
        labels: (k,) the label each has from now on: the given one where it was kept; ignored where excluded.
        excluded: (k,) bool, whether it leaves the training set.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    excluded: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for array in (self.rows, self.labels, self.excluded):
            if array.shape != self.rows.shape or array.ndim != 1:
                raise DataError("Expected rows, labels and exclusions of one length, one for each decision.")
            array.setflags(write=False)

    @once
    def fingerprint(self) -> str:
        """Content hash.

        Returns:
            32 hexadecimal digits.
        """
        return fingerprint(self.rows, self.labels, self.excluded)


def corrected(split: Split, corrections: Corrections) -> Split:
    """The split with new labels, without the excluded training points; what is ``flipped`` is counted again.

    Features keep their scaling, so that before and after differ by the decisions alone.

    Returns:
        A split with as many training points as are left, in their order.

    Raises:
        DataError: a row or label that does not exist, a row decided twice, or too little left of a class.
    """
    train, n = split.train, len(split.train)
    if not train.classes:
        raise DataError("Corrections change labels, so they need data with classes.")
    _check(corrections, n, train.classes)
    relabelled = ~corrections.excluded
    y = train.y.copy()
    y[corrections.rows[relabelled]] = corrections.labels[relabelled]
    keep = np.ones(n, dtype=bool)
    keep[corrections.rows[corrections.excluded]] = False
    counts = np.bincount(y[keep], minlength=train.classes)
    if counts.min() < LEFT:
        raise DataError(
            f"Expected decisions that leave at least {LEFT} training points of every class, they leave {counts.min()} "
            f"of {train.class_names[int(counts.argmin())][:40]!r}."
        )
    flipped = (y != split.original_y)[keep]
    left = replace(train, y=y).take(np.flatnonzero(keep))
    return replace(split, train=left, flipped=flipped, original_y=split.original_y[keep])


def _check(corrections: Corrections, n: int, classes: int) -> None:
    rows, labels = corrections.rows, corrections.labels[~corrections.excluded]
    if len(np.unique(rows)) < len(rows):
        raise DataError("Expected one decision for each training point, got two for one: agree on a label first.")
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise DataError(f"Training points: expected rows from 0 to {n - 1}, got {rows.min()} to {rows.max()}.")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(f"Labels: expected classes from 0 to {classes - 1}, got {labels.min()} to {labels.max()}.")
