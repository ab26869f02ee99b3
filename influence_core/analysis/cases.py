"""What a person sees beside one suspicious training point, made for several next points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.review import Review
from influence_core.compute import FloatArray, RowsLike
from influence_core.data.neighbours import near_duplicates
from influence_core.influence.evidence import Evidence, evidence

SHOWN = 5  # supporting and contradicting points of a case


@dataclass(frozen=True)
class Witness:
    """A training point and the change of the belief in the case's label when it leaves, new minus old."""

    row: int
    change: float


@dataclass(frozen=True, eq=False)
class Case:
    """Everything about one training point; rows count from 0 in the training set of the analysis.

    Attributes:
        row: the training point.
        id: its name.
        given: its label.
        suspicion: per signal; higher = more suspicious.
        percentile: per signal, share of training points below it, in percent.
        quantity: what the witnesses change: ``probability`` of the given label, or its ``margin``.
        probabilities: (c,) at θ̂, where the label has been learnt; None without probabilities.
        cross_validated: (c,) by models that have not seen it; None where confident learning was not asked for.
        suggestion: the most probable class other than the given one (cross-validated where there is that).
        supports: removal lowers the belief in the label; strongest first.
        contradicts: removal raises it; the first is the strongest counter-example.
        relabel: (c,) first-order predicted change of the mean validation loss when it gets each class; < 0: better;
            None without a validation split.
        relabel_newton: (c,) the same by one Newton step; None also for networks and under ``fold_penalty``.
        duplicates: training points (nearly) equal in features, nearest first.
    """

    row: int
    id: str
    given: int
    suspicion: Mapping[str, float]
    percentile: Mapping[str, float]
    quantity: str
    probabilities: FloatArray | None
    cross_validated: FloatArray | None
    suggestion: int
    supports: tuple[Witness, ...]
    contradicts: tuple[Witness, ...]
    relabel: FloatArray | None
    relabel_newton: FloatArray | None
    duplicates: NDArray[np.int64]

    @property
    def counter(self) -> Witness | None:
        """The strongest counter-example, which may itself be the one with the wrong label."""
        return self.contradicts[0] if self.contradicts else None


def cases(review: Review, rows: RowsLike, signals: Sequence[str]) -> tuple[Case, ...]:
    """Cases of the next training points; what they share (factor, signals, validation solve) is made once.

    Args:
        review: of a classification task.
        rows: b training points.
        signals: whose suspicions stand in the case; confident learning brings cross-validated probabilities.

    Returns:
        One case for each row, in that order; none for no rows.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    if not len(chosen):
        return ()
    train = review.analysis.problem.split.train
    found = evidence(review.analysis.influence, chosen, train.classes, review.validation)
    twins = near_duplicates(train.x, chosen, review.neighbour_distance)
    return tuple(_case(review, found, item, signals, twins[item]) for item in range(len(chosen)))


def _case(review: Review, found: Evidence, item: int, signals: Sequence[str], duplicates: NDArray[np.int64]) -> Case:
    row = int(found.rows[item])
    given = int(review.labels[row])
    fitted = review.fitted_probabilities
    unseen = review.probabilities if "confident_learning" in signals else None
    belief = unseen if unseen is not None else fitted
    return Case(
        row=row,
        id=str(review.analysis.problem.split.train.ids[row]),
        given=given,
        suspicion={name: float(review.suspicion(name)[row]) for name in signals},
        percentile={name: float(review.percentiles(name)[row]) for name in signals},
        quantity=found.quantity,
        probabilities=None if fitted is None else fitted[row],
        cross_validated=None if unseen is None else unseen[row],
        suggestion=1 - given if belief is None else _best_other(belief[row], given),
        supports=_witnesses(found, item, found.supports(item, SHOWN)),
        contradicts=_witnesses(found, item, found.contradicts(item, SHOWN)),
        relabel=None if found.relabel is None else found.relabel[item],
        relabel_newton=None if found.relabel_newton is None else found.relabel_newton[item],
        duplicates=duplicates,
    )


def _best_other(probabilities: FloatArray, given: int) -> int:
    others = probabilities.copy()
    others[given] = -1.0
    return int(others.argmax())


def _witnesses(found: Evidence, item: int, rows: NDArray[np.int64]) -> tuple[Witness, ...]:
    return tuple(Witness(int(row), float(found.change[item, row])) for row in rows)
