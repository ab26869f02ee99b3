"""Below the Explore page's picture: gallery of test images, effect of each feature, table twin and CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.components import cached, controls, state
from pages.components.asked import Shown, definition, exported, table
from pages.components.chart_frame import twin
from pages.components.gallery import gallery
from pages.components.linked_table import heading, linked_table
from pages.components.pixel_map import pixel_map, shows_colours
from pages.components.scene import tiles


def details(shown: Shown) -> None:
    """Gallery, perturbation map and table twin; only the open one is computed and sent."""
    drawn = {"What if a feature changed?": _perturbation, "Table and CSV": _table}
    if tiles(shown.settings) is not None:
        drawn = {"Gallery of test images": _gallery} | drawn
    tabs = st.tabs(list(drawn), key="details", on_change="rerun")
    for tab, draw in zip(tabs, drawn.values(), strict=True):
        if tab.open:
            with tab:
                draw(shown)


def _gallery(shown: Shown) -> None:
    images = tiles(shown.settings)
    if images is not None:
        st.caption("Click an image, or use Tab, arrow keys and Enter. A corner mark: the model gets it wrong.")
        gallery(images, shown.single, state.choose_test, "gallery")


def _table(shown: Shown) -> None:
    frame = table(shown)
    ranked = frame.reindex(frame["predicted change"].abs().sort_values(ascending=False).index)
    headings = {
        "predicted change": heading("predicted change", shown.unit, shown.ends),
        "measured change": heading("measured change", shown.own_unit, shown.ends),
    }
    linked_table(ranked.rename(columns=headings), shown.selected, shown.pick, f"table-{shown.side}")
    asked = {"test": f"test-{shown.view.test}", "tests": "tests", "train": f"removing-{shown.view.train}"}
    st.download_button(
        f"Download all {len(frame):,} rows as CSV",
        lambda: controls.csv(exported(ranked, shown)),
        f"influence-{shown.settings.data.name}-{asked[shown.view.ask]}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
    st.caption(f"Strongest first; picking a row selects that point. {definition(shown)}")


def _perturbation(shown: Shown) -> None:
    split = shown.analysis.problem.split
    row = shown.view.train
    if row is None:
        row = int(np.abs(shown.scores).argmax())
    change = shown.analysis.perturbation(shown.tests, row)
    chosen = "the selected" if shown.view.train is not None else "the strongest"
    name = shown.scene.train_labels[row]
    words = f"{chosen} training point: what would each feature's growth do to the {shown.watched}?"
    st.markdown(f"**{controls.plain_markdown(name)}**, {controls.plain_markdown(words)}")
    figure = pixel_map(change, split.train, row, shown.own_unit)
    st.plotly_chart(figure, key="perturbation", config={"displaylogo": False}, alt=f"{name}, {words}")
    source = cached.core().DATASETS[shown.settings.data.name]
    scaled = shown.settings.data.standardise and source.standardise
    st.caption(
        "Predicted change (first order) if one feature of this training point grew by one unit"
        + (" (one standard deviation of that feature)" if scaled else "")
        + " and the model were refitted."
        + (" The three colours of a pixel are added up." if shows_colours(split.train) else "")
    )
    table = pd.DataFrame(
        {"feature": split.train.feature_names, f"predicted change, {shown.own_unit}, > 0 raises, < 0 lowers": change}
    )
    twin(table, "perturbation", f"{name}, {words}")
