"""One system, every solver: each factored and applied once, timed, and kept apart from what the other pages share."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from influence_core.settings import Settings, SolverSettings
from pages.components import cached

if TYPE_CHECKING:
    from influence_core.influence import Influence

ACCURATE = 1e-8
REPEATS, QUICK = 3, 0.05  # solves that take less than this many seconds are timed again
REST = ("data", "model", "seed")


@dataclass(frozen=True, eq=False)
class Factored:
    """A solver's factor, or the sentence that says why there is none."""

    influence: Influence | None
    seconds: float
    error: str = ""


@dataclass(frozen=True, eq=False)
class Trial:
    """What one solver made of one test point.

    Attributes:
        name: in ``SOLVERS``.
        title: for people.
        factor_seconds: measured once, on this server.
        solve_seconds: for one right-hand side.
        residual: relative residual of the solve; None where it failed.
        products: Hessian products of the solve.
        converged: whether the residual reached what the solver promises.
        says: advice, or the reason of the failure.
        scores: (n,) first-order predicted change; None where it failed.
    """

    name: str
    title: str
    factor_seconds: float
    solve_seconds: float = 0.0
    residual: float | None = None
    products: int = 0
    converged: bool = False
    says: str = ""
    scores: NDArray[np.float64] | None = None


def solver_settings(settings: Settings, name: str, damping: float | None = None) -> SolverSettings:
    """Solver ``name`` with the damping of the settings, and with their options where it is the chosen one.

    Returns:
        The solver's settings.
    """
    options = settings.solver.options if settings.solver.name == name else ()
    return SolverSettings(name, settings.solver.damping if damping is None else damping, options)


def factored(settings: Settings, name: str) -> Factored:
    """The factor of one solver, computed anew so that its time is its own.

    Returns:
        The factor and its time.
    """
    chosen = replace(settings, solver=solver_settings(settings, name))
    return _factored(chosen.key(*REST, "solver"), chosen)


@st.cache_resource(max_entries=8, show_spinner=False)
def _factored(key: str, _settings: Settings) -> Factored:  # noqa: ARG001
    core = cached.core()
    influence = core.Influence(cached.problem(_settings).fitted, _settings.solver)
    start = time.perf_counter()
    try:
        _ = influence.solve
    except core.SingularError as error:
        return Factored(None, time.perf_counter() - start, str(error))
    return Factored(influence, time.perf_counter() - start)


def trial(settings: Settings, name: str, test: int) -> Trial:
    """Ask one solver about one test point.

    Returns:
        What it made of it; a failure is a sentence, not an exception.
    """
    chosen = replace(settings, solver=solver_settings(settings, name), estimator="influence")
    return _trial(chosen.key(), test, chosen)


@st.cache_resource(max_entries=128, show_spinner=False)
def _trial(key: str, test: int, _settings: Settings) -> Trial:  # noqa: ARG001
    core, name = cached.core(), _settings.solver.name
    title, found = core.SOLVERS[name].title, factored(_settings, name)
    if found.influence is None:
        return Trial(name, title, found.seconds, says=found.error)
    watched = core.watch(found.influence.fitted, _one(_settings, test), _settings.quantity, _settings.target)
    try:
        solution, duration = _timed(found.influence.solve, watched.gradient)
    except core.SingularError as error:
        return Trial(name, title, found.seconds, says=str(error))
    residual = float(solution.residual.max())
    scores = core.estimators.scores(found.influence, watched)[:, 0]
    return Trial(
        name, title, found.seconds, duration, residual, solution.products, solution.converged, solution.advice, scores
    )


def _timed(solve: Any, gradient: Any) -> tuple[Any, float]:
    """The solution and the best of a few times: the first call of a solver also warms up caches."""
    times: list[float] = []
    while not times or (len(times) < REPEATS and times[0] < QUICK):
        start = time.perf_counter()
        solution = solve(gradient)
        times.append(time.perf_counter() - start)
    return solution, min(times)


def _one(settings: Settings, test: int) -> Any:
    return cached.problem(settings).test.take(slice(test, test + 1))


def cheapest(trials: list[Trial], tests: int) -> Trial | None:
    """The solver with a relative residual ≤ 1e-8 that needs least time to factor once and solve ``tests`` times.

    Returns:
        Its trial, or None where no solver is that accurate.
    """
    good = [one for one in trials if one.residual is not None and one.residual <= ACCURATE and one.name != "identity"]
    return min(good, key=lambda one: cost(one, tests), default=None)


def cost(one: Trial, tests: int) -> float:
    """Seconds to factor once and solve for ``tests`` right-hand sides, one after the other.

    Returns:
        Seconds.
    """
    return one.factor_seconds + tests * one.solve_seconds


def advice(trials: list[Trial], tests: int) -> str:
    """One honest sentence from the measured numbers.

    Returns:
        Plain text.
    """
    one, many = cheapest(trials, 1), cheapest(trials, tests)
    if one is None or many is None:
        return "No solver reaches a relative residual of 1e-8 here: raise the damping, or choose a larger l2."
    text = (
        f"For one test point the cheapest solver with a relative residual of at most 1e-8 is {one.title} "
        f"({seconds(cost(one, 1))}); "
    )
    again = "it is also" if many.name == one.name else f"{many.title} is"
    return text + f"for all {tests:,} test points, factored once, {again} the cheapest ({seconds(cost(many, tests))})."


def seconds(value: float) -> str:
    """A duration in a unit that fits.

    Returns:
        Such as ``3.2 ms``, with a space that does not break.
    """
    if value < 1e-3:
        return f"{value * 1e6:.0f}\u00a0µs"
    return f"{value * 1e3:.3g}\u00a0ms" if value < 1 else f"{value:.3g}\u00a0s"


def relative_error(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """‖scores − reference‖ / ‖reference‖.

    Returns:
        A number ≥ 0.
    """
    size = float(np.linalg.norm(reference))
    return float(np.linalg.norm(scores - reference)) / size if size else float(np.linalg.norm(scores))


@dataclass(frozen=True, eq=False)
class DampingPath:
    """Scores of the strongest points over many dampings.

    Attributes:
        dampings: ascending, the first is 0.
        rows: training points with the largest |score| at the damping of the settings.
        scores: (len(rows), len(dampings)); NaN where H + δI is singular.
    """

    dampings: NDArray[np.float64]
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


def damping_path(settings: Settings, test: int, dampings: tuple[float, ...], count: int = 10) -> DampingPath | None:
    """First-order scores at every damping, from one eigendecomposition.

    Returns:
        The path, or None where no damping gives a solution.
    """
    chosen = replace(settings, solver=SolverSettings("eigh", settings.solver.damping), estimator="influence")
    return _path(chosen.key(), test, dampings, count, chosen)


@st.cache_resource(max_entries=64, show_spinner=False)
def _path(key: str, test: int, dampings: tuple[float, ...], count: int, _settings: Settings) -> DampingPath | None:  # noqa: ARG001
    columns = [_scores_at(_settings, test, damping) for damping in dampings]
    n = len(cached.problem(_settings).fitted.train)
    table = np.stack([np.full(n, np.nan) if column is None else column for column in columns], axis=1)
    solved = np.flatnonzero(np.isfinite(table).all(axis=0))
    if not len(solved):
        return None
    nearest = solved[np.argmin(np.abs(np.asarray(dampings)[solved] - _settings.solver.damping))]
    rows = np.argsort(-np.abs(table[:, nearest]), kind="stable")[:count]
    return DampingPath(np.asarray(dampings), rows, table[rows])


def _scores_at(settings: Settings, test: int, damping: float) -> NDArray[np.float64] | None:
    """Two products with the eigenvectors of H; None where H + δI is singular."""
    core, spectrum = cached.core(), factored(settings, "eigh").influence
    if spectrum is None:
        return None
    fitted = spectrum.fitted
    influence = core.Influence(fitted, SolverSettings("eigh", damping), spectrum=spectrum.solve)
    watched = core.watch(fitted, _one(settings, test), settings.quantity, settings.target)
    try:
        return np.asarray(core.estimators.scores(influence, watched)[:, 0])
    except core.SingularError:
        return None
