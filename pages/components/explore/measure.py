"""How the question is answered: watched quantity, estimator, damping, and the switches of the colours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.explore.question import quantities
from pages.components.lenses import lens_of
from pages.components.problem.scene import pair_of
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.widgets import controls

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Problem

DAMPINGS = (0.0, *(float(f"{m}e{e}") for e in range(-6, 3) for m in (1, 3)))


def measure(analysis: Analysis) -> None:
    """Watched quantity, estimator, damping and switches."""
    settings = state.settings()
    classes = core.QUANTITIES[settings.quantity].default and analysis.problem.split.test.classes
    widths = [2.4, 1.5, 2.6, 1.6] if classes else [2.4, 2.6, 1.6]
    with st.container(key="measure"):
        what, *whose, how, more = st.columns(widths, vertical_alignment="bottom")
    with what:
        controls.choice(
            "Watch the",
            quantities(analysis),
            settings.quantity,
            "quantity",
            lambda name: state.change(quantity=name, target=-1),
            titles={name: entry.title for name, entry in core.QUANTITIES.items()},
        )
    for place in whose:
        with place:
            _class_choice(analysis)
    with how:
        controls.choice(
            "Predict its change by",
            core.estimators.applicable_estimators(analysis.problem.fitted),
            settings.estimator,
            "estimator",
            lambda name: state.change(estimator=name),
            titles={name: entry.title for name, entry in core.ESTIMATORS.items()},
            help=_estimators(),
        )
    with more, st.popover(_more(), icon=":material/tune:", width="stretch"):
        _damping(automatic=not analysis.problem.fitted.kind.closed_form)
        _switch("lock", "Lock colour scale", "The same limits for every test point.")
        _switch("symlog", "Symmetric log scale", "Weak points get colour too: linear near zero, logarithmic beyond.")
        _switch("magnitude", "Magnitude only", "Colours by the size of the score, without its sign.")
        if not cached.drawn(settings):
            _axes(analysis.problem)


def _estimators() -> str:
    """What each does, with q the gradient of what is watched, g that of the point, H the curvature and n the points."""
    return "  \n".join(f"**{entry.title}**: {entry.help}" for entry in core.ESTIMATORS.values())


def _more() -> str:
    """What the popover is called: whatever is not as usual stands on it."""
    view, damping = state.view(), state.settings().solver.damping
    on = [name for name, value in (("locked", view.lock), ("log", view.symlog), ("magnitude", view.magnitude)) if value]
    on += ["axes"] if view.axes else []
    words = ", ".join([*on, *([f"δ = {damping:g}"] if damping else [])])
    return words[:1].upper() + words[1:] if on else words or "More"  # a capital δ would be another letter


def _switch(name: str, label: str, words: str | None = None) -> None:
    st.session_state[name] = getattr(state.view(), name)
    st.checkbox(label, key=name, help=words, on_change=safely(lambda: state.look(**{name: st.session_state[name]})))


def _damping(automatic: bool) -> None:
    """A slider in log steps, where 0 may stand for one that suits; a damping that came from a link is a step too."""
    current = state.settings().solver.damping
    st.session_state["damping"] = current
    st.select_slider(
        "Damping δ of (H + δI)⁻¹",
        sorted({*DAMPINGS, current}),
        key="damping",
        format_func=lambda value: "automatic" if automatic and not value else f"{value:g}",
        on_change=safely(lambda: state.change("solver", damping=st.session_state["damping"])),
        help="Moves only the solve, not the fit. Live: with the eigendecomposition another δ costs two products.",
    )


def _axes(problem: Problem) -> None:
    """What the map is drawn over: two columns, the target, or what the model says."""
    titles = core.axes.offered(problem, lens_of(problem.split).tabular)
    usual = core.axes.usual(problem)
    now = pair_of(state.view().axes) if state.view().axes else usual

    def put(k: int, name: str) -> None:
        chosen = (name, now[1]) if k == 0 else (now[0], name)
        state.look(axes="" if chosen == usual else ",".join(chosen))

    for k, label in enumerate(("Map across", "Map up")):
        controls.choice(label, list(titles), now[k], f"axis{k}", partial(put, k), titles=titles)


def _class_choice(analysis: Analysis) -> None:
    """Whose probability is watched; −1 is the true class, or the last one for a plain prediction."""
    settings, names = state.settings(), analysis.problem.split.test.class_names
    default = core.QUANTITIES[settings.quantity].default.format(names[-1])
    targets = [str(k) for k in range(-1, len(names))]
    controls.choice(
        "of class",
        targets,
        str(settings.target),
        "target",
        lambda text: state.change(target=int(text)),
        titles={text: default if text == "-1" else names[int(text)] for text in targets},
    )
