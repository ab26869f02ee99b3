"""Below the Explore page's picture: gallery of test images, effect of each feature, table twin and CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.components import controls, state
from pages.components.explore import Shown, definition, table
from pages.components.gallery import gallery
from pages.components.pixel_map import pixel_map, shows_colours
from pages.components.scene import tiles


def details(shown: Shown) -> None:
    """Gallery, perturbation map and table twin."""
    images = tiles(shown.settings)
    names = ["Gallery of test images"] * (images is not None) + ["What if a feature changed?", "Table and CSV"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if images is not None:
        with tabs["Gallery of test images"]:
            st.caption("Click a digit, or use Tab, arrow keys and Enter. A corner mark: the model gets it wrong.")
            gallery(images, shown.test, state.choose_test, "gallery")
    with tabs["What if a feature changed?"]:
        _perturbation(shown)
    with tabs["Table and CSV"]:
        frame = table(shown)
        ranked = frame.reindex(frame["predicted change"].abs().sort_values(ascending=False).index)
        st.dataframe(ranked, hide_index=True, height=360)
        st.download_button(
            "Download CSV",
            lambda: controls.csv(exported(ranked, shown)),
            f"influence-{shown.settings.data.name}-test-{shown.test}.csv",
            "text/csv",
            icon=":material/download:",
        )
        st.caption(definition(shown))


def _perturbation(shown: Shown) -> None:
    split = shown.analysis.problem.split
    row = shown.train if shown.train is not None else int(np.abs(shown.scores).argmax())
    change = shown.analysis.perturbation(shown.test, row)
    chosen = "the selected" if shown.train is not None else "the strongest"
    label = controls.plain_markdown(shown.scene.train_labels[row])
    st.markdown(f"**{label}**, {chosen} training point: what would each feature's growth do to this prediction?")
    st.plotly_chart(pixel_map(change, split.train, row, shown.unit), key="perturbation", config={"displaylogo": False})
    st.caption(
        "Predicted change (first order) if one feature of this training point grew by one unit"
        + (" (one standard deviation of that feature)" if shown.settings.data.standardise else "")
        + " and the model were refitted."
        + (" The three colours of a pixel are added up." if shows_colours(split.train) else "")
    )


def exported(frame: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The table with what each number means in its column's name: a file travels without the caption.

    Returns:
        The renamed table.
    """
    look = shown.look([])
    tail = f"of {shown.watched} if removed, new minus old, {{unit}}, > 0 {look.ends[1]}, < 0 {look.ends[0]}"
    return frame.rename(
        columns={
            "predicted change": "predicted change " + tail.format(unit=look.unit),
            "measured change": "measured change " + tail.format(unit=look.measured),
        }
    )
