"""ROW: an example as numbers with names; what any kind can fall back on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.components.charts.pixel_map import bars
from pages.components.lenses import shares
from pages.components.lenses.lens import Drawn, Floats, Lens
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.data import Dataset, Scaling, Split
    from influence_core.data.columns import SourceColumn

FEATURES = 40  # on a card; the others are behind a click


def hover(data: Dataset, original: NDArray[Any] | None = None) -> list[str]:
    """One line per example: id, label or target, the source's own text, and the label before it was flipped."""
    names = data.class_names
    words = [names[int(y)] if names else f"{y:.4g}" for y in data.y]
    lines = [f"{name}: {word}" for name, word in zip(data.ids, words, strict=True)]
    if data.hover is not None:
        lines = [f"{line} · {said}" if said else line for line, said in zip(lines, data.hover, strict=True)]
    if original is None:
        return lines
    changed = np.flatnonzero(original != data.y)
    for i in changed:
        lines[i] += f" (flipped on purpose, was {names[int(original[i])]})"
    return lines


def cells(data: Dataset, scaling: Scaling, columns: int | Sequence[SourceColumn]) -> pd.DataFrame:
    """Columns of the source with their categories in words, or the first features, in the units of the source."""
    raw = scaling.invert(data.x)
    if isinstance(columns, int):
        return pd.DataFrame(raw[:, :columns], columns=list(data.feature_names[:columns]))
    return pd.DataFrame({column.name: column.cells(raw) for column in columns}, index=range(len(raw)))


def own_words(data: Dataset, row: int) -> None:
    """What the source says of an example, if it says anything."""
    if data.hover is not None and data.hover[row]:
        st.caption(plain_markdown(str(data.hover[row])))


def full(split: Split, row: int, _name: str, label: str) -> None:
    """The row beside what is usual in its given class, the most unusual features first."""
    own_words(split.train, row)
    table = row_table(split, row)
    st.table(table.iloc[:FEATURES].set_index("feature"))
    if len(table) > FEATURES:
        with st.expander(f"The other {len(table) - FEATURES} features"):
            st.dataframe(table.iloc[FEATURES:], hide_index=True)
    st.caption(
        f"In the units of the source, the most unusual first. Usual: median of the training rows labelled "
        f"{plain_markdown(label)}; distance from it in standard deviations of all rows."
    )


def row_table(split: Split, position: int) -> pd.DataFrame:
    """Features of one training row and how far each lies from the median of its class.

    Returns:
        Columns feature, value, usual, distance.
    """
    train, usual = split.train, medians(split.train.fingerprint, split)
    x, middle = train.x[position], usual[int(train.y[position])]
    spread = split.train.x.std(0)
    distance = np.divide(x - middle, spread, out=np.zeros_like(x), where=spread > 0)
    raw, typical = split.scaling.invert(np.stack([x, middle]))
    order = np.argsort(-np.abs(distance), kind="stable")
    return pd.DataFrame(
        {
            "feature": np.array(train.feature_names, dtype=object)[order],
            "value": [f"{value:.4g}" for value in raw[order]],
            "usual": [f"{value:.4g}" for value in typical[order]],
            "distance": [f"{value:+.1f}".replace("-", "−") for value in distance[order]],
        }
    )


@st.cache_resource(max_entries=6, show_spinner=False)
def medians(fingerprint: str, _split: Split) -> Floats:
    """(c, d) median of every feature in every class, as labelled."""
    train = _split.train
    return np.stack([np.median(train.x[train.y == label], axis=0) for label in range(train.classes)])


def perturbation(change: Floats, data: Dataset, _row: int, unit: str) -> Drawn:
    """The features that change the most, as bars."""
    return Drawn(bars(change, data.feature_names, unit))


ROW = Lens(hover=hover, cells=cells, full=full, perturbation=perturbation, why=shares.table, tabular=True)
