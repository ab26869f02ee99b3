"""Examples as frozen arrays: one set (``Dataset``), a source before splitting (``Table``), train/test (``Split``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, fingerprint, once


class DataError(ValueError):
    """Data that cannot be used; the message says what was expected, what came and what to do."""


KEPT = 13  # digits behind the first one of the largest number of a column; rounding disturbs those after them


@dataclass(frozen=True, eq=False)
class Dataset:
    """n examples with d features.

    Attributes:
        x: (n, d) float64 features.
        y: (n,) int64 class index, or float64 target for regression.
        ids: (n,) stable example names (str).
        feature_names: d names, in the unit the source gives.
        class_names: c names; empty for regression.
        target_name: what y means, with its unit.
        images: (n, h, w) or (n, h, w, 3) uint8 to show a person, or None.
        hover: (n,) texts shown beside a point, or None.
        kind: how one example is shown to a person; empty: "picture" where there are images, else "row".
    """

    x: FloatArray
    y: NDArray[Any]
    ids: NDArray[np.str_]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    target_name: str = "target"
    images: NDArray[np.uint8] | None = None
    hover: NDArray[np.str_] | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", "row" if self.images is None else "picture")
        n, d = self.x.shape
        if self.y.shape != (n,) or self.ids.shape != (n,) or len(self.feature_names) != d:
            raise DataError(f"Expected {n} targets and ids and {d} feature names for x of shape {self.x.shape}.")
        if self.images is not None and len(self.images) != n:
            raise DataError(f"Expected {n} images, one for each example, got {len(self.images)}.")
        if self.hover is not None and self.hover.shape != (n,):
            raise DataError(f"Expected {n} texts, one for each example, got the shape {self.hover.shape}.")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise DataError("Expected finite numbers, got a missing or infinite one: remove that row or fill it in.")
        for array in (self.x, self.y, self.ids, self.images, self.hover):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def classes(self) -> int:
        """Number of classes c; 0 for regression."""
        return len(self.class_names)

    @once
    def fingerprint(self) -> str:
        """Content hash of features, targets, ids and names.

        Returns:
            32 hexadecimal digits.
        """
        return fingerprint(self.x, self.y, self.ids, self.feature_names, self.class_names)

    def take(self, rows: NDArray[Any]) -> Dataset:
        """The examples at ``rows``, in that order."""
        images = None if self.images is None else self.images[rows]
        hover = None if self.hover is None else self.hover[rows]
        return replace(self, x=self.x[rows], y=self.y[rows], ids=self.ids[rows], images=images, hover=hover)


@dataclass(frozen=True)
class Boundary:
    """The exactly optimal boundary {x : weights·x = offset} of a generator, in unscaled units, and its error rate."""

    weights: tuple[float, ...]
    offset: float
    bayes_error: float


@dataclass(frozen=True, eq=False)
class Table:
    """A source before splitting; ``train``/``test``/``validation`` are row numbers where the source fixes them."""

    dataset: Dataset
    boundary: Boundary | None = None
    train: NDArray[np.int64] | None = None
    test: NDArray[np.int64] | None = None
    validation: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Scaling:
    """x ↦ (x − mean) / scale, fitted on the training part only; zero variance gets scale 1."""

    mean: FloatArray
    scale: FloatArray

    def apply(self, x: FloatArray) -> FloatArray:
        """Scaled features, (n, d)."""
        return (x - self.mean) / self.scale

    def invert(self, x: FloatArray) -> FloatArray:
        """Features in the unit of the source, (n, d), without the digits that scaling to and fro has added."""
        found = x * self.scale + self.mean
        size = np.maximum(np.abs(self.mean), np.maximum(np.abs(self.scale), np.abs(found).max(0, initial=0.0)))
        least = 10.0 ** np.maximum(np.floor(np.log10(np.where(size > 0, size, 1.0))) - KEPT, -307)  # 1/least is finite
        rounded: FloatArray = np.round(found / least) / (1 / least)
        return rounded + 0.0  # no -0


@dataclass(frozen=True, eq=False)
class Split:
    """What a model is fitted on and asked about.  All x are scaled by ``scaling``.

    Attributes:
        train: n examples; their y may hold flipped labels.
        validation: for curves and early stopping; may be empty.
        test: m examples asked about.
        flipped: (n,) bool, labels flipped on purpose.
        original_y: (n,) training labels before flipping.
        scaling: the fitted transformation.
        boundary: the optimal boundary in unscaled units, where known.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    flipped: NDArray[np.bool_]
    original_y: NDArray[Any]
    scaling: Scaling
    boundary: Boundary | None = None

    @property
    def kind(self) -> str:
        """How its examples are shown to a person."""
        return self.train.kind

    @once
    def fingerprint(self) -> str:
        """Content hash of all parts, the flips and the scaling.

        Returns:
            32 hexadecimal digits.
        """
        sets = (self.train.fingerprint, self.validation.fingerprint, self.test.fingerprint)
        return fingerprint(*sets, self.flipped, self.scaling.mean, self.scaling.scale)
