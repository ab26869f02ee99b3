"""Which of a network's two truths the page measures: this very run without a point, or the mean over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from influence_core.settings import Settings
from pages.components.session import cached, state
from pages.components.session.errors import safely

if TYPE_CHECKING:
    from influence_core.analysis import Truth
    from influence_core.analysis.truth import Way

TWO = (
    "Unrolled scores predict **this very run**: the same first parameters and order of the examples, while what leaves "
    "weighs nothing. The **mean over seeds** is what training does on average. The two differ, and are never mixed."
)


def chosen(settings: Settings) -> Truth:
    """The truth on screen; other models have one only."""
    problem = cached.problem(settings)
    return problem.truths.get(state.view().truth, problem.truth)


def mark(settings: Settings) -> str:
    """Its name in the key of a job; empty where there is no choice."""
    truths = cached.problem(settings).truths
    return f":{state.view().truth}" if len(truths) > 1 else ""


def choose(settings: Settings) -> None:
    """A choice, where there is one."""
    truths = cached.problem(settings).truths
    if len(truths) < 2:
        return
    st.session_state["truth"] = state.view().truth
    st.segmented_control(
        "The truth is",
        list(truths),
        key="truth",
        format_func=lambda name: truths[name].way.short,
        on_change=safely(lambda: state.look(truth=st.session_state["truth"])),
        required=True,
        label_visibility="collapsed",
    )


def one_of(way: Way) -> str:
    """A measured number, before "without …"."""
    if not way.noisy:
        return "a refit"
    return "this very run repeated" if way.seeds == 1 else f"the mean over {way.seeds} seeds of training runs"


def many_of(way: Way) -> str:
    """Many of them, after their number."""
    return f"training runs ({way.short})" if way.noisy else "refits"
