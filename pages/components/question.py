"""The question on the Explore page: which test point, which quantity, which estimator, which damping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components import cached, controls, state

if TYPE_CHECKING:
    from influence_core.analysis import Analysis

DAMPINGS = (0.0, *(float(f"{m}e{e}") for e in range(-6, 3) for m in (1, 3)))


def clamp(analysis: Analysis) -> None:
    """A link, or a change of model, may ask for what this problem does not have: say so and use a sensible default."""
    core, settings = cached.core(), state.settings()
    m = len(analysis.problem.split.test)
    offered = _quantities(analysis)
    if not 0 <= state.test() < m:
        _instead(f"Test point {state.test()} does not exist: expected 0 to {m - 1}. Test point 0 is shown.")
        state.choose_test(0)
    if settings.quantity not in offered:
        name = settings.quantity[:40]
        _instead(f"This model does not define {name}: expected one of {', '.join(offered)}. The loss is shown.")
        state.change(quantity="loss", target=-1)
    if settings.estimator not in core.ESTIMATORS:
        _instead(f"Unknown estimator {settings.estimator[:40]}: expected one of {', '.join(core.ESTIMATORS)}.")
        state.change(estimator="influence")
    if settings.target >= max(analysis.problem.split.test.classes, 0):
        state.change(target=-1)


def _instead(sentence: str) -> None:
    st.warning(controls.plain_markdown(sentence), icon=":material/link_off:")


def _quantities(analysis: Analysis) -> list[str]:
    loss = analysis.problem.fitted.model.loss
    return [name for name, entry in cached.core().QUANTITIES.items() if entry.applies(loss)]


def question(analysis: Analysis) -> None:
    """Which test point, which quantity, which estimator, which damping."""
    m = len(analysis.problem.split.test)
    wrong = np.flatnonzero(analysis.problem.misclassified)
    box, back, forth, dice, miss, _ = st.columns([1.4, 1.3, 1.1, 1.3, 2.1, 0.6], vertical_alignment="bottom")
    with box:
        st.session_state["test-box"] = state.test()
        st.number_input(
            "Test point", 0, m - 1, key="test-box", on_change=lambda: state.choose_test(st.session_state["test-box"])
        )
    _step(back, "Previous", ":material/chevron_left:", (state.test() - 1) % m)
    _step(forth, "Next", ":material/chevron_right:", (state.test() + 1) % m)
    _step(dice, "Random", ":material/casino:", int(np.random.default_rng().integers(m)))
    later = wrong[wrong > state.test()]
    target = int((later if len(later) else wrong)[0]) if len(wrong) else None
    _step(miss, "Next misclassified", ":material/error:", target)
    _settings_row(analysis)
    st.markdown(_verdict(analysis))


def _step(column: Any, label: str, icon: str, target: int | None) -> None:
    column.button(
        label,
        icon=icon,
        disabled=target is None,
        width="stretch",
        on_click=state.choose_test,
        args=(target,),
        help=None if target is not None else "The model gets every test point right.",
    )


def _verdict(analysis: Analysis) -> str:
    """What the test point is and what the model says, in one line."""
    split, j = analysis.problem.split, state.test()
    names, prediction = split.test.class_names, analysis.problem.predictions[j]
    name = controls.plain_markdown(str(split.test.ids[j]))
    if not names:
        return f"**{name}** · true {split.test.y[j]:.4g} · predicted {prediction[0]:.4g}"
    true = controls.plain_markdown(names[int(split.test.y[j])])
    if len(prediction) == 1:
        guess = names[int(prediction[0] > 0)]
        return (
            f"**{name}** · labelled **{true}** · model says {controls.plain_markdown(guess)}, f = {prediction[0]:.2f}"
        )
    best = int(prediction.argmax())
    verdict = "✓" if best == int(split.test.y[j]) else "✗ misclassified"
    return (
        f"**{name}** · labelled **{true}** · model says **{controls.plain_markdown(names[best])}** "
        f"with p = {prediction[best]:.3f} {verdict}"
    )


def _settings_row(analysis: Analysis) -> None:
    core, settings = cached.core(), state.settings()
    quantities = _quantities(analysis)
    classes = settings.quantity in {"probability", "prediction"} and analysis.problem.split.test.classes > 0
    what, whose, how, damp, switches = st.columns(
        [2, 1.5 if classes else 0.01, 2.4, 2.6, 2], vertical_alignment="bottom"
    )
    with what:
        controls.choice(
            "Watch the",
            quantities,
            settings.quantity,
            "quantity",
            lambda name: state.change(quantity=name, target=-1),
            titles={name: entry.title for name, entry in core.QUANTITIES.items()},
        )
    if classes:
        with whose:
            _class_choice(analysis)
    with how:
        controls.choice(
            "Predict its change by",
            list(core.ESTIMATORS),
            settings.estimator,
            "estimator",
            lambda name: state.change(estimator=name),
            titles={name: entry.title for name, entry in core.ESTIMATORS.items()},
        )
    with damp:
        _damping()
    with switches:
        _switch("lock", "Lock colour scale", "The same limits for every test point.")
        _switch("symlog", "Symmetric log scale")
        _switch("magnitude", "Magnitude only", "Colours by the size of the score, without its sign.")


def _switch(name: str, label: str, words: str | None = None) -> None:
    st.session_state[name] = getattr(state.view(), name)
    st.checkbox(label, key=name, help=words, on_change=lambda: state.look(**{name: st.session_state[name]}))


def _damping() -> None:
    """A slider in log steps; a damping that came from a link is a step of its own."""
    current = state.settings().solver.damping
    st.session_state["damping"] = current
    st.select_slider(
        "Damping δ of (H + δI)⁻¹",
        sorted({*DAMPINGS, current}),
        key="damping",
        format_func=lambda value: f"{value:g}",
        on_change=lambda: state.change("solver", damping=st.session_state["damping"]),
        help="Moves only the solve, not the fit. Live: with the eigendecomposition another δ costs two products.",
    )


def _class_choice(analysis: Analysis) -> None:
    """Whose probability is watched; −1 is the true class, or the last one for a plain prediction."""
    settings, names = state.settings(), analysis.problem.split.test.class_names
    default = "the true class" if settings.quantity == "probability" else f"default ({names[-1]})"
    targets = [str(k) for k in range(-1, len(names))]
    controls.choice(
        "of class",
        targets,
        str(settings.target),
        "target",
        lambda text: state.change(target=int(text)),
        titles={text: default if text == "-1" else names[int(text)] for text in targets},
    )
