"""From standing answers to one outcome per row: what everybody said, the consensus, and the labels to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from cleanlab.multiannotator import get_label_quality_multiannotator, get_majority_vote_label
from numpy.typing import NDArray

from influence_core.annotations.statements import answers_of
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, sample
from influence_core.compute import FloatArray

MISSING = -1


@dataclass(frozen=True, eq=False)
class Answers:
    """Standing answers to a data set; c stands for "exclude", -1 for none.

    Attributes:
        annotators: a names, in order.
        ids: (n,) the user's names of the rows.
        given: (n,) class index.
        class_names: c names.
        codes: (n, a) first-pass class, c or -1; an annotator's latest where several queues asked.
        settled: (n,) second-pass class, c or -1; the latest.
    """

    annotators: tuple[str, ...]
    ids: NDArray[np.str_]
    given: NDArray[np.int64]
    class_names: tuple[str, ...]
    codes: NDArray[np.int64]
    settled: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Resolved:
    """One outcome per row.

    Attributes:
        action: (n,) "keep", "re-label", "exclude", or "" where nobody has decided.
        label: (n,) class index to train on: the given one unless relabelled.
        annotations: (n,) answers that count.
        agreement: (n,) share of them equal to the outcome; not a number without any.
    """

    action: NDArray[np.str_]
    label: NDArray[np.int64]
    annotations: NDArray[np.int64]
    agreement: FloatArray

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(n,) whether the row stays in the data."""
        stays: NDArray[np.bool_] = self.action != "exclude"
        return stays


def answers(store: Store, number: int) -> Answers:
    """Everybody's standing answers to a data set, all queue versions together."""
    with store.reading() as connection:
        data = connection.execute(sa.select(dataset).where(dataset.c.id == number)).one()
        wanted = sa.select(sample).where(sample.c.dataset_id == number).order_by(sample.c.position)
        rows = connection.execute(wanted).all()
        said = connection.execute(answers_of(number)).all()
    given = np.array([row.given_label for row in rows], dtype=np.int64)
    names = sorted({row.annotator for row in said if row.round == 1})
    codes = np.full((len(given), len(names)), MISSING, dtype=np.int64)
    settled = np.full(len(given), MISSING, dtype=np.int64)
    for row in said:  # oldest first
        code = _code(row, int(given[row.position]), len(data.class_names))
        if row.round == 1:
            codes[row.position, names.index(row.annotator)] = code
        elif code != MISSING:
            settled[row.position] = code
    ids = np.array([row.name for row in rows])
    return Answers(tuple(names), ids, given, tuple(data.class_names), codes, settled)


def resolve(said: Answers) -> Resolved:
    """A second-pass answer decides; else the majority, ties by cleanlab's rules, for excluding more than half.

    Returns:
        One outcome per row.
    """
    n, c = len(said.given), len(said.class_names)
    labelled, excluded = (said.codes >= 0) & (said.codes < c), (said.codes == c).sum(axis=1)
    annotations = (said.codes >= 0).sum(axis=1)
    code = np.full(n, MISSING, dtype=np.int64)
    some = labelled.any(axis=1)
    if some.any():
        code[some] = _vote(np.where(labelled, said.codes, np.nan)[some])
    code[(annotations > 0) & (2 * excluded > annotations) | (~some & (excluded > 0))] = c
    code = np.where(said.settled >= 0, said.settled, code)
    action = np.select([code == MISSING, code == c, code == said.given], ["", "exclude", "keep"], "re-label")
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (said.codes == code[:, None]).sum(axis=1) / annotations
    label = np.where((code >= 0) & (code < c), code, said.given)
    counted = np.maximum(annotations, said.settled >= 0)
    return Resolved(action, label, counted, np.where(annotations > 0, share, np.nan))


def consensus(said: Answers, probabilities: FloatArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Consensus label and quality of each row with an answer, and of each annotator, by CROWDLAB (cleanlab).

    Args:
        said: the answers; "exclude" is no label.
        probabilities: (n, c) cross-validated probabilities of the model.

    Returns:
        By position: ``consensus_label``, ``consensus_quality_score``, ``annotator_agreement``, ``num_annotations``;
        by annotator: ``annotator_quality``, ``agreement_with_consensus`` and more.  Both are empty where no row has
        two labels, which CROWDLAB needs.
    """
    c = len(said.class_names)
    labels = pd.DataFrame(np.where((said.codes >= 0) & (said.codes < c), said.codes, np.nan), columns=said.annotators)
    rows = labels.notna().any(axis=1).to_numpy()
    if not (labels.notna().sum(axis=1) >= 2).any():
        return pd.DataFrame(), pd.DataFrame()
    kept = labels[rows].dropna(axis=1, how="all")
    found = get_label_quality_multiannotator(
        kept.reset_index(drop=True), probabilities[rows], verbose=False, return_detailed_quality=False
    )
    return found["label_quality"].set_axis(np.flatnonzero(rows)), found["annotator_stats"]


def _vote(labels: FloatArray) -> NDArray[np.int64]:
    if labels.shape[1] == 1:
        return labels[:, 0].astype(np.int64)
    found: NDArray[np.int64] = get_majority_vote_label(labels, verbose=False).astype(np.int64)
    return found


def _code(row: sa.Row[Any], given: int, classes: int) -> int:
    codes: dict[str, int] = {"keep": given, "re-label": row.new_label, "exclude": classes}
    return codes.get(row.action, MISSING)
