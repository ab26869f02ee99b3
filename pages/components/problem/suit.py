"""Other data may need another model: the first one that fits is taken, and said so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Options
from pages.components.session import state
from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.data import Dataset

L2_CLASSIFIER, L2_REGRESSION = 0.1, 0.01


def suit_model(train: Dataset) -> None:
    """Keep a model that fits these data; otherwise take the first that does, with a usual penalty, and start over.

    The watched quantity goes back to the loss, which every model defines.
    """
    current = state.settings()
    offered = core.applicable_models(train)
    if current.model.name in offered:
        return
    entry, l2 = core.MODELS[offered[0]], L2_CLASSIFIER if train.classes else L2_REGRESSION
    old = core.MODELS.get(current.model.name)
    model = replace(current.model, name=offered[0], l2=l2, options=known_options(offered[0], current.model.options))
    state.put(replace(current, model=model, quantity="loss", target=-1))
    kind = f"{train.classes} classes" if train.classes else "a numeric target"
    state.note(
        f"These data have {kind}, which {old.title if old else 'the chosen model'} does not fit: "
        f"the model is now {entry.title} with l2 = {l2:g}."
    )
    state.tell_again()
    st.rerun()


def known_options(name: str, options: Options) -> Options:
    """Those options that the model ``name`` has."""
    known = {option.name for option in core.MODELS[name].all_options}
    return tuple(pair for pair in options if pair[0] in known)


def say_once() -> None:
    """Show what was changed on the run before."""
    for sentence in state.notes():
        st.info(sentence, icon=":material/swap_horiz:")
