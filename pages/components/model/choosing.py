"""Model, penalty, way of fitting, and their options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Option
from pages.components.problem.suit import known_options
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.data import Split
    from influence_core.models import ModelEntry

ROW = 5  # options side by side
METHODS = {"newton": "Newton (to the minimum)", "sgd": "SGD with momentum", "adamw": "AdamW"}
L2 = Option("l2", 0.1, "Penalty l2", 0.0, 1e9, help="J(θ) = mean loss + (l2/2)‖θ‖²; the intercept is never penalised.")


def choose_model(split: Split) -> None:
    """Model, penalty, intercept, way of fitting, and their options."""
    current = state.settings().model
    entry = core.MODELS[current.name]
    offered = core.applicable_models(split.train)
    titles = {name: core.MODELS[name].title for name in offered}
    model, penalty, fit = st.columns([3, 4, 3], vertical_alignment="top")
    with model:
        controls.choice("Model", offered, current.name, "model.name", _take_model, titles=titles)
    with penalty:
        _choose_penalty(len(split.train))
    with fit:
        fits = list(entry.fits)
        controls.choice(
            "Fitted by", fits, current.fit, "model.fit", lambda v: state.change("model", fit=v), titles=METHODS
        )
        if entry.kind.closed_form:
            _choose_switches()
        else:
            st.caption("Biases are not penalised. Training is repeated exactly for every refit.")
    st.latex(entry.formula)  # over the whole width: in a column of a tablet it would be cut
    _choose_options(entry, current.fit)
    if entry.training(current.fit):
        _describe_training(len(split.train))


def _choose_switches() -> None:
    """What only a linear predictor has."""
    _switch("intercept", "Intercept", "A constant term, not penalised.")
    _switch(
        "fold_penalty",
        "Fold penalty into losses",
        "Every example carries (l2/2)‖θ‖² of its own, so a removed point takes its share of the penalty along. "
        "This adds the same kind of term to every score: it shifts the zero line between helpful and harmful.",
    )


def _take_model(name: str) -> None:
    """Another model keeps the options it knows; between linear predictors and networks the usual penalty differs."""
    settings = state.settings()
    current = settings.model
    fit = current.fit if current.fit in core.MODELS[name].fits else "auto"
    options = known_options(name, current.options)
    state.change("model", name=name, l2=core.usual_penalty(current, name), fit=fit, options=options)
    state.change(estimator=core.usual_estimator(settings.estimator, name))


def _choose_penalty(n: int) -> None:
    """l2 with its equivalent elsewhere."""
    current = state.settings().model
    if not core.MODELS[current.name].penalty:
        st.markdown("**No penalty**")
        st.caption("This model has no l2. Choose ridge regression for one.")
        return
    box, down, up = st.columns([2, 1, 1], vertical_alignment="bottom")
    with box:
        controls.value(L2, current.l2, "model.l2", lambda v: state.change("model", l2=v))
    down.button(
        "÷10", key="l2.down", on_click=safely(_scale_l2), args=(0.1,), width="stretch", disabled=current.l2 == 0
    )
    up.button("×10", key="l2.up", on_click=safely(_scale_l2), args=(10.0,), width="stretch")
    elsewhere = core.MODELS[current.name].elsewhere(n * current.l2)
    st.caption(f"n·l2 = {n * current.l2:.4g}" + f" · scikit-learn: {elsewhere}" * bool(elsewhere))


def _scale_l2(factor: float) -> None:
    """Ten times more or less; from zero to a small penalty."""
    current = state.settings().model.l2
    state.change("model", l2=float(f"{min(current * factor, 1e9):.6g}") if current else 1e-4)


def _switch(name: str, label: str, words: str) -> None:
    """A check box for one yes-or-no setting of the model."""
    key = f"model.{name}"
    st.session_state[key] = getattr(state.settings().model, name)
    st.checkbox(
        label, key=key, help=words, on_change=safely(lambda: state.change("model", **{name: st.session_state[key]}))
    )


def _choose_options(entry: ModelEntry, fit: str) -> None:
    """Options of the model and of its training: in one row, or where they are many on request."""
    rest = entry.training(fit)
    if len(rest) <= ROW:
        _draw_options([*entry.options, *rest])
        return
    _draw_options(entry.options)
    with st.expander("Training"):
        _draw_options(rest[:ROW])
        _draw_options(rest[ROW:])


def _draw_options(shown: Sequence[Option]) -> None:
    """Options side by side."""
    if shown:
        for column, described in zip(st.columns(max(4, len(shown))), shown, strict=False):
            with column:
                controls.option("model", described)


def _describe_training(n: int) -> None:
    """What the first-order fit costs."""
    options = {option.name: option.default for option in core.MODELS[state.settings().model.name].all_options}
    options |= dict(state.settings().model.options)
    steps = int(options["epochs"]) * -(-n // int(options["batch_size"]))
    st.caption(f"{steps:,} steps in all: epochs times batches per epoch.")
