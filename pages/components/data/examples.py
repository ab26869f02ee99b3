"""The examples themselves: the first training images, and the first rows as a person would write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.browser.gallery import Gallery, gallery, park_tiles
from pages.components.charts import examples
from pages.components.lenses import lens_of
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.keeping import kept
from pages.components.session.words import plain_markdown
from pages.components.widgets.chart_frame import headed
from pages.components.widgets.linked_table import formats

PREVIEW = 200
FEATURES = 30


def named(data: Any, y: np.ndarray) -> Any:
    """Class names, or the targets themselves."""
    return np.array(data.class_names, dtype=object)[y.astype(int)] if data.classes else y


@kept
def tiles(key: str, _settings: Settings) -> Gallery | None:
    """The first training images with flipped labels marked, built once per split; None without thumbnails."""
    split = cached.problem(_settings).split
    lens, shown = lens_of(split), split.train.take(np.arange(min(PREVIEW, len(split.train))))
    sheet = lens.sheet(shown)
    if sheet is None:
        return None
    labels, flipped = lens.hover(shown, split.original_y[:PREVIEW]), split.flipped[:PREVIEW]
    return Gallery(f"train {key}", sheet, labels, flipped, examples.FLIPPED, "Training images")


def draw_gallery(split: Any) -> None:
    """The first training images, where there are any; one click names an image."""
    found = tiles(state.settings().key("data", "seed"), state.settings())
    if found is None:
        return
    shown = len(found.labels)
    st.markdown(f"**The first {shown} training images**")
    row = state.view().train
    row = row if row is not None and row < shown else None
    park_tiles(found, "train-gallery-tiles")
    gallery(found, row, state.choose_train, "train-gallery", core.DATASETS[state.settings().data.name].title)
    marked = f" A corner mark: {examples.FLIPPED}." if split.flipped[:shown].any() else ""
    picked = f"Picked: {found.labels[row]}." if row is not None else "Click an image to read its name and label."
    st.caption(plain_markdown(picked + marked))


def draw_table(split: Any) -> None:
    """The first rows as a person would write them."""
    train = split.train
    rows = min(PREVIEW, len(train))
    table = pd.DataFrame({"id": train.ids[:rows], "label": named(train, train.y)[:rows]})
    if split.flipped.any():
        original = pd.Series(named(train, split.original_y)[:rows], dtype=object)
        table["label in the source"] = original.where(split.flipped[:rows], "")
    table = lens_of(train).beside(table, train.take(np.arange(rows)), split.scaling, FEATURES)
    features = len({*table} & {*train.feature_names}) if train.texts is None else 0
    cut = 0 < features < train.x.shape[1]
    part = (f"-first-{rows}" if rows < len(train) else "") + (f"-{features}-features" if cut else "")
    title = f"**The first {rows} of {len(train):,} training examples, in the source's units**"
    headed(title, table, f"training-examples{part}")
    if cut:
        st.caption(f"The first {features} of {train.x.shape[1]:,} features.")
    st.dataframe(table, hide_index=True, height=300, column_config=formats(table))
    if part:
        st.caption("The file holds this part, and its name says so.")
