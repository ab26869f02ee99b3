"""Examples as frozen arrays: one set (``Dataset``), a source before splitting (``Table``), train/test (``Split``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, fingerprint, once
from influence_core.compute.sparse import is_sparse, rows_of, stored
from influence_core.data.words import WordFeatures


class DataError(ValueError):
    """Data that cannot be used; the message says what was expected, what came and what to do."""


MOST_NOTES = 200  # different ones that are names of groups and not texts
KEPT = 13  # digits behind the first one of the largest number of a column; rounding disturbs those after them


@dataclass(frozen=True, eq=False)
class Dataset:
    """n examples with d features.

    Attributes:
        x: (n, d) float64 features; of texts in a sparse array.
        y: (n,) int64 class index, or float64 target for regression.
        ids: (n,) stable example names (str).
        feature_names: d names, in the unit the source gives.
        class_names: c names; empty for regression.
        target_name: what y means, with its unit.
        images: (n, h, w) or (n, h, w, 3) uint8 to show a person, or None.
        hover: (n,) texts shown beside a point, or None.
        texts: (n,) str, whole texts that the features are made of, or None.
        kind: how one example is shown to a person; empty: "picture" where there are images, "text" where there are
            texts, else "row".
    """

    x: FloatArray
    y: NDArray[Any]
    ids: NDArray[np.str_]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    target_name: str = "target"
    images: NDArray[np.uint8] | None = None
    hover: NDArray[np.str_] | None = None
    texts: NDArray[np.object_] | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        if not self.kind:
            usual = "row" if self.images is None else "picture"
            object.__setattr__(self, "kind", usual if self.texts is None else "text")
        n, d = self.x.shape
        if self.y.shape != (n,) or self.ids.shape != (n,) or len(self.feature_names) != d:
            raise DataError(f"Expected {n} targets and ids and {d} feature names for x of shape {self.x.shape}.")
        if self.images is not None and len(self.images) != n:
            raise DataError(f"Expected {n} images, one for each example, got {len(self.images)}.")
        if self.hover is not None and self.hover.shape != (n,):
            raise DataError(f"Expected {n} texts, one for each example, got the shape {self.hover.shape}.")
        if self.texts is not None and self.texts.shape != (n,):
            raise DataError(f"Expected {n} whole texts, one for each example, got the shape {self.texts.shape}.")
        if not (np.isfinite(stored(self.x)[0]).all() and np.isfinite(self.y).all()):
            raise DataError("Expected finite numbers, got a missing or infinite one: remove that row or fill it in.")
        self._freeze()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrays that come from another process are as frozen as those made here."""
        self.__dict__.update(state)
        self._freeze()

    def _freeze(self) -> None:
        for array in (*stored(self.x), self.y, self.ids, self.images, self.hover, self.texts):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def classes(self) -> int:
        """Number of classes c; 0 for regression."""
        return len(self.class_names)

    @property
    def worded(self) -> bool:
        """Whether its features are the words of its texts."""
        return self.texts is not None and is_sparse(self.x)

    @once
    def fingerprint(self) -> str:
        """Content hash of features, targets, ids and names.

        Returns:
            32 hexadecimal digits.
        """
        said = () if self.texts is None else (self.x.shape, "\0".join(self.texts))
        return fingerprint(*stored(self.x), self.y, self.ids, self.feature_names, self.class_names, *said)

    @once
    def noted(self) -> dict[str, NDArray[np.int64]]:
        """Rows that have something said beside them in common, such as a president or a year.

        What is said counts as a whole, and so does each of its parts between commas.

        Returns:
            Rows by what is said, the most frequent first; empty where nearly every row has a text of its own.
        """
        if self.hover is None:
            return {}
        said, places = np.unique(self.hover, return_inverse=True)
        if len(said) > min(MOST_NOTES, len(self) // 2):
            return {}
        found: dict[str, list[int]] = {}
        for k, whole in enumerate(said):
            for part in {str(whole), *str(whole).split(", ")} - {""}:
                found.setdefault(part, []).append(k)
        rows = {part: np.flatnonzero(np.isin(places, kinds)) for part, kinds in found.items()}
        many = sorted((part for part in rows if len(rows[part]) > 1), key=lambda part: (-len(rows[part]), part))
        return {part: rows[part] for part in many}

    def take(self, rows: NDArray[Any]) -> Dataset:
        """The examples at ``rows``, in that order."""
        images = None if self.images is None else self.images[rows]
        hover = None if self.hover is None else self.hover[rows]
        texts = None if self.texts is None else self.texts[rows]
        x, y, ids = self.x[rows], self.y[rows], self.ids[rows]
        return replace(self, x=x, y=y, ids=ids, images=images, hover=hover, texts=texts)

    def with_features(self, x: FloatArray, names: tuple[str, ...]) -> Dataset:
        """The same examples with other features."""
        return replace(self, x=x, feature_names=names)


@dataclass(frozen=True)
class Boundary:
    """The exactly optimal boundary {x : weights·x = offset} of a generator, in unscaled units, and its error rate."""

    weights: tuple[float, ...]
    offset: float
    bayes_error: float


@dataclass(frozen=True, eq=False)
class Table:
    """A source before splitting; ``train``/``test``/``validation`` are row numbers where the source fixes them.

    ``words`` says how the features of its texts are made, once it is known which of them are trained on.
    """

    dataset: Dataset
    boundary: Boundary | None = None
    train: NDArray[np.int64] | None = None
    test: NDArray[np.int64] | None = None
    validation: NDArray[np.int64] | None = None
    words: WordFeatures | None = None


@dataclass(frozen=True, eq=False)
class Scaling:
    """x ↦ (x − mean) / scale, fitted on the training part only; zero variance gets scale 1."""

    mean: FloatArray
    scale: FloatArray

    def apply(self, x: FloatArray) -> FloatArray:
        """Scaled features, (n, d)."""
        return x if is_sparse(x) else (x - self.mean) / self.scale

    def invert(self, x: FloatArray) -> FloatArray:
        """Features in the unit of the source, (n, d), without the digits that scaling to and fro has added."""
        if is_sparse(x):  # words are used as they are
            return x
        found = x * self.scale + self.mean
        size = np.maximum(np.abs(self.mean), np.maximum(np.abs(self.scale), np.abs(found).max(0, initial=0.0)))
        least = 10.0 ** np.maximum(np.floor(np.log10(np.where(size > 0, size, 1.0))) - KEPT, -307)  # 1/least is finite
        rounded: FloatArray = np.round(found / least) / (1 / least)
        return rounded + 0.0  # no -0

    def part(self, features: slice) -> Scaling:
        """The scaling of some features alone."""
        return Scaling(self.mean[features], self.scale[features])


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

    def feature(self, k: int) -> FloatArray:
        """(n,) one feature of the training points, in the unit of the source."""
        own = slice(k, k + 1)
        values = self.scaling.part(own).invert(self.train.x[:, own])
        column: FloatArray = rows_of(values, slice(None))[:, 0]
        return column

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
