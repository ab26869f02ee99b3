"""Below the Explore page's picture: gallery of test images, effect of each feature, table twin and CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.browser.gallery import gallery
from pages.components.explore.listing import download, listing
from pages.components.lenses import lens_of
from pages.components.problem.asked import Shown, definition
from pages.components.problem.scene import tiles
from pages.components.session import state
from pages.components.session.about import about
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import DETAILS
from pages.components.session.words import form_of, plain_markdown
from pages.components.widgets.chart_frame import draw, headed

TABS, BOX = "details", "details-box"
TITLES = {
    "gallery": "Gallery of test images",
    "feature": "What if a feature changed?",
    "table": "Table and CSV",
}


def details(shown: Shown) -> None:
    """Gallery, perturbation map and table twin; only the open one is computed and sent.

    Where *Why?* shows what an example is made of, such as words, and no gallery comes first, they wait behind a click:
    a third chart would make every other click a half slower.
    """
    offered = [name for name in DETAILS if name != "gallery" or tiles(shown.settings) is not None]
    if "gallery" in offered or lens_of(shown.analysis.problem.split).tabular:
        _tabs(shown, offered, offered[0])
        return
    st.session_state[BOX], other = bool(shown.view.details), None if shown.view.details else offered[0]
    box = st.expander("Features, table and CSV", key=BOX, on_change=safely(lambda: state.look(details=other)))
    if box.open:
        with box:
            _tabs(shown, offered, None)


def _tabs(shown: Shown, offered: list[str], unsaid: str | None) -> None:
    """One of them at a time; ``unsaid`` needs no mention in a link."""
    chosen = shown.view.details if shown.view.details in offered else offered[0]
    st.session_state[TABS] = TITLES[chosen]
    drawn = {"gallery": _gallery, "feature": _perturbation, "table": _table}

    def opened() -> None:
        name = next((name for name in offered if TITLES[name] == st.session_state[TABS]), offered[0])
        state.look(details=None if name == unsaid else name)

    tabs = st.tabs([TITLES[name] for name in offered], key=TABS, on_change=safely(opened))
    for tab, name in zip(tabs, offered, strict=True):
        if tab.open:
            with tab:
                drawn[name](shown)


def _gallery(shown: Shown) -> None:
    found = tiles(shown.settings)
    if found is not None:
        st.caption("Click an image, or use Tab, arrow keys and Enter. A corner mark: the model gets it wrong.")
        gallery(found, shown.single, state.choose_test, "gallery", about(shown.settings))


def _table(shown: Shown) -> None:
    strength = np.nan_to_num(np.abs(shown.scores), nan=-1.0)
    rows = np.argsort(-strength, kind="stable")
    listing(shown, rows, f"table-{shown.side}", long=True)
    asked = {"test": f"test-{shown.view.point}", "tests": "tests", "train": f"removing-{shown.view.train}"}
    name = f"influence-{shown.settings.data.name}-{asked[shown.view.ask]}"
    download(shown, rows, f"Download all {len(rows):,} rows as CSV", name)
    st.caption(f"Strongest first; picking a row selects that point. {definition(shown)}")


def _perturbation(shown: Shown) -> None:
    split = shown.analysis.problem.split
    row = shown.view.train
    if row is None:
        row = shown.strongest
    change = shown.analysis.perturbation(shown.tests, row)
    chosen = "the selected" if shown.view.train is not None else "the strongest"
    name = shown.scene.train_labels[row]
    words = f"{chosen} training point: what would each feature's growth do to the {shown.watched}?"
    table = pd.DataFrame(
        {"feature": split.train.feature_names, f"predicted change, {shown.own_unit}, > 0 raises, < 0 lowers": change}
    )
    title = f"{name}, {words}"
    headed(f"**{plain_markdown(name)}**, {plain_markdown(words)}", table, "perturbation", title, shown.made_of)
    form = form_of(change, shown.own_unit)
    drawn = lens_of(split).perturbation(form.scale(change), split.train, row, form.scaled_unit)
    draw(drawn.figure, "perturbation", title)
    source = core.DATASETS[shown.settings.data.name]
    scaled = shown.settings.data.standardise and source.standardise
    st.caption(
        "Predicted change (first order) if one feature of this training point grew by one unit"
        + (" (one standard deviation of that feature)" if scaled else "")
        + f" and the model were refitted.{drawn.words}"
    )
