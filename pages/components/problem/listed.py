"""The coloured points as a table, on the page and in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pages.components.lenses import lens_of
from pages.components.problem.asked import Shown
from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.data import Dataset
    from influence_core.data.columns import SourceColumn

VALUE = "change over all test points"
MOST = 200  # columns of the source in a file


def table(shown: Shown) -> pd.DataFrame:
    """Every coloured point with its label, its predicted and, where it exists, its measured change, in order."""
    columns = described(shown.data)
    if shown.side == "train" and shown.analysis.problem.split.flipped.any():
        columns["flipped"] = shown.analysis.problem.split.flipped
    columns["predicted change"] = shown.scores
    if shown.side == "train":
        columns[VALUE] = shown.analysis.worth
    if shown.measured is not None and shown.refits is not None:
        columns["measured change"] = shown.measured
        columns |= {"certificate": shown.refits.certificate} if shown.side == "train" else {}
    return pd.DataFrame(columns)


def described(data: Dataset) -> dict[str, Any]:
    """What examples are called, their class or target, and what their source says of them."""
    names = np.array(data.class_names, dtype=object)
    columns: dict[str, Any] = {"id": data.ids.astype(object)}
    columns |= {"label": names[data.y.astype(int)]} if data.classes else {data.target_name: data.y}
    if data.hover is None or not lens_of(data).tabular:  # another kind tells its text itself
        return columns
    return columns | {"text": data.hover.astype(object)}


def with_cells(frame: pd.DataFrame, shown: Shown, data: Dataset, columns: Sequence[SourceColumn]) -> pd.DataFrame:
    """A table of examples with what its kind tells of each; a column of the source never takes another one's name."""
    cells = lens_of(data).cells(data, shown.analysis.problem.split.scaling, columns).set_index(frame.index)
    return pd.concat([frame, cells.rename(columns={name: f"{name} (column)" for name in frame})], axis=1)


def exported(frame: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The table with what each number means in its column's name: a file travels without the caption.

    The columns of the source stand behind, and what the numbers were made of, the same in every row, so that files of
    several questions can be read and put together as they are.

    Args:
        frame: rows of :func:`table`.
        shown: what they are of.
    """
    removed = (
        "removed"
        if shown.side == "train"
        else f"{shown.analysis.problem.split.train.ids[shown.view.train or 0]} is removed"
    )
    start = "predicted change" if shown.sized else f"{core.ESTIMATORS[shown.settings.estimator].title}, for the change"
    tail = f"of {shown.watched} if {removed}, new minus old, {{unit}}, > 0 {shown.ends[1]}, < 0 {shown.ends[0]}"
    told = frame.rename(
        columns={
            "predicted change": f"{start} " + tail.format(unit=shown.unit),
            "measured change": "measured change " + tail.format(unit=shown.own_unit),
            VALUE: f"{VALUE}: {start} of the mean {shown.quantity} if removed, new minus old, {shown.unit}, > 0 "
            f"{shown.ends[1]}, < 0 {shown.ends[0]}",
        }
    )
    told = with_cells(told, shown, shown.data.take(frame.index.to_numpy()), shown.columns[:MOST])
    return told.assign(**{f"made of: {name}": said for name, said in shown.made_of.items()})
