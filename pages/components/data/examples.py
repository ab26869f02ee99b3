"""The examples themselves: the first training images, and the first rows as a person would write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.browser.gallery import Gallery, gallery, park_tiles, sprite
from pages.components.charts import examples
from pages.components.problem.scene import describe
from pages.components.session import cached, state
from pages.components.session.words import plain_markdown
from pages.components.widgets.chart_frame import twin
from pages.components.widgets.linked_table import formats

PREVIEW = 200
FEATURES = 30


def named(data: Any, y: np.ndarray) -> Any:
    """Class names, or the targets themselves."""
    return np.array(data.class_names, dtype=object)[y.astype(int)] if data.classes else y


@st.cache_resource(max_entries=6, show_spinner=False)
def tiles(key: str, _settings: Settings) -> Gallery:
    """The first training images with flipped labels marked, built once per split."""
    split = cached.problem(_settings).split
    labels = describe(split.train, split.original_y)[:PREVIEW]
    assert split.train.images is not None  # the page draws no gallery without
    images = sprite(split.train.images[:PREVIEW])
    return Gallery(f"train {key}", images, labels, split.flipped[:PREVIEW], examples.FLIPPED, "Training images")


def draw_gallery(split: Any) -> None:
    """The first training images; one click names an image."""
    shown = min(PREVIEW, len(split.train))
    st.markdown(f"**The first {shown} training images**")
    row = state.view().train
    row = row if row is not None and row < shown else None
    found = tiles(state.settings().key("data", "seed"), state.settings())
    park_tiles(found, "train-gallery-tiles")
    gallery(found, row, state.choose_train, "train-gallery")
    marked = f" A corner mark: {examples.FLIPPED}." if split.flipped[:shown].any() else ""
    picked = f"Picked: {found.labels[row]}." if row is not None else "Click an image to read its name and label."
    st.caption(plain_markdown(picked + marked))


def draw_table(split: Any) -> None:
    """The first rows as a person would write them."""
    train = split.train
    rows, columns = min(PREVIEW, len(train)), min(FEATURES, train.x.shape[1])
    table = pd.DataFrame({"id": train.ids[:rows], "label": named(train, train.y)[:rows]})
    if split.flipped.any():
        original = pd.Series(named(train, split.original_y)[:rows], dtype=object)
        table["label in the source"] = original.where(split.flipped[:rows], "")
    raw = pd.DataFrame(split.scaling.invert(train.x[:rows])[:, :columns], columns=list(train.feature_names[:columns]))
    table = pd.concat([table, raw], axis=1).loc[:, lambda frame: ~frame.columns.duplicated()]
    st.markdown(f"**The first {rows} of {len(train):,} training examples, in the source's units**")
    if columns < train.x.shape[1]:
        st.caption(f"The first {columns} of {train.x.shape[1]:,} features.")
    st.dataframe(table, hide_index=True, height=300, column_config=formats(table))
    twin(table, "training-examples")
