"""Everything a review says of every training point, as arrays: what a store keeps and an export prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from influence_core.analysis.review import Review, trust_record
from influence_core.compute import FloatArray, RowsLike
from influence_core.data.neighbours import near_duplicates, neighbour_distance

LIKELY = 11  # classes: the given one and one for each digit
ADVICE = " — "  # between the facts of a trust line and each sentence about a broken assumption


@dataclass(frozen=True, eq=False)
class Scores:
    """One fitted model's view of n training points.

    Attributes:
        ids: (n,) names.
        labels: (n,) given labels.
        signals: per signal (n,); higher = more suspicious.
        predicted: (n,) most probable class.
        suggested: (n,) most probable class other than the given one.
        p_given: (n,) probability of the given label; 1 or 0, whether the model agrees, for a model without any.
        p_suggested: (n,) the same of ``suggested``.
        label_score: (n,) in [0, 1], lower = worse, as open-source cleanlab has it: ``p_given``.
        is_issue: (n,) bool, confident learning's filter; without it, whether the model predicts another class.
        belief: (n, c) the probabilities behind the others.
        likely: (n, at most 11) classes from the most to the least probable.
        cross_validated: whether the probabilities are of models that have not seen the point.
        trust: the trust line of the scores, as plain data.
        metrics: held-out accuracy and loss, and training points.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    signals: Mapping[str, FloatArray]
    predicted: NDArray[np.int64]
    suggested: NDArray[np.int64]
    p_given: FloatArray
    p_suggested: FloatArray
    label_score: FloatArray
    is_issue: NDArray[np.bool_]
    belief: FloatArray
    likely: NDArray[np.int64]
    cross_validated: bool
    trust: Mapping[str, object]
    metrics: Mapping[str, float]

    @property
    def trust_text(self) -> str:
        """The trust line as a store keeps it, and a page takes it apart: facts, then advice, ``ADVICE`` in between."""
        return ADVICE.join((str(self.trust["line"]), *map(str, self.trust["warnings"])))  # type: ignore[call-overload]


def scores(review: Review, names: Sequence[str] | None = None) -> Scores:
    """Several signals (default: all that are defined), and what the model believes of every label.

    Probabilities are cross-validated where confident learning is among the signals, else those at θ̂.

    Returns:
        The arrays, in the order of the training set.
    """
    signals = review.suspicions(names)
    unseen = "confident_learning" in signals
    belief = _belief(review, unseen)
    n, labels = len(belief), review.labels
    others = belief.copy()
    others[np.arange(n), labels] = -1.0
    suggested, given = others.argmax(1), belief[np.arange(n), labels]
    predicted = belief.argmax(1)
    return Scores(
        ids=review.analysis.problem.split.train.ids,
        labels=labels,
        signals=signals,
        predicted=predicted,
        suggested=suggested,
        p_given=given,
        p_suggested=belief[np.arange(n), suggested],
        label_score=1 - signals["confident_learning"] if unseen else given,
        is_issue=review.issues if unseen else predicted != labels,
        belief=belief,
        likely=np.argsort(-belief, axis=1, kind="stable")[:, :LIKELY],
        cross_validated=unseen,
        trust=trust_record(review.trust),
        metrics=review.metrics,
    )


def duplicate_groups(review: Review, rows: RowsLike) -> NDArray[np.int64]:
    """Groups of near-duplicates among some training points and whatever lies near those; groups may chain.

    Returns:
        (n,) number of the group, its smallest row; −1 for a point without near-duplicates.
    """
    return near_groups(review.analysis.problem.split.train.x, rows)


def near_groups(x: FloatArray, rows: RowsLike) -> NDArray[np.int64]:
    """The same for features (n, d)."""
    asked = np.asarray(rows, dtype=np.int64)
    near = near_duplicates(x, asked, neighbour_distance(x))
    ends = np.repeat(asked, [len(others) for others in near]), np.concatenate([*near, asked[:0]])
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(x.shape[0], x.shape[0]))
    _, smallest, group, sizes = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True, return_counts=True
    )
    return np.where(sizes[group] > 1, smallest[group], -1)


def _belief(review: Review, unseen: bool) -> FloatArray:
    """(n, c) class probabilities; 1 for the predicted class of a model that has none."""
    probabilities = review.probabilities if unseen else review.fitted_probabilities
    if probabilities is not None:
        return probabilities
    return np.eye(review.analysis.problem.split.train.classes)[review.predicted]
