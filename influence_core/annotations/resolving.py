"""From standing answers to one outcome per row: what everybody said, the consensus, and the labels to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import sqlalchemy as sa
from cleanlab.multiannotator import get_label_quality_multiannotator
from numpy.typing import NDArray

from influence_core.annotations.names import people_of
from influence_core.annotations.standing import standing
from influence_core.annotations.store import Store
from influence_core.annotations.tables import dataset, sample
from influence_core.compute import FloatArray

MISSING = -1
TELL_APART = 1e-12


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
        asked: rows for which somebody asked for a review that nobody has settled.
        notes: row -> everybody's notes, with names.
    """

    annotators: tuple[str, ...]
    ids: NDArray[np.str_]
    given: NDArray[np.int64]
    class_names: tuple[str, ...]
    codes: NDArray[np.int64]
    settled: NDArray[np.int64]
    asked: frozenset[int] = frozenset()
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def tied(self) -> NDArray[np.bool_]:
        """(n,) bool: as many answers for one thing as for another, and nobody has settled it."""
        open_: NDArray[np.bool_] = most_said(self.codes, len(self.class_names) + 1) == MISSING
        return np.asarray(open_ & (self.settled == MISSING) & (self.codes >= 0).any(axis=1))


@dataclass(frozen=True, eq=False)
class Resolved:
    """One outcome per row.

    Attributes:
        action: (n,) "keep", "re-label", "exclude", or "" where it is open: no answer, or as many for another.
        label: (n,) class index to train on: the given one unless relabelled.
        annotations: (n,) answers that count.
        agreement: (n,) share of them equal to the outcome; not a number while it is open.
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
    """Everybody's standing answers to the rows of a data set, whatever queue or data set asked for them."""
    with store.reading() as connection:
        data = connection.execute(sa.select(dataset).where(dataset.c.id == number)).one()
        wanted = sa.select(sample).where(sample.c.dataset_id == number).order_by(sample.c.position)
        rows = connection.execute(wanted).all()
        said = standing(connection, number)
        people = people_of(connection)
    given = np.array([row.given_label for row in rows], dtype=np.int64)
    who = [people.get(row.annotator, row.annotator) for row in said]
    names = sorted({name for row, name in zip(said, who, strict=True) if row.round == 1})
    codes = np.full((len(given), len(names)), MISSING, dtype=np.int64)
    settled = np.full(len(given), MISSING, dtype=np.int64)
    asked: dict[int, set[str]] = defaultdict(set)
    notes: dict[int, dict[str, str]] = defaultdict(dict)
    place = {name: k for k, name in enumerate(names)}
    for row, name in zip(said, who, strict=True):  # oldest first
        code = len(data.class_names) if row.action == "exclude" else MISSING if row.label is None else row.label
        if row.round == 1:
            codes[row.position, place[name]] = code
            (asked[row.position].add if row.action == "review" else asked[row.position].discard)(name)
        elif code != MISSING:
            settled[row.position] = code
        if row.note:
            notes[row.position][name] = row.note
    waiting = frozenset(position for position, askers in asked.items() if askers and settled[position] == MISSING)
    told = {
        position: " · ".join(f"{name}: {note}" for name, note in found.items()) for position, found in notes.items()
    }
    ids = np.array([row.name for row in rows])
    return Answers(tuple(names), ids, given, tuple(data.class_names), codes, settled, waiting, told)


def resolve(said: Answers) -> Resolved:
    """A second-pass answer decides; else what most answers say, "exclude" among them; a tie is open.

    Nothing is drawn by lot and nothing depends on the order of rows or annotators.

    Returns:
        One outcome per row.
    """
    c = len(said.class_names)
    code = np.where(said.settled >= 0, said.settled, most_said(said.codes, c + 1))
    annotations = (said.codes >= 0).sum(axis=1)
    action = np.select([code == MISSING, code == c, code == said.given], ["", "exclude", "keep"], "re-label")
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (said.codes == code[:, None]).sum(axis=1) / annotations
    label = np.where((code >= 0) & (code < c), code, said.given)
    counted = np.maximum(annotations, said.settled >= 0)
    return Resolved(action, label, counted, np.where((annotations > 0) & (code != MISSING), share, np.nan))


def most_said(codes: NDArray[np.int64], kinds: int) -> NDArray[np.int64]:
    """The answer that more annotators gave than any other.

    Args:
        codes: (n, a) answers from 0 to ``kinds`` − 1, or −1.
        kinds: of answers.

    Returns:
        (n,); −1 without an answer, and for a tie.
    """
    rows, columns = np.nonzero(codes >= 0)
    pairs, votes = np.unique(rows * kinds + codes[rows, columns], return_counts=True)
    row, code = pairs // kinds, pairs % kinds
    most = np.zeros(len(codes), dtype=np.int64)
    np.maximum.at(most, row, votes)
    leads = votes == most[row]
    alone = leads & (np.bincount(row[leads], minlength=len(codes))[row] == 1)
    found = np.full(len(codes), MISSING, dtype=np.int64)
    found[row[alone]] = code[alone]
    return found


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
    # Equal probabilities would be told apart by lot.
    believed = probabilities[rows] + np.arange(c, 0, -1) * TELL_APART
    found = get_label_quality_multiannotator(
        kept.reset_index(drop=True), believed, verbose=False, return_detailed_quality=False
    )
    return found["label_quality"].set_axis(np.flatnonzero(rows)), found["annotator_stats"]
