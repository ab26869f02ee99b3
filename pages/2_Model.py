"""Model: how does the model fit, and has it converged?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Option
from pages.components.charts import examples, fits
from pages.components.charts.field import Field
from pages.components.frame.bootstrap import bootstrap
from pages.components.lenses import lens_of
from pages.components.problem import train_panel
from pages.components.problem.suit import known_options, say_once, suit_model
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.widgets import controls, trust_line
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis.quality import Quality

METHODS = {"newton": "Newton (to the minimum)", "sgd": "SGD with momentum", "adamw": "AdamW"}
L2 = Option("l2", 0.1, "Penalty l2", 0.0, 1e9, help="J(θ) = mean loss + (l2/2)‖θ‖²; the intercept is never penalised.")


def choose_model(split: Any) -> None:
    """Model, penalty, intercept, way of fitting, and their options."""
    current = state.settings().model
    offered = core.applicable_models(split.train)
    titles = {name: core.MODELS[name].title for name in offered}
    model, penalty, fit = st.columns([3, 4, 3], vertical_alignment="top")
    with model:
        controls.choice("Model", offered, current.name, "model.name", take_model, titles=titles)
    with penalty:
        choose_penalty(len(split.train))
    with fit:
        fits = list(core.MODELS[current.name].fits)
        controls.choice(
            "Fitted by", fits, current.fit, "model.fit", lambda v: state.change("model", fit=v), titles=METHODS
        )
        if core.MODELS[current.name].network:
            st.caption("Biases are not penalised. Training is repeated exactly for every refit.")
        else:
            choose_switches()
    st.latex(core.MODELS[current.name].formula)  # over the whole width: in a column of a tablet it would be cut
    choose_options(core.MODELS[current.name], current.fit)


def choose_switches() -> None:
    """What only a linear predictor has."""
    switch("intercept", "Intercept", "A constant term, not penalised.")
    switch(
        "fold_penalty",
        "Fold penalty into losses",
        "Every example carries (l2/2)‖θ‖² of its own, so a removed point takes its share of the penalty along. "
        "This adds the same kind of term to every score: it shifts the zero line between helpful and harmful.",
    )


def take_model(name: str) -> None:
    """Another model keeps the options it knows; between linear predictors and networks the usual penalty differs."""
    registry, current = core.MODELS, state.settings().model
    old, new = registry[current.name], registry[name]
    l2 = current.l2 if old.network == new.network else new.l2
    fit = current.fit if current.fit in new.fits else "auto"
    state.change("model", name=name, l2=l2, fit=fit, options=known_options(name, current.options))


def choose_penalty(n: int) -> None:
    """l2 with its equivalent elsewhere."""
    current = state.settings().model
    if not core.MODELS[current.name].penalty:
        st.markdown("**No penalty**")
        st.caption("This model has no l2. Choose ridge regression for one.")
        return
    box, down, up = st.columns([2, 1, 1], vertical_alignment="bottom")
    with box:
        controls.value(L2, current.l2, "model.l2", lambda v: state.change("model", l2=v))
    down.button("÷10", key="l2.down", on_click=safely(scale_l2), args=(0.1,), width="stretch", disabled=current.l2 == 0)
    up.button("×10", key="l2.up", on_click=safely(scale_l2), args=(10.0,), width="stretch")
    network = core.MODELS[current.name].network
    st.caption(f"n·l2 = {n * current.l2:.4g}" if network else equivalent(current.name, n, current.l2))


def scale_l2(factor: float) -> None:
    """Ten times more or less; from zero to a small penalty."""
    current = state.settings().model.l2
    state.change("model", l2=float(f"{min(current * factor, 1e9):.6g}") if current else 1e-4)


def equivalent(name: str, n: int, l2: float) -> str:
    """n·l2, and what the same penalty is called in scikit-learn.

    Returns:
        One line.
    """
    total = n * l2
    if name == "ridge":
        return f"n·l2 = {total:.4g} · scikit-learn: Ridge(alpha = n·l2/2 = {total / 2:.4g})"
    where = "SVC(kernel='linear')" if name == "hinge" else "LogisticRegression"
    words = f"C = 1/(n·l2) = {1 / total:.3g}" if total else "C = ∞, no penalty"
    return f"n·l2 = {total:.4g} · scikit-learn: {where} with {words}"


def switch(name: str, label: str, words: str) -> None:
    """A check box for one yes-or-no setting of the model."""
    key = f"model.{name}"
    st.session_state[key] = getattr(state.settings().model, name)
    st.checkbox(
        label, key=key, help=words, on_change=safely(lambda: state.change("model", **{name: st.session_state[key]}))
    )


def choose_options(entry: Any, fit: str) -> None:
    """Options of the model; those of AdamW only where it is used, those of a network's training on request."""
    shown = entry.all_options if fit == "adamw" and not entry.network else entry.options
    draw_options(shown)
    if entry.network:
        with st.expander("Training"):
            rest = [option for option in entry.all_options if option not in entry.options]
            draw_options(rest[:5])
            draw_options(rest[5:])


def draw_options(shown: Sequence[Option]) -> None:
    """Options side by side."""
    if shown:
        for column, described in zip(st.columns(max(4, len(shown))), shown, strict=False):
            with column:
                controls.option("model", described)


def numbers(problem: Any) -> None:
    """Loss and accuracy, or R² and RMSE, on every part."""
    split, fitted = problem.split, problem.fitted
    unit = fitted.model.loss.unit
    parts = {"Training": split.train, "Validation": split.validation, "Test": split.test}
    found = {name: core.quality.quality(fitted, data) for name, data in parts.items()}
    rows = [part_cells(name, got, unit) for name, got in found.items() if got is not None]
    rows[-1].append(("Parameters p", f"{fitted.size:,}"))
    if sum(map(len, rows)) <= 5:  # one line where it fits, else a line for every part
        rows = [sum(rows, [])]
    width = max(map(len, rows))
    for cells in rows:
        for column, (name, text) in zip(st.columns(width), cells, strict=False):
            column.metric(name, text)


def part_cells(name: str, got: Quality, unit: str) -> list[tuple[str, str]]:
    """What is said about one part of the data.

    Returns:
        Labels and values.
    """
    cells = [(f"{name} loss, {unit}", f"{got.loss:.4g}")]
    cells += [(f"{name} accuracy", f"{got.accuracy:.1%}")] if got.accuracy is not None else []
    cells += [(f"{name} R²", f"{got.r2:.3f}")] if got.r2 is not None else []
    cells += [(f"{name} RMSE, target units", f"{got.rmse:.4g}")] if got.rmse is not None else []
    return cells


def draw_curve(fit: Any, unit: str) -> None:
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


def draw_errors(problem: Any) -> None:
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


def draw_field(problem: Any) -> None:
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
    labels = lens_of(train).hover(train, split.original_y)
    points = examples.Points(places.train, train.y, train.class_names, labels, split.flipped, train.target_name)
    x, y = np.meshgrid(field.x, field.y)
    table = pd.DataFrame({places.axes[0]: x.ravel(), places.axes[1]: y.ravel(), "f": field.probability.ravel()})
    show(fits.decision_field(field, probability, points, places.axes, optimal), caption, table, "decision-field")


def draw_weights(problem: Any) -> None:
    """Weights as pictures for images, as bars for named features."""
    train, fitted = problem.split.train, problem.fitted
    if fitted.network:
        return
    d = train.x.shape[1]
    weights = core.quality.weights(fitted, d)
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


def describe_adamw(n: int) -> None:
    """What the first-order fit costs."""
    options = {option.name: option.default for option in core.MODELS[state.settings().model.name].all_options}
    options |= dict(state.settings().model.options)
    steps = int(options["epochs"]) * -(-n // int(options["batch_size"]))
    st.caption(f"{steps:,} steps in all: epochs times batches per epoch.")


bootstrap("Model", "How does the model fit, and has it converged?")
with guarded():
    say_once()
    problem_now = cached.problem(state.settings())
    suit_model(problem_now.split.train)
    with st.container(border=True):
        choose_model(problem_now.split)
        if state.settings().model.fit == "adamw" or core.MODELS[state.settings().model.name].network:
            describe_adamw(len(problem_now.split.train))
    train_panel.wait(state.settings())
    with st.spinner("Fitting …"):
        fit_now = problem_now.fitted.fit
    trust_line.optimality(fit_now)
    numbers(problem_now)
    draw_field(problem_now)
    left, right = st.columns(2, gap="medium")
    with left:
        draw_curve(fit_now, problem_now.fitted.model.loss.unit)
    with right:
        draw_errors(problem_now)
    draw_weights(problem_now)
