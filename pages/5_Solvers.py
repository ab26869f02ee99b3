"""Solvers: do they agree, and what does damping do?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Option, Settings
from pages.components.charts import solvers
from pages.components.charts.comparison import accuracy
from pages.components.frame.bootstrap import bootstrap
from pages.components.problem import reading_panel
from pages.components.problem.suit import say_once, suit_model
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import form_of, plain_markdown
from pages.components.solvers import benches, comparison, fast_panel, removal_table, truth
from pages.components.solvers.truth import verdict
from pages.components.widgets import controls
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.analysis.trials import Trial
    from pages.components.solvers.truth import Yardstick

DAMPING = Option(
    "damping", 0.0, "Damping δ", 0.0, 1e9, help="Solve (H + δI)⁻¹. In the unit of H's eigenvalues; the fit stays."
)
AUTOMATIC = "auto"
OPTIONS = 4  # of a solver in a row


def choose(problem: Problem) -> int:
    """Test point, damping, and the solver that the other pages use; the index of the test point."""
    settings, m = state.settings(), len(problem.split.test)
    controls.exist(problem)
    names = core.applicable_solvers(problem.fitted.size, problem.fitted.wide)
    titles = {AUTOMATIC: "Automatic"} | {name: core.SOLVERS[name].title for name in names}
    curvatures = core.applicable_curvatures(problem.fitted)
    test, damping, solver, *rest = st.columns([3, 3, 4, 4] if curvatures else [3, 3, 4], vertical_alignment="bottom")
    st.session_state["solvers.test"] = state.test()
    test.number_input(
        f"Test point, 0 to {m - 1}",
        0,
        m - 1,
        key="solvers.test",
        on_change=safely(lambda: state.choose_test(st.session_state["solvers.test"])),
    )
    with damping:
        controls.value(
            DAMPING, settings.solver.damping, "solver.damping", lambda value: state.change("solver", damping=value)
        )
    with solver:
        controls.choice("Used on other pages", list(titles), settings.solver.name, "solver.name", take, titles=titles)
    for place in rest:
        with place:
            controls.choice(
                "Matrix in the place of H",
                list(curvatures),
                settings.solver.curvature,
                "solver.curvature",
                lambda kind: state.change("solver", curvature=kind),
                titles=curvatures | {AUTOMATIC: "Automatic"},
            )
    entry = core.SOLVERS.get(settings.solver.name)
    described = entry.options if entry else ()
    for k, column in enumerate(st.columns(OPTIONS) * -(-len(described) // OPTIONS) if described else ()):
        if k < len(described):
            with column:
                controls.option("solver", described[k])
    chosen = automatic(settings, problem)
    if chosen:
        st.caption(plain_markdown(" ".join(chosen)))
    return state.test()


def automatic(settings: Settings, problem: Problem) -> list[str]:
    """What was chosen where nobody set it, and why."""
    fitted, said = problem.fitted, []
    if settings.solver.name == AUTOMATIC:
        said.append(core.why_chosen(fitted.size, fitted.kind.products_only, fitted.wide))
    if not core.applicable_curvatures(fitted):
        return said
    curvature = cached.analysis(settings).influence.curvature
    if settings.solver.curvature == AUTOMATIC and curvature.name == "Gauss–Newton":
        said.append("The Gauss–Newton matrix stands for H, because a network's Hessian is indefinite off a minimum.")
    return said + [curvature.reason.replace("on the Solvers page", "above")] * bool(curvature.reason)


def take(name: str) -> None:
    """Another solver starts with its default options."""
    state.change("solver", name=name, options=())


def say(found: list[Trial], truth: Yardstick, problem: Problem) -> None:
    """An honest word about time, and about how far the best solve is from what happens."""
    single = problem.fitted.theta.element_size() < 8
    accurate = core.trials.SINGLE if single else core.trials.ACCURATE
    parts = (core.trials.advice(found, len(problem.split.test), accurate), verdict(found, truth))
    st.info("  \n".join(plain_markdown(part) for part in parts if part), icon=":material/lightbulb:")


def draw_accuracy(found: list[Trial]) -> None:
    """Error of the scores over the time, for every solver that gave some."""
    best = truth.reference(found)
    if best is None or best.scores is None:
        return
    others = [(one, one.scores) for one in found if one.scores is not None and one is not best]
    if not others:
        return
    errors = [core.trials.relative_error(scores, best.scores) for _, scores in others]
    times, titles = [core.trials.cost(one, 1) for one, _ in others], [one.title for one, _ in others]
    table = pd.DataFrame({"solver": titles, "seconds": times, "relative error": errors})
    took = core.trials.seconds(core.trials.cost(best, 1))
    caption = (
        f"Lower left is better. {best.title} took {took}. The error is that of the "
        "solve alone; first-order influence itself differs from what happens, which the panels below show."
    )
    show(accuracy(titles, times, errors, best.title), caption, table, "solver-accuracy")


def grid(values: np.ndarray) -> tuple[float, ...]:
    """Zero, and half decades from well below the smallest to above the largest eigenvalue, ascending."""
    largest = float(values.max())
    smallest = max(float(values[values > 0].min(initial=largest)), 1e-9 * largest)
    low, high = math.floor(math.log10(smallest)) - 2, math.ceil(math.log10(largest)) + 1
    return (0.0, *(float(f"{lead}e{power}") for power in range(low, high) for lead in (1, 3)), float(f"1e{high}"))


@st.fragment
def damping_view(test: int, unit: str) -> None:
    """The spectrum with a live damping; the slider reruns this part only."""
    with guarded():
        settings = state.settings()
        prepared = benches.factored(settings, core.SPECTRAL)
        if prepared.spectrum is None:
            st.caption(plain_markdown(prepared.error))
            return
        values = prepared.spectrum.eigenvalues.cpu().numpy()
        choices = grid(values)
        slide, use = st.columns([4, 1], vertical_alignment="bottom")
        tried = state.view().trial_damping
        tried = settings.solver.damping if tried is None else tried
        damping = min(choices, key=lambda value: abs(value - tried))
        st.session_state["solvers.damping"] = damping
        slide.select_slider(
            "Damping to try (live)",
            choices,
            key="solvers.damping",
            format_func=lambda value: f"{value:g}",
            on_change=safely(lambda: state.look(trial_damping=float(st.session_state["solvers.damping"]))),
        )
        if use.button("Use it everywhere", width="stretch", disabled=damping == settings.solver.damping):
            state.change("solver", damping=damping)
            state.look(trial_damping=None)
            st.rerun()
        state.mirror()
        left, right = st.columns(2, gap="medium")
        with left:
            draw_spectrum(values, damping)
        with right:
            draw_paths(settings, test, choices, damping, unit)


def draw_spectrum(values: np.ndarray, damping: float) -> None:
    """Eigenvalues of H."""
    table = pd.DataFrame({"rank": np.arange(1, len(values) + 1), "eigenvalue": values[::-1]})
    low, high = float(values.min()), float(values.max())
    caption = f"Smallest {low:.3g}, largest {high:.3g}."
    if low + damping > 0:
        caption += f" Condition of H + δI: {(high + damping) / (low + damping):.3g}."
    caption += " A direction keeps the share λ/(λ + δ) of its influence: well below the damping it is all but lost."
    show(solvers.spectrum(values, damping), caption, table, "spectrum")


def draw_paths(settings: Settings, test: int, choices: tuple[float, ...], damping: float, unit: str) -> None:
    """The strongest scores over the damping."""
    path = benches.damping_path(settings, test, choices)
    if path is None:
        st.caption("No damping of this range gives a solution.")
        return
    here = int(np.argmin(np.abs(path.dampings - damping)))
    names = [str(name) for name in cached.problem(settings).split.train.ids[path.rows]]
    table = pd.DataFrame({"id": names} | {f"δ = {value:g}": path.scores[:, k] for k, value in enumerate(path.dampings)})
    largest = np.abs(path.scores[:, here]).max()
    form = form_of(path.scores, unit)
    size = form.text(float(largest)).lstrip("+")
    caption = truth.sentence(settings) + f" At δ = {damping:g} the largest |score| is {size} {form.scaled_unit}."
    if not np.isfinite(largest):
        caption = f"At δ = {damping:g} the Hessian plus damping is singular: there is no score."
    caption += " Each damping costs two products with the eigenvectors."
    show(
        solvers.score_paths(
            replace(path, scores=form.scale(path.scores)), names, damping, form.scaled_unit, truth.meant(settings)
        ),
        caption,
        table,
        "damping-path",
    )


bootstrap("Solvers", "Do the solvers agree, and what does damping do?")
with guarded():
    say_once()
    reading_panel.wait(state.settings())
    current, now = state.settings(), cached.problem(state.settings())
    suit_model(now.split.train)
    with st.spinner("Fitting …"):
        cached.fit(current)
    with st.container(border=True):
        chosen_test = choose(now)
    truth_now = truth.Yardstick.of(current, chosen_test)
    everyone = comparison.compared(current, chosen_test, truth_now)
    if len(everyone) == len(comparison.names(current)):
        say(everyone, truth_now, now)
    if everyone and not comparison.running(benches.bench(current, chosen_test)):
        draw_accuracy(everyone)
        truth.section(current, chosen_test, everyone, truth_now)
    removal_table.panel(current)
    fast_panel.panel(current)
    st.subheader("Spectrum and damping", anchor=False)
    if now.fitted.size > core.SOLVERS[core.SPECTRAL].limit:
        st.caption(f"The eigendecomposition is not offered for {now.fitted.size:,} parameters.")
    elif core.SPECTRAL in {one.name for one in everyone}:
        damping_view(chosen_test, truth.unit(current))
