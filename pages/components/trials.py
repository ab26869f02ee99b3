"""One system, every solver: each factored and applied once, timed, and kept apart from what the other pages share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from influence_core.settings import Settings, SolverSettings
from pages.components import cached

if TYPE_CHECKING:
    from influence_core.analysis import Problem, Task
    from influence_core.influence import Watched
    from influence_core.trials import Prepared, Trial

ACCURATE, SINGLE = 1e-8, 1e-4  # relative residuals that count as solved, in double and in single precision
REST = ("data", "model", "seed")
FACTORS = 12  # kept of one fit


def solver_settings(settings: Settings, name: str, damping: float | None = None) -> SolverSettings:
    """Solver ``name`` with the damping of the settings, and with their options where it is the chosen one.

    Returns:
        The solver's settings.
    """
    options = settings.solver.options if settings.solver.name == name else ()
    delta = settings.solver.damping if damping is None else damping
    return SolverSettings(name, delta, options, settings.solver.curvature)


@dataclass(frozen=True, eq=False)
class Desk:
    """One system and one test point, with what the solvers made of them so far; threads of jobs may add to it.

    Attributes:
        problem: data and fit.
        settings: of the whole analysis.
        test: index of the test point.
        factors: of this fit, shared by all its desks, by solver settings.
        found: trials so far, by solver.
    """

    problem: Problem
    settings: Settings
    test: int
    factors: dict[str, Prepared]
    found: dict[str, Trial]

    def ask(self, name: str, task: Task | None = None) -> Trial:
        """Factor where that has not been done, solve, and note the answer.

        Returns:
            What the solver made of it; a failure is a sentence, not an exception.
        """
        if name not in self.found:
            core, prepared = cached.core(), self.prepared(name, task)
            batch = self.problem.test.take(slice(self.test, self.test + 1))
            watched = core.watch(self.problem.fitted, batch, self.settings.quantity, self.settings.target)
            self.found[name] = core.trials.trial(prepared, watched, task)
        return self.found[name]

    def prepared(self, name: str, task: Task | None = None) -> Prepared:
        """The factor of one solver, computed anew so that its time is its own.

        Returns:
            The factor and its time.
        """
        chosen = solver_settings(self.settings, name)
        key = replace(self.settings, solver=chosen).key("solver")
        if key not in self.factors:
            while len(self.factors) >= FACTORS:
                self.factors.pop(next(iter(self.factors)))
            self.factors[key] = cached.core().trials.prepare(self.problem.fitted, chosen, task)
        return self.factors[key]


def desk(settings: Settings, test: int) -> Desk:
    """The desk of one system and test point, the same for every session.

    Returns:
        The desk.
    """
    plain = replace(settings, estimator="influence")
    problem = cached.problem(settings)
    return Desk(problem, plain, test, _factors(settings.key(*REST)), _found(plain.key(), test))


@st.cache_resource(max_entries=3, show_spinner=False)
def _factors(key: str) -> dict[str, Prepared]:  # noqa: ARG001
    return {}


@st.cache_resource(max_entries=64, show_spinner=False)
def _found(key: str, test: int) -> dict[str, Trial]:  # noqa: ARG001
    return {}


def factored(settings: Settings, name: str) -> Prepared:
    """The factor of one solver.

    Returns:
        The factor and its time.
    """
    return desk(settings, 0).prepared(name)


def trial(settings: Settings, name: str, test: int) -> Trial:
    """Ask one solver about one test point.

    Returns:
        What it made of it; a failure is a sentence, not an exception.
    """
    return desk(settings, test).ask(name)


def watch(settings: Settings, test: int) -> Watched:
    """The watched quantity at one test point.

    Returns:
        It, with its gradient.
    """
    batch = cached.problem(settings).test.take(slice(test, test + 1))
    found: Watched = cached.core().watch(cached.problem(settings).fitted, batch, settings.quantity, settings.target)
    return found


def cheapest(trials: list[Trial], tests: int, accurate: float = ACCURATE) -> Trial | None:
    """The solver that reaches this relative residual and needs least time to factor once and solve ``tests`` times.

    Returns:
        Its trial, or None where no solver is that accurate.
    """
    good = [one for one in trials if one.residual is not None and one.residual <= accurate and one.name != "identity"]
    return min(good, key=lambda one: cost(one, tests), default=None)


def cost(one: Trial, tests: int) -> float:
    """Seconds to factor once and solve for ``tests`` right-hand sides, one after the other.

    Returns:
        Seconds.
    """
    return one.factor_seconds + tests * one.solve_seconds


def advice(trials: list[Trial], tests: int, accurate: float = ACCURATE) -> str:
    """One honest sentence from the measured numbers.

    Args:
        trials: of all solvers.
        tests: how many test points there are.
        accurate: relative residual of a solve that is as good as exact: in single precision that is larger.

    Returns:
        Plain text.
    """
    one, many = cheapest(trials, 1, accurate), cheapest(trials, tests, accurate)
    goal = f"{accurate:.0e}".replace("e-0", "e-")
    if one is None or many is None:
        return f"No solver reaches a relative residual of {goal} here: raise the damping, or choose a larger l2."
    text = (
        f"For one test point the cheapest solver with a relative residual of at most {goal} is {one.title} "
        f"({seconds(cost(one, 1))}); "
    )
    again = "it is also" if many.name == one.name else f"{many.title} is"
    text += f"for all {tests:,} test points one after the other, factored once, "
    return text + f"{again} the cheapest ({seconds(cost(many, tests))})."


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
    chosen = replace(settings, solver=solver_settings(settings, "eigh"), estimator="influence")
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
    core, prepared = cached.core(), factored(settings, "eigh")
    if prepared.factor is None:
        return None
    kind = settings.solver.curvature
    chosen = SolverSettings("eigh", damping, curvature=kind)
    influence = core.Influence(prepared.influence.fitted, chosen, spectrum=prepared.factor)
    watched = watch(settings, test)
    try:
        return np.asarray(core.estimators.scores(influence, watched)[:, 0])
    except core.SingularError:
        return None
