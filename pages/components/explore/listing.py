"""Some of the coloured points as a table below what they are asked about, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.explore.word_panel import with_words
from pages.components.problem.asked import ASKED, Shown
from pages.components.problem.groups import Rows
from pages.components.problem.listed import VALUE, described, exported, table, with_cells
from pages.components.session.door import core
from pages.components.widgets.linked_table import ROWS_SENT, linked_table

if TYPE_CHECKING:
    from influence_core.data import Dataset

COLUMNS = 8  # of the source, beside a point
LONG = ("flipped", VALUE, "measured change", "certificate")


def listing(shown: Shown, rows: Sequence[int] | Rows, key: str, long: bool = False) -> None:
    """Points in the given order, below the ones asked about, with the columns of the source that say most.

    Args:
        shown: the question.
        rows: the points.
        key: of the element.
        long: all that is known of each point, and not only its score.
    """
    sent = np.asarray(rows, int)[:ROWS_SENT]
    if shown.selected in rows and shown.selected not in sent:
        sent = np.append(sent, int(shown.selected or 0))
    frame = table(shown).iloc[sent]
    frame = frame if long else frame.drop(columns=[*LONG], errors="ignore")
    forms = {"predicted change": shown.form, "measured change": shown.truth_form, VALUE: shown.form}
    scaled = frame.assign(**{c: form.scale(frame[c].to_numpy()) for c, form in forms.items() if c in frame})
    first = ("predicted change" if long else "change") if shown.sized else "score"
    headings = {c: f"{first if c == 'predicted change' else c}, {form.scaled_unit}" for c, form in forms.items()}
    told, above = shown.columns[:COLUMNS], asked(shown)
    below = with_words(shown, sent, with_cells(scaled.rename(columns=headings), shown, shown.data.take(sent), told))
    both = pd.concat([with_cells(_stars(above), shown, above, told), below])
    for name in below:
        if not pd.api.types.is_numeric_dtype(below[name]):
            both[name] = both[name].fillna("")
    linked_table(both[list(below)], shown.selected, shown.pick, key, headings.values())


def asked(shown: Shown) -> Dataset:
    """The examples that are asked about, the first few of a group."""
    split = shown.analysis.problem.split
    if shown.side == "test":
        return split.train.take(np.array([int(shown.view.train or 0)]))
    return split.test.take(np.asarray(shown.tests[:ASKED]))


def _stars(data: Dataset) -> pd.DataFrame:
    """What is asked about, under numbers that nothing can pick."""
    frame = pd.DataFrame(described(data), index=-1 - np.arange(len(data)))
    frame["id"] = [f"★ {name}" for name in frame["id"]]
    return frame


def download(shown: Shown, rows: Sequence[int] | Rows, label: str, name: str) -> None:
    """A button for all that is known of some points, as CSV.

    Args:
        shown: the question.
        rows: the points, in the order of the file.
        label: of the button.
        name: of the file, without its ending.
    """
    st.download_button(
        label,
        lambda: written(shown, rows),
        f"{name}.csv",
        "text/csv",
        key=f"{name}-csv",
        on_click="ignore",
        icon=":material/download:",
    )


def written(shown: Shown, rows: Sequence[int] | Rows) -> bytes:
    """All that is known of some points, as CSV."""
    places = np.asarray(rows, int)
    frame = exported(table(shown).iloc[places], shown)
    frame.insert(0, "row", places)
    return bytes(core.cells.to_csv(frame))
