"""Other data may need another model: the first one that fits is taken, and said so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Options
from pages.components.session import state
from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.data import Dataset, Split

L2_CLASSIFIER, L2_REGRESSION = 0.1, 0.01
RARE_WORDS = (
    "Changes are predicted by one-step Newton: texts with rare words have high leverage, and first order falls short "
    "of what removing them does."
)


def suit_model(train: Dataset, fresh: Split | None = None) -> None:
    """Keep a model that fits these data; otherwise take the first that does, with a usual penalty, and start over.

    The watched quantity goes back to the loss, which every model defines.

    Args:
        train: the data.
        fresh: data that were just uploaded: their penalty is the one with the best leave-one-out loss.
    """
    current = state.settings()
    offered = core.applicable_models(train)
    fits = current.model.name in offered
    if fits and fresh is None:
        return
    name, old = current.model.name if fits else offered[0], core.MODELS.get(current.model.name)
    usual = core.MODELS[name].l2 if fits else L2_CLASSIFIER if train.classes else L2_REGRESSION
    model = replace(current.model, name=name, l2=usual, options=known_options(name, current.model.options))
    found = core.chosen_penalty(model, fresh, core.Task(workers=core.beside())) if fresh is not None else None
    if found is not None:
        model = replace(model, l2=found.best)
    estimator = core.usual_estimator(current.estimator, name)
    if train.worded and fresh is not None and estimator == "influence":
        estimator = "newton"
        state.note(RARE_WORDS)
    state.put(replace(current, model=model, estimator=estimator, quantity="loss", target=-1))
    if not fits:
        kind = f"{train.classes} classes" if train.classes else "a numeric target"
        state.note(
            f"These data have {kind}, which {old.title if old else 'the chosen model'} does not fit: "
            f"the model is now {core.MODELS[name].title} with l2 = {model.l2:g}.{predicted_by(name)}"
        )
    if found is not None:
        state.note(
            f"l2 = {found.best:g}: the best leave-one-out loss of {len(found.losses)} penalties from "
            f"{min(found.losses):g} to {max(found.losses):g}. The Model page takes another."
        )
    state.tell_again()
    st.rerun()


def predicted_by(name: str) -> str:
    """What predicts for this model by itself, where that is not first order."""
    exact = core.MODELS[name].estimator == "newton"
    return " Changes are predicted by one-step Newton, which is exact for squared loss." if exact else ""


def known_options(name: str, options: Options) -> Options:
    """Those options that the model ``name`` has."""
    known = {option.name for option in core.MODELS[name].all_options}
    return tuple(pair for pair in options if pair[0] in known)


def say_once() -> None:
    """Show what was changed on the run before."""
    for sentence in state.notes():
        st.info(sentence, icon=":material/swap_horiz:")
