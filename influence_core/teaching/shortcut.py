"""Shortcut words: which words decide a text, which training texts taught them, and what leaving those out does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import Analysis, feature_shares
from influence_core.analysis.word_truth import without_word
from influence_core.compute import FloatArray, numpy
from influence_core.data import DataError, Dataset

KINDS = 5  # groups of texts that a chart has room for


def kinds(data: Dataset) -> dict[str, NDArray[np.bool_]]:
    """Which texts belong to each of a few groups, where the source names some, or to each class."""
    if data.hover is not None and len(found := np.unique(data.hover)) <= KINDS:
        return {str(kind): data.hover == kind for kind in found}
    return {name: data.y == k for k, name in enumerate(data.class_names)}


def by_kind(analysis: Analysis) -> pd.DataFrame:
    """How right the model is on every kind of test texts.

    Returns:
        One row per kind: kind, train and test (texts), accuracy (share of the test texts; NaN for none).
    """
    split, right = analysis.problem.split, ~analysis.problem.misclassified
    train, rows = kinds(split.train), []
    for kind, inside in kinds(split.test).items():
        share = float(right[inside].mean()) if inside.any() else np.nan
        rows.append((kind, int(train[kind].sum()) if kind in train else 0, int(inside.sum()), share))
    return pd.DataFrame(rows, columns=["kind", "train", "test", "accuracy"])


def pulls(analysis: Analysis, test: int) -> pd.DataFrame:
    """Words that pull a test text to the class that is predicted, the strongest first: f = Σ_t θ_t x_t + b.

    Returns:
        One row per word: word, pull (±θ_t x_t; > 0), and lead (±f) after this word and the stronger ones were deleted
        from the test text, whose other words then weigh more; then, by kind, the share of training texts that hold it.
        Empty where no word pulls there.
    """
    fitted, split = analysis.problem.fitted, analysis.problem.split
    theta, names = numpy(fitted.theta), split.train.feature_names
    x: Any = split.test.x[[test]]
    weights, constant = theta[: len(names)], float(theta[len(names) :].sum())
    side = 1.0 if float((x @ weights)[0]) + constant > 0 else -1.0
    pull = side * x.toarray()[0] * weights
    order = [int(k) for k in np.argsort(-pull, kind="stable") if pull[k] > 0]
    leads = []
    for k in order:
        x = without_word(x, names, names[k])
        leads.append(side * (float((x @ weights)[0]) + constant))
    found = pd.DataFrame({"word": [names[k] for k in order], "pull": pull[order], "lead": leads})
    for kind, inside in kinds(split.train).items():
        found[kind] = np.asarray((split.train.x[np.flatnonzero(inside)][:, order] > 0).mean(axis=0)).ravel()
    return found


def taught(analysis: Analysis, test: int, words: Sequence[str]) -> FloatArray:
    """(n,) how much of the score of every training text some of its words carry; 0 where it holds none of them."""
    names = analysis.problem.split.train.feature_names
    every = feature_shares(analysis, test, range(len(analysis.problem.split.train)))
    found: FloatArray = every[:, [names.index(word) for word in words]].sum(1)
    return found


def taught_by_word(analysis: Analysis, test: int, row: int) -> FloatArray:
    """(d,) shares of the words of one training text in its score."""
    found: FloatArray = feature_shares(analysis, test, [row])[0]
    return found


def without(
    analysis: Analysis, test: int, orders: Mapping[str, NDArray[np.int64]], sizes: Sequence[int]
) -> pd.DataFrame:
    """The lead of the true class of two when the first training texts of some orders leave, by certified refits.

    Args:
        analysis: of a classifier of two classes.
        test: test text.
        orders: training texts, those that leave first at the front.
        sizes: how many leave, ascending; those that would leave too little of a class are left out.

    Returns:
        One row per order and size: order, texts (that left), lead (> 0: right; NaN where the refit is not certified),
        accuracy (share of all test texts).
    """
    problem, rows = analysis.problem, []
    fitted = problem.fitted
    margins = fitted.model.loss.margins(fitted.model.outputs(fitted.theta, problem.test.x), problem.test.y)
    assert margins is not None  # classes
    now, accuracy = float(margins[test]), problem.accuracy(fitted.theta)
    for name, order in orders.items():
        for size in sizes:
            try:
                refit = problem.group_refit(order[:size], "margin") if size else None
            except DataError:  # too little of a class would stay
                break
            after = (now, accuracy) if refit is None else (now + float(refit.change[test]), refit.accuracy_after)
            rows.append((name, size, *after))
    return pd.DataFrame(rows, columns=["order", "texts", "lead", "accuracy"])
