"""What the fit is like: numbers, curve, errors, decision field and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.charts import examples, fits
from pages.components.charts.field import Field
from pages.components.lenses import lens_of
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.analysis.quality import Quality
    from influence_core.models import Fit

NAMED = 6  # columns that a sentence names


def numbers(problem: Problem) -> None:
    """Loss and accuracy, or R² and RMSE, on every part."""
    split, fitted = problem.split, problem.fitted
    unit = fitted.model.loss.unit
    parts = {"Training": split.train, "Validation": split.validation, "Test": split.test}
    found = {name: core.quality.quality(fitted, data) for name, data in parts.items()}
    rows = [_part_cells(name, got, unit) for name, got in found.items() if got is not None]
    rows[-1].append(("Parameters p", f"{fitted.size:,}"))
    if sum(map(len, rows)) <= 5:  # one line where it fits, else a line for every part
        rows = [sum(rows, [])]
    width = max(map(len, rows))
    for cells in rows:
        for column, (name, text) in zip(st.columns(width), cells, strict=False):
            column.metric(name, text)
    if said := _held(problem):
        st.caption(plain_markdown(said))


def _held(problem: Problem) -> str:
    """Columns without a coefficient of their own; empty where all have one."""
    held = getattr(problem.fitted.model, "held", ())
    if not held:
        return ""
    names = [problem.split.train.feature_names[k] for k in held]
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    verb = "has" if len(names) == 1 else "have"
    return (
        f"{', '.join(names[:NAMED])}{rest} {verb} no coefficient: without a penalty the other columns already say what "
        "they say. The first value of a text is the reference that its other values are compared with."
    )


def _part_cells(name: str, got: Quality, unit: str) -> list[tuple[str, str]]:
    """What is said about one part of the data.

    Returns:
        Labels and values.
    """
    cells = [(f"{name} loss, {unit}", f"{got.loss:.4g}")]
    cells += [(f"{name} accuracy", f"{got.accuracy:.1%}")] if got.accuracy is not None else []
    cells += [(f"{name} R²", f"{got.r2:.3f}")] if got.r2 is not None else []
    cells += [(f"{name} RMSE, target units", f"{got.rmse:.4g}")] if got.rmse is not None else []
    return cells


def draw_curve(fit: Fit, unit: str) -> None:
    """How the fit got there."""
    if fit.method == "newton":
        table = pd.DataFrame({"step": range(len(fit.history)), "J": fit.history})
        caption = f"Objective J, penalty included, in {unit}; last value {fit.history[-1]:.6g}, drawn as the zero."
        show(fits.newton_curve(fit.history), caption, table, "newton-curve")
        return
    table = pd.DataFrame({"epoch": range(1, len(fit.history) + 1), "J (training)": fit.history})
    caption = f"After the last epoch J = {fit.history[-1]:.4g}."
    if fit.validation:
        table["validation loss"] = fit.validation
        caption += f" Lowest validation loss {min(fit.validation):.4g} after epoch {np.argmin(fit.validation) + 1}."
    else:
        caption += " Set a validation share on the Data page to see the validation loss too."
    show(fits.loss_curves(fit.history, fit.validation, unit), caption, table, "loss-curves")


def draw_errors(problem: Problem) -> None:
    """Confusion matrix or residuals of the test points."""
    test, fitted = problem.split.test, problem.fitted
    f = core.quality.outputs(fitted, problem.test)
    if test.classes:
        counts = core.quality.confusion(test.y, core.quality.decided(f), test.classes)
        table = pd.DataFrame(counts, columns=[f"given {name}" for name in test.class_names])
        table.insert(0, "true class", test.class_names)
        caption = "Test points: rows are true classes, columns what the model says. Colour: share of a row."
        show(fits.confusion_matrix(counts, test.class_names), caption, table, "confusion")
        return
    table = pd.DataFrame({"id": test.ids, "target": test.y, "predicted": f[:, 0], "residual": test.y - f[:, 0]})
    caption = f"Target: {test.target_name}. A pattern here is something the model cannot express."
    show(fits.residual_plot(f[:, 0], test.y, lens_of(test).hover(test, None), "target"), caption, table, "residuals")


def draw_field(problem: Problem) -> None:
    """Decision field of a two-class model of two features."""
    found = core.quality.decision(problem)
    if found is None:
        return
    field = Field(*found)
    split, places = problem.split, problem.positions
    train, optimal = split.train, None
    probability = problem.predictions.shape[1] > 1
    caption = "Solid: the boundary, where both classes are equally likely (f = 0). Dashed: f = ±1"
    caption += ", log-odds, P = 0.27 and 0.73." if probability else ", the margins of the hinge."
    if split.boundary is not None:
        corners = core.quality.frame(problem)
        optimal = examples.boundary_ends(split.boundary.weights, split.boundary.offset, *corners)
        caption += f" Dotted: the optimal boundary, Bayes error {split.boundary.bayes_error:.2%}."
    points = examples.Points(
        places.train,
        train.y,
        train.class_names,
        lens_of(train).hover(train, split.original_y),
        split.flipped,
        train.target_name,
    )
    x, y = np.meshgrid(field.x, field.y)
    table = pd.DataFrame({places.axes[0]: x.ravel(), places.axes[1]: y.ravel(), "f": field.probability.ravel()})
    show(fits.decision_field(field, probability, points, places.axes, optimal), caption, table, "decision-field")


def draw_weights(problem: Problem) -> None:
    """Weights as pictures for images, as bars for named features."""
    train, fitted = problem.split.train, problem.fitted
    d = train.x.shape[1]
    weights = core.quality.weights(fitted, d)
    if weights is None:
        return
    names = list(train.class_names) if len(weights) > 1 else [f"output f, above 0: {(train.class_names or ('',))[-1]}"]
    per = "per standard deviation" if state.settings().data.standardise else "per unit"
    table = pd.DataFrame(weights.T, columns=names if len(weights) > 1 else ["weight"])
    table.insert(0, "feature", train.feature_names)
    pictured = lens_of(train).weights(weights, names, train, per)
    if pictured is not None:
        show(pictured.figure, pictured.words, table, "weight-images")
        return
    k = 0
    if len(weights) > 1:
        k = controls.place("output", len(names), 0)
        st.session_state["model.output"] = k
        st.selectbox(
            "Coefficients of",
            range(len(names)),
            format_func=lambda i: names[i],
            key="model.output",
            on_change=safely(lambda: controls.pick("output", st.session_state["model.output"], len(names))),
        )
    order = fits.largest(weights[k])
    caption = f"Largest: {train.feature_names[order[0]]} with {weights[k][order[0]]:.4g} {per} of the feature."
    unit = f"change of {'log-odds or margin' if train.classes else 'the prediction'} {per} of the feature"
    show(fits.coefficient_bars(weights[k], train.feature_names, unit), caption, table, "coefficients")
