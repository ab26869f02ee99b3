"""The coloured points as a table, on the page and in a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pages.components.problem.asked import Shown
from pages.components.session.door import core

VALUE = "change over all test points"


def table(shown: Shown) -> pd.DataFrame:
    """Every coloured point with its label, its predicted and, where it exists, its measured change, in order."""
    data = shown.data
    columns: dict[str, Any] = {
        "id": data.ids,
        "label": np.array(data.class_names, dtype=object)[data.y.astype(int)] if data.class_names else data.y,
    }
    if shown.side == "train":
        columns["flipped"] = shown.analysis.problem.split.flipped
    columns["predicted change"] = shown.scores
    if shown.side == "train":
        columns[VALUE] = shown.analysis.worth
    if shown.measured is not None and shown.refits is not None:
        columns["measured change"] = shown.measured
        columns |= {"certificate": shown.refits.certificate} if shown.side == "train" else {}
    return pd.DataFrame(columns)


def exported(frame: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The table with what each number means in its column's name: a file travels without the caption."""
    removed = (
        "removed"
        if shown.side == "train"
        else f"{shown.analysis.problem.split.train.ids[shown.view.train or 0]} is removed"
    )
    start = "predicted change" if shown.sized else f"{core.ESTIMATORS[shown.settings.estimator].title}, for the change"
    tail = f"of {shown.watched} if {removed}, new minus old, {{unit}}, > 0 {shown.ends[1]}, < 0 {shown.ends[0]}"
    return frame.rename(
        columns={
            "predicted change": f"{start} " + tail.format(unit=shown.unit),
            "measured change": "measured change " + tail.format(unit=shown.own_unit),
            VALUE: f"{VALUE}: {start} of the mean {shown.quantity} if removed, new minus old, {shown.unit}, > 0 "
            f"{shown.ends[1]}, < 0 {shown.ends[0]}",
        }
    )
