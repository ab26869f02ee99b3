"""Deletion diagnostics of least squares: which points hold the fit, in the words and numbers of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.charts import fits
from pages.components.lenses import lens_of
from pages.components.session.door import core
from pages.components.session.words import plain_markdown
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.influence.diagnostics import Diagnostics

FEATURES = 20  # whose coefficients have a column


def draw_deletion(problem: Problem) -> None:
    """Leverage against studentised residual, sized by Cook's distance, for plain least squares; nothing elsewhere."""
    try:
        found = problem.diagnostics
    except core.SingularError as error:
        st.info(plain_markdown(f"Deletion diagnostics: {error}"), icon=":material/info:")
        return
    if found is None:
        return
    train, n = problem.split.train, len(found.leverage)
    p = problem.fitted.size - len(problem.fitted.linear.held)
    top = int(np.nanargmax(found.cooks_distance))
    caption = (
        "Training points. Leverage: how far the fit at a point follows its own target, from 0 to 1; mean p/n = "
        f"{p / n:.3g}, dotted: twice that. Studentised residual: target minus the prediction of a fit without the "
        "point, per standard deviation; dashed: ±2. Size of a dot: Cook's distance, how far all predictions move "
        f"without the point; largest {found.cooks_distance[top]:.3g} ({train.ids[top]}), above 1 one point holds the "
        "fit. In the table DFFITS, the change of its own prediction, and DFBETAS, the change of each coefficient, "
        "both per standard error (with minus without the point)."
    )
    if p - int(problem.fitted.linear.intercept) > FEATURES:
        caption += f" The table holds the DFBETAS of the {FEATURES} coefficients that change the most."
    labels = lens_of(train).hover(train, None)
    if alone := int(np.isnan(found.cooks_distance).sum()):
        point = "point alone holds" if alone == 1 else "points alone hold"
        caption += (
            f" {alone} {point} a coefficient (leverage 1): the fit without has no single answer, nor a place here."
        )
    shown = fits.deletion_plot(found.leverage, found.studentised, found.cooks_distance, labels)
    show(shown, caption, _table(problem, found), "deletion")


def _table(problem: Problem, found: Diagnostics) -> pd.DataFrame:
    train = problem.split.train
    names = [*train.feature_names, *["intercept"] * problem.fitted.linear.intercept]
    moved = np.sort(fits.largest(np.nanmax(np.abs(found.dfbetas), axis=0))[:FEATURES])
    moved = moved[~np.isin(moved, problem.fitted.linear.held)]
    columns = {
        "id": train.ids,
        "target": train.y,
        "leverage": found.leverage,
        "studentised residual": found.studentised,
        "Cook's distance": found.cooks_distance,
        "DFFITS": found.dffits,
    }
    return pd.DataFrame(columns | {f"DFBETAS {names[k]}": found.dfbetas[:, k] for k in moved})
