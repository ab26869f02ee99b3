"""Nearest neighbours by a FAISS index: candidates for a search that scores few training points instead of all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.compute.plugins import optional
from influence_core.compute.sparse import is_sparse, squares

MANY = 50_000  # points from which cells are searched instead of everything
PROBED = 8  # of about 4√n cells


@dataclass(frozen=True, eq=False)
class Index:
    """Training points ready to be searched, Euclidean distance in single precision (Johnson, Douze & Jégou 2021).

    Attributes:
        searcher: the FAISS index; of sparse points, all of them, in double precision.
        count: n.
        width: features per point.
        exact: whether every point is compared; with cells the eight nearest cells are.
    """

    searcher: Any
    count: int
    width: int
    exact: bool

    def nearest(self, queries: FloatArray, k: int) -> NDArray[np.int64]:
        """The k nearest points of every query, nearest first.

        Args:
            queries: (m, width).
            k: how many, at most n.

        Returns:
            (m, min(k, n)) row numbers; −1 where probed cells hold fewer.

        Raises:
            ValueError: queries of another width.
        """
        if queries.ndim != 2 or queries.shape[1] != self.width:
            raise ValueError(f"Expected queries with {self.width} features, got an array of shape {queries.shape}.")
        found: NDArray[np.int64] = self.searcher.search(_single(queries), min(k, self.count))[1]
        return found


@dataclass(frozen=True, eq=False)
class _Stored:
    """Sparse points, compared by their stored numbers alone: a dense copy of 6,000 × 10,000 would take 0.5 GB."""

    words: Any  # (q, n), so that a query reads only those that it holds
    sizes: FloatArray

    def search(self, queries: Any, k: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """Squared distances up to what all points share, and rows, nearest first, (m, k) each."""
        apart = self.sizes - 2 * (queries @ self.words).toarray()
        rows = np.argpartition(apart, k - 1, axis=1)[:, :k] if k < len(self.sizes) else np.argsort(apart, axis=1)
        far = np.take_along_axis(apart, rows, 1)
        order = np.argsort(far, axis=1, kind="stable")
        return np.take_along_axis(far, order, 1), np.take_along_axis(rows, order, 1)


def index(features: Any, exact: bool | None = None) -> Index:
    """Build the index: all points compared below 50,000, else about 4√n cells of which eight are searched.

    Args:
        features: (n, q), perhaps sparse; those are compared one and all.
        exact: by hand; None decides by n.

    Raises:
        ValueError: no points.
    """
    if features.ndim != 2 or not features.shape[0]:
        raise ValueError(f"Expected features (n, q) of at least one point, got an array of shape {features.shape}.")
    n, width = features.shape
    if is_sparse(features):
        return Index(_Stored(features.T.tocsr(), squares(features)), n, width, True)
    flat = exact if exact is not None else n < MANY
    faiss = optional("faiss", "search")
    searcher = faiss.IndexFlatL2(width)
    if not flat:
        cells = max(1, min(round(4 * math.sqrt(n)), n // 40))
        searcher = faiss.IndexIVFFlat(searcher, width, cells)
        searcher.nprobe = PROBED
        searcher.train(_single(features))
    searcher.add(_single(features))
    return Index(searcher, n, width, flat)


def recall(true_scores: FloatArray, found: NDArray[np.int64], top: int) -> float:
    """Share of the ``top`` largest |scores| that are among the rows found.

    Returns:
        Between 0 and 1.
    """
    best = np.argsort(-np.abs(true_scores), kind="stable")[:top]
    return float(np.isin(best, found).mean())


def _single(x: Any) -> Any:
    return x if is_sparse(x) else np.ascontiguousarray(x, dtype=np.float32)
