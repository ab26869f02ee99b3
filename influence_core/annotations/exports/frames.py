"""The tables of an export: one row per training point, in the original order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.exports.reading import Material
from influence_core.cells import to_csv
from influence_core.compute import FloatArray, Rows

COLUMNS = {
    "row": "number of the row in the file, from 0",
    "id": "the user's id of the row",
    "given_label": "class index as given; class_names of the manifest tells the names",
    "predicted_label": "class index that the model predicts",
    "is_label_issue": "true where the answer was re-label or exclude; before any answer, what the filter said",
    "label_score": "0 to 1, lower = worse (as in open-source cleanlab): probability of the given label",
    "label_issue_score": "0 to 1, higher = worse (as in Cleanlab Studio): 1 - label_score",
    "suggested_label": "best class other than the given one",
    "corrected_label": "class index to use instead; empty = unchanged",
    "action": "keep, re-label or exclude; empty = open",
    "self_influence": "predicted change of the point's own loss if it is removed and the model refitted, nats; >= 0",
    "validation_influence": "predicted change of the mean validation loss if the point is removed, nats; > 0 helpful",
    "loss": "training loss of the point, nats",
    "num_annotations": "answers that count",
    "annotator_agreement": "share of them equal to the outcome",
    "queue_strategy": "the signal that ordered the queue",
    "queue_rank": "1 = most suspicious by that signal, among all rows",
    "is_control": "whether the row was shown as a random control",
    "waits_for": "disagreement: as many answers for one thing as for another; review: somebody asked for one",
    "notes": "what people wrote beside their answers",
    "given_label_name": "name of given_label",
    "corrected_label_name": "name of corrected_label",
}


@dataclass(frozen=True, eq=False)
class Original:
    """The table that was uploaded, for ``dataset_clean`` in the same form.

    Attributes:
        table: all its rows and columns.
        target: name of the column of labels.
        rows: (n,) row of the table of every training point; the table's other rows are left as they are.
        codes: (rows of the table,) class of every row as the table says it, −1 where it says none.
        ending: of the name of its file.
        edit: (row to the row whose label it takes, rows that stay) to the content of its file, otherwise unchanged;
            None where the table is written anew, as CSV.
    """

    table: pd.DataFrame
    target: str
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    ending: str = ".csv"
    edit: Callable[[Mapping[int, int], NDArray[np.bool_]], bytes] | None = None

    def check(self, n: int) -> None:
        """Refuse what does not fit the data set.

        Raises:
            AnnotationError: no such column, or other rows.
        """
        if self.target not in self.table.columns:
            raise AnnotationError(f"The table has no column {self.target[:40]!r}: name the column of labels.")
        inside = self.rows.shape == (n,) and self.rows.min() >= 0 and self.rows.max() < len(self.table)
        if not inside or self.codes.shape != (len(self.table),):
            raise AnnotationError(f"Expected {n} row numbers of the table, one for each training point.")


def label_issues(material: Material, rows: Rows) -> pd.DataFrame:
    """Every column of ``COLUMNS``.

    Returns:
        One row for each of ``rows``.
    """
    found, said, resolved = material.predictions, material.answers, material.resolved
    names = np.array(said.class_names, dtype=object)
    decided, relabelled = resolved.action != "", resolved.action == "re-label"
    frame = pd.DataFrame({
        "row": np.arange(len(said.ids)),
        "id": said.ids.astype(object),
        "given_label": said.given,
        "predicted_label": found["predicted_label"],
        "is_label_issue": np.where(decided, resolved.action != "keep", found["is_label_issue"]),
        "label_score": found["label_score"],
        "label_issue_score": 1 - found["label_score"],
        "suggested_label": found["suggested_label"],
        "corrected_label": pd.Series(resolved.label, dtype="Int64").where(relabelled),
        "action": pd.Series(resolved.action.tolist()).where(decided),
        "self_influence": _signal(material, "self_influence"),
        "validation_influence": -_signal(material, "validation_influence"),
        "loss": _signal(material, "loss"),
        "num_annotations": resolved.annotations,
        "annotator_agreement": resolved.agreement,
        "queue_strategy": material.queue.strategy,
        "queue_rank": material.rank,
        "is_control": material.controls,
        "waits_for": _waits(material),
        "notes": pd.Series([said.notes.get(k) for k in range(len(said.ids))], dtype=object),
        "given_label_name": names[said.given],
        "corrected_label_name": pd.Series(names[resolved.label].tolist()).where(relabelled),
    })  # fmt: skip
    return frame[list(COLUMNS)].iloc[rows].reset_index(drop=True)


def _waits(material: Material) -> pd.Series:
    said = material.answers
    asked = np.isin(np.arange(len(said.ids)), list(said.asked))
    words = np.select([said.tied, asked], ["disagreement", "review"], "")
    return pd.Series(words.tolist()).where(words != "")


def in_file_order(issues: pd.DataFrame, original: Original | None, whole: bool) -> pd.DataFrame:
    """The issues with the numbers of the rows in the uploaded file, and in its order.

    Args:
        issues: of :func:`label_issues`.
        original: the file, where it is there.
        whole: whether every row of the file gets a line; those that are not under review are no issues.
    """
    if original is None:
        return issues
    placed = issues.assign(row=original.rows[issues["row"].to_numpy()]).sort_values("row", kind="stable")
    if not whole or len(placed) == len(original.table):
        return placed.reset_index(drop=True)
    found = placed.set_index("row").reindex(range(len(original.table))).rename_axis("row").reset_index()
    for name, missing in (("is_label_issue", False), ("is_control", False), ("num_annotations", 0)):
        found[name] = found[name].astype(object).where(found[name].notna(), missing).astype(issues[name].dtype)
    for name in ("given_label", "predicted_label", "suggested_label", "queue_rank"):
        found[name] = found[name].astype("Int64")
    return found


def labels_multiannotator(material: Material, rows: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Class indices, one column per annotator, as ``cleanlab.multiannotator`` wants them; "exclude" is no label.

    Returns:
        The annotators' columns for rows with a label, and which rows those are; annotators without a label are left
        out.
    """
    said = material.answers
    codes = said.codes[rows]
    labelled = (codes >= 0) & (codes < len(said.class_names))
    kept, shown = labelled.any(axis=1), np.flatnonzero(labelled.any(axis=0))
    labels = pd.DataFrame({
        said.annotators[k]: pd.Series(codes[kept, k], dtype="Int64").where(labelled[kept, k]) for k in shown.tolist()
    })  # fmt: skip
    which = pd.DataFrame({"row": rows[kept], "id": said.ids[rows[kept]].astype(object)})
    return labels, which


@dataclass(frozen=True, eq=False)
class Clean:
    """The data with the corrected labels and without what was excluded.

    Attributes:
        name: of the file.
        content: of it.
        rows: how many are left.
        how: it was written, in words.
    """

    name: str
    content: bytes
    rows: int
    how: str


def dataset_clean(material: Material, rows: Rows, original: Original | None) -> Clean:
    """The data with the corrected labels and without what was excluded, in the form they came in.

    Returns:
        A file; without an original, ``id`` and ``label`` of every row that stays.
    """
    said, resolved = material.answers, material.resolved
    if original is None:
        kept = rows[resolved.kept[rows]]
        names = np.array(said.class_names, dtype=object)
        return _anew(pd.DataFrame({"id": said.ids[kept].astype(object), "label": names[resolved.label[kept]]}))
    original.check(len(said.ids))
    stays = np.full(len(original.table), len(rows) == len(said.ids))
    stays[original.rows[rows]] = True
    stays[original.rows[~resolved.kept]] = False
    labels = original.codes.copy()
    again = resolved.action == "re-label"
    labels[original.rows[again]] = resolved.label[again]
    changed = np.flatnonzero((labels != original.codes) & stays)
    like = {code: np.flatnonzero(original.codes == code) for code in np.unique(labels[changed]).tolist()}
    if original.edit is not None and all(map(len, like.values())):
        changes = {int(row): int(like[int(labels[row])][0]) for row in changed}
        how = "the uploaded file: only corrected labels and excluded rows differ from it"
        return Clean(f"dataset_clean{original.ending}", original.edit(changes, stays), int(stays.sum()), how)
    column = original.table[original.target]
    cells = column.astype(object).copy()
    for row in changed.tolist():  # as the column writes the class elsewhere: 7, "7", 7.0 or True
        code = int(labels[row])
        cells.iloc[row] = column.iloc[like[code][0]] if len(like[code]) else said.class_names[code]
    clean = original.table.assign(**{original.target: cells.astype(column.dtype)})
    return _anew(clean[stays].reset_index(drop=True))


def _anew(table: pd.DataFrame) -> Clean:
    how = "written anew as CSV; cells that a spreadsheet would run start with an apostrophe"
    return Clean("dataset_clean.csv", to_csv(table), len(table), how)


def _signal(material: Material, name: str) -> FloatArray:
    return material.signals.get(name, np.full(len(material.answers.ids), np.nan))
