"""What a random forest leans on: the weight of every training point in a prediction, and trees grown again as truth.

    f(x) = Σ_i w_i(x)·y_i,    w_i(x) = (1/T) Σ_t b_ti·1[i in the leaf of x] / W_t(x),    W = Σ b over that leaf

with y one-hot for classes and b_t the counts of tree t's bootstrap sample.  While the trees stay, another label y' of
point i changes f(x) by exactly w_i(x)·(y' − y_i), and without i each mean v of its leaf moves by b/(W − b)·(v − y_i).
Trees that are grown again choose other splits: that is measured, and never predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from influence_core.agreement import agreement
from influence_core.compute import FloatArray, Rows, Task, blocks, once
from influence_core.data import DataError, Dataset
from influence_core.settings import Option

TREES, LEAF = Option("trees", 100, "Trees", 1, 2_000), Option("leaf", 5, "Fewest points of a leaf", 2, 1_000)
FEWEST, WIDEST, STRONGEST = 10, 1_000, 20  # training points, columns, points that are told
KEPT = (
    "Changes are new minus old, in the unit of that prediction: exact while the trees stay as they are; trees that "
    "grow again mostly move further, and elsewhere."
)
CHANGES = ("relabelled", "removed")


@dataclass(frozen=True, eq=False)
class Leaning:
    """What f at a test point, the probability of its class or a number, leans on: k points, the heaviest first.

    The other label is the class of the test point, or where a point has that the likeliest other one, or the mean
    target.  Changes (k,) of f are new minus old.
    """

    test: int
    value: float
    rows: Rows
    weight: FloatArray
    other: NDArray[Any]
    relabelled: FloatArray
    removed: FloatArray

    def table(self, data: Dataset, truth: Leaning | None = None) -> pd.DataFrame:
        """One row per training point of ``data``, with the truth where that is known; indexed by their numbers."""
        names = np.array(data.class_names, dtype=object)
        was, new = (names[y] if data.classes else y for y in (data.y[self.rows], self.other))
        columns: dict[str, Any] = {"id": data.ids[self.rows], "label": was, "weight": self.weight, "other label": new}
        for name in CHANGES:
            columns[f"change {name}"] = getattr(self, name)
            columns |= {f"regrown {name}": getattr(truth, name)} if truth else {}
        return pd.DataFrame(columns, index=self.rows)

    def against(self, truth: Leaning) -> str:
        """How far trees that grow again are from trees that stay."""
        found = {name: agreement(getattr(truth, name), getattr(self, name)) for name in CHANGES}
        return "; ".join(f"{name} {one.word()} ({one.said()}, equal signs {one.sign})" for name, one in found.items())


@dataclass(frozen=True, eq=False)
class Forest:
    """T fitted scikit-learn ``trees`` on n points, and the (T, n) ``counts`` of each in their bootstrap samples."""

    data: Dataset
    trees: tuple[Any, ...]
    counts: NDArray[np.int64]

    @once
    def y(self) -> FloatArray:
        """(n, c) one-hot labels, or (n, 1) the numeric target."""
        return np.eye(self.data.classes)[self.data.y] if self.data.classes else self.data.y[:, None].astype(float)

    @once
    def left(self) -> tuple[Any, Any, FloatArray]:
        """b/(T·W) and b/(T·(W − b)) of points in the N nodes of all trees, sparse (n, N), and the means (N, c)."""
        reached, b = self.reached(self.data.x), self.counts.T.ravel()
        w = np.concatenate([tree.tree_.weighted_n_node_samples for tree in self.trees])[reached.indices]
        share = [np.divide(b, len(self.trees) * left, out=np.zeros(len(b)), where=b > 0) for left in (w, w - b)]
        lean, rest = (sparse.csr_array((part, reached.indices, reached.indptr), reached.shape) for part in share)
        return lean, rest, np.concatenate([_means(tree, self.y.shape[1]) for tree in self.trees])

    def reached(self, x: FloatArray) -> Any:
        """1 where a point ends, sparse (m, N): one leaf of every tree."""
        first = np.cumsum([0, *(tree.tree_.node_count for tree in self.trees)])
        nodes = np.stack([tree.apply(x) for tree in self.trees], 1) + first[:-1]
        parts = np.ones(nodes.size), nodes.ravel(), np.arange(0, nodes.size + 1, len(self.trees))
        return sparse.csr_array(parts, (len(x), first[-1]))

    def weights(self, x: FloatArray, at: Rows) -> tuple[FloatArray, FloatArray]:
        """w at m points, and the change of f[at] there, (m,) classes or 0, without each training point, (n, m) both."""
        lean, rest, mean = self.left
        reached, watched = self.reached(x), self.reached(x)
        watched.data = mean[reached.indices, np.repeat(at, len(self.trees))]
        removed = (rest @ watched.T).toarray() - (rest @ reached.T).toarray() * self.y[:, at]
        removed[np.abs(removed) < 1e-12 * np.abs(self.y).max()] = 0.0  # rounding has no sign
        return (lean @ reached.T).toarray(), removed

    def leanings(self, test: Dataset, tests: Sequence[int]) -> list[Leaning]:
        """What the predictions at some test points lean on while the trees stay, in blocks that bound the memory."""
        found: list[Leaning] = []
        for part in blocks(len(tests), 48.0 * len(self.data)):
            chosen = np.asarray(tests[part])
            at = test.y[chosen] if test.classes else np.zeros(len(chosen), int)
            for j, k, w, gone in zip(chosen, at, *(each.T for each in self.weights(test.x[chosen], at)), strict=True):
                rows, f = np.argsort(-w, kind="stable")[:STRONGEST], w @ self.y
                rows = rows[w[rows] > 0]
                other = np.full(len(rows), self.data.y.mean())
                if test.classes:
                    other = np.where(self.data.y[rows] == k, np.argmax(np.where(np.arange(len(f)) == k, -1.0, f)), k)
                change = w[rows] * ((other == k if test.classes else other) - self.y[rows, k])
                found.append(Leaning(int(j), float(f[k]), rows, w[rows], other, change, gone[rows]))
        return found

    def regrown(self, test: Dataset, found: Leaning, task: Task) -> Leaning:
        """The truth: these changes once every tree whose sample has the point grows again, sample and seed kept."""
        x, k = test.x[[found.test]], int(test.y[found.test]) if test.classes else 0
        change, grows = np.zeros((2, len(found.rows))), self.counts[:, found.rows] > 0
        for done, (place, t) in enumerate(np.argwhere(grows.T)):
            y, bag, row = self.data.y.copy(), self.counts[t].copy(), found.rows[place]
            before, y[row] = _means(self.trees[t], self.y.shape[1])[self.trees[t].apply(x)][0, k], found.other[place]
            for which in range(2):
                task.tick(2 * done + which, 2 * int(grows.sum()))
                new = clone(self.trees[t]).fit(self.data.x, y, sample_weight=bag)
                change[which, place] += _means(new, self.y.shape[1])[new.apply(x)][0, k] - before
                y[row], bag[row] = self.data.y[row], 0
        return replace(found, **dict[str, Any](zip(CHANGES, change / len(self.trees), strict=True)))


def why_not(data: Dataset) -> str:
    """Why no forest is offered for some training points; empty where one is."""
    n, d = data.x.shape
    if data.texts is not None or d > WIDEST:
        got = "texts" if data.texts is not None else f"{d:,} columns"
        return (
            f"A forest is offered for tables of up to {WIDEST:,} columns, got {got}: of so many none says much alone."
        )
    return "" if n >= FEWEST else f"A forest needs at least {FEWEST} training points, got {n}: use more data."


def seconds(data: Dataset, trees: int) -> float:
    """About what growing takes."""
    tried, n = data.x.shape[1] ** 0.5 if data.classes else data.x.shape[1] / 3, len(data)
    return float(trees * (1e-3 + 3e-8 * n * np.log2(n) * tried))


def grown(data: Dataset, trees: int, leaf: int, seed: int, task: Task) -> Forest:
    """Grow one as scikit-learn does, by Gini with √d columns tried or by squares with d/3, on samples of our own.

    Raises:
        DataError: data for which none is offered.
    """
    TREES.parse(trees), LEAF.parse(leaf)
    if sentence := why_not(data):
        raise DataError(sentence)
    kind, tried = (DecisionTreeClassifier, "sqrt") if data.classes else (DecisionTreeRegressor, 1 / 3)
    random, n, made = np.random.default_rng([seed, 19]), len(data), list[Any]()
    counts = np.stack([np.bincount(rows, minlength=n) for rows in random.integers(n, size=(trees, n))])
    for t, bag in enumerate(counts):
        task.tick(t, trees)
        tree = kind(min_samples_leaf=leaf, max_features=tried, random_state=int(random.integers(2**31)))
        made.append(tree.fit(data.x, data.y, sample_weight=bag))
    return Forest(data, tuple(made), counts)


def _means(tree: Any, width: int) -> FloatArray:
    """(nodes, c) what a tree says at each node."""
    found = np.zeros((tree.tree_.node_count, width))
    found[:, np.asarray(getattr(tree, "classes_", [0]), int)] = tree.tree_.value[:, 0, :]
    return found
