"""One system, every solver: each factored and applied once, timed, and kept apart from what the other pages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from influence_core.settings import Settings, SolverSettings
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.keeping import kept

if TYPE_CHECKING:
    from influence_core.analysis import Problem, Recent, Task
    from influence_core.analysis.trials import DampingPath, Prepared, Trial
    from influence_core.influence.watched import Watched

REST = ("data", "model", "seed")
FACTORS = 12  # kept of one fit


def solver_settings(settings: Settings, name: str, damping: float | None = None) -> SolverSettings:
    """Solver ``name`` with the damping of the settings, and with their options where it is the chosen one."""
    options = settings.solver.options if settings.solver.name == name else ()
    delta = settings.solver.damping if damping is None else damping
    return SolverSettings(name, delta, options, settings.solver.curvature)


@dataclass(frozen=True, eq=False)
class Bench:
    """One system and one test point, with what the solvers made of them so far; threads of jobs may add to it.

    Attributes:
        problem: data and fit.
        settings: of the whole analysis.
        test: index of the test point.
        factors: of this fit, shared by all its benches, by solver settings.
        found: trials so far, by solver.
    """

    problem: Problem
    settings: Settings
    test: int
    factors: Recent[Prepared]
    found: dict[str, Trial]

    def ask(self, name: str, task: Task | None = None) -> Trial:
        """Factor where that has not been done, solve, note the answer; a failure is a sentence, not an exception."""
        if name not in self.found:
            prepared = self.prepared(name, task)
            batch = self.problem.test.take(slice(self.test, self.test + 1))
            watched = core.watch(self.problem.fitted, batch, self.settings.quantity, self.settings.target)
            self.found[name] = core.trials.trial(prepared, watched, task)
        return self.found[name]

    def ask_elsewhere(self, names: Sequence[str], task: Task) -> None:
        """The same of several solvers in another process, which keeps their factors for the next test point."""
        solvers = [solver_settings(self.settings, name) for name in names if name not in self.found]
        batch = self.problem.test.take(slice(self.test, self.test + 1))
        watched = self.settings.quantity, self.settings.target
        shown = replace(task, workers=core.local(), show=lambda one: self.found.update({one.name: one}))
        for one in core.compared(self.problem.fitted, solvers, batch, watched, shown):
            self.found[one.name] = one

    def prepared(self, name: str, task: Task | None = None) -> Prepared:
        """The factor of one solver, computed anew so that its time is its own."""
        chosen = solver_settings(self.settings, name)
        key = replace(self.settings, solver=chosen).key("solver")
        return self.factors.get(key, lambda: core.trials.prepare(self.problem.fitted, chosen, task))


def bench(settings: Settings, test: int) -> Bench:
    """The bench of one system and test point, the same for every session."""
    plain = replace(settings, estimator="influence")
    problem = cached.problem(settings)
    return Bench(problem, plain, test, _factors(settings.key(*REST)), _found(plain.key(), test))


@kept
def _factors(key: str) -> Recent[Prepared]:  # noqa: ARG001
    return core.Recent(FACTORS)


@st.cache_resource(max_entries=64, show_spinner=False)
def _found(key: str, test: int) -> dict[str, Trial]:  # noqa: ARG001
    return {}


def factored(settings: Settings, name: str) -> Prepared:
    """The factor of one solver, with its time."""
    return bench(settings, 0).prepared(name)


def trial(settings: Settings, name: str, test: int) -> Trial:
    """Ask one solver about one test point; a failure is a sentence, not an exception."""
    return bench(settings, test).ask(name)


def watch(settings: Settings, test: int) -> Watched:
    """The watched quantity at one test point."""
    batch = cached.problem(settings).test.take(slice(test, test + 1))
    return core.watch(cached.problem(settings).fitted, batch, settings.quantity, settings.target)


def damping_path(settings: Settings, test: int, dampings: tuple[float, ...], count: int = 10) -> DampingPath | None:
    """First-order scores at every damping, from one eigendecomposition; None where no damping gives a solution."""
    chosen = replace(settings, solver=solver_settings(settings, core.SPECTRAL), estimator="influence")
    return _path(chosen.key(), test, dampings, count, chosen)


@kept
def _path(key: str, test: int, dampings: tuple[float, ...], count: int, _settings: Settings) -> DampingPath | None:  # noqa: ARG001
    columns = [_scores_at(_settings, test, damping) for damping in dampings]
    n = len(cached.problem(_settings).fitted.train)
    table = np.stack([np.full(n, np.nan) if column is None else column for column in columns], axis=1)
    solved = np.flatnonzero(np.isfinite(table).all(axis=0))
    if not len(solved):
        return None
    nearest = solved[np.argmin(np.abs(np.asarray(dampings)[solved] - _settings.solver.damping))]
    rows = np.argsort(-np.abs(table[:, nearest]), kind="stable")[:count]
    return core.trials.DampingPath(np.asarray(dampings), rows, table[rows])


def _scores_at(settings: Settings, test: int, damping: float) -> NDArray[np.float64] | None:
    """Two products with the eigenvectors of H; None where H + δI is singular."""
    prepared = factored(settings, core.SPECTRAL)
    if prepared.spectrum is None:
        return None
    kind = settings.solver.curvature
    chosen = SolverSettings(core.SPECTRAL, damping, curvature=kind)
    influence = core.Influence(prepared.influence.fitted, chosen, spectrum=prepared.spectrum)
    watched = watch(settings, test)
    try:
        return np.asarray(core.estimators.scores(influence, watched)[:, 0])
    except core.SingularError:
        return None
