"""Below the Explore page's picture: gallery of test images, effect of each feature, table twin and CSV."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.browser.gallery import gallery
from pages.components.lenses import lens_of
from pages.components.problem.asked import Shown, definition
from pages.components.problem.listed import VALUE, exported, table
from pages.components.problem.scene import tiles
from pages.components.session import state
from pages.components.session.about import about
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.view import DETAILS
from pages.components.session.words import form_of, plain_markdown
from pages.components.widgets.chart_frame import twin
from pages.components.widgets.linked_table import heading, linked_table

TABS = "details"
TITLES = {
    "gallery": "Gallery of test images",
    "feature": "What if a feature changed?",
    "table": "Table and CSV",
}


def details(shown: Shown) -> None:
    """Gallery, perturbation map and table twin; only the open one is computed and sent."""
    offered = [name for name in DETAILS if name != "gallery" or tiles(shown.settings) is not None]
    chosen = shown.view.details if shown.view.details in offered else offered[0]
    st.session_state[TABS] = TITLES[chosen]
    drawn = {"gallery": _gallery, "feature": _perturbation, "table": _table}
    tabs = st.tabs([TITLES[name] for name in offered], key=TABS, on_change=safely(lambda: _opened(offered)))
    for tab, draw in zip(tabs, (drawn[name] for name in offered), strict=True):
        if tab.open:
            with tab:
                draw(shown)


def _opened(offered: list[str]) -> None:
    """Another tab was opened; the first one needs no mention in a link."""
    name = next((name for name in offered if TITLES[name] == st.session_state[TABS]), offered[0])
    state.look(details=None if name == offered[0] else name)


def _gallery(shown: Shown) -> None:
    found = tiles(shown.settings)
    if found is not None:
        st.caption("Click an image, or use Tab, arrow keys and Enter. A corner mark: the model gets it wrong.")
        gallery(found, shown.single, state.choose_test, "gallery", about(shown.settings))


def _table(shown: Shown) -> None:
    frame = table(shown)
    ranked = frame.reindex(frame["predicted change"].abs().sort_values(ascending=False).index)
    name = "predicted change" if shown.sized else "score"
    forms = {
        "predicted change": (name, shown.form),
        "measured change": ("measured change", shown.truth_form),
        VALUE: (VALUE, shown.form),
    }
    headings = {column: heading(name, form.scaled_unit, shown.ends) for column, (name, form) in forms.items()}
    scaled = ranked.assign(**{c: forms[c][1].scale(ranked[c].to_numpy()) for c in forms if c in ranked})
    linked_table(scaled.rename(columns=headings), shown.selected, shown.pick, f"table-{shown.side}", headings.values())
    asked = {"test": f"test-{shown.view.point}", "tests": "tests", "train": f"removing-{shown.view.train}"}
    st.download_button(
        f"Download all {len(frame):,} rows as CSV",
        lambda: core.cells.to_csv(exported(ranked, shown)),
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
        row = shown.strongest
    change = shown.analysis.perturbation(shown.tests, row)
    chosen = "the selected" if shown.view.train is not None else "the strongest"
    name = shown.scene.train_labels[row]
    words = f"{chosen} training point: what would each feature's growth do to the {shown.watched}?"
    st.markdown(f"**{plain_markdown(name)}**, {plain_markdown(words)}")
    form = form_of(change, shown.own_unit)
    drawn = lens_of(split).perturbation(form.scale(change), split.train, row, form.scaled_unit)
    st.plotly_chart(drawn.figure, key="perturbation", config={"displaylogo": False}, alt=f"{name}, {words}")
    source = core.DATASETS[shown.settings.data.name]
    scaled = shown.settings.data.standardise and source.standardise
    st.caption(
        "Predicted change (first order) if one feature of this training point grew by one unit"
        + (" (one standard deviation of that feature)" if scaled else "")
        + f" and the model were refitted.{drawn.words}"
    )
    table = pd.DataFrame(
        {"feature": split.train.feature_names, f"predicted change, {shown.own_unit}, > 0 raises, < 0 lowers": change}
    )
    twin(table, "perturbation", f"{name}, {words}")
