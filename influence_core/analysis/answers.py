"""Predicted changes of one problem by the chosen solver, estimator and quantity, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from influence_core.agreement import Agreement, agreement
from influence_core.analysis.ground import Ground
from influence_core.analysis.groups import GroupEffect, checked_group, group_effect
from influence_core.analysis.problem import Problem
from influence_core.analysis.trust import Trust, trust
from influence_core.analysis.truth import Truth, Way
from influence_core.analysis.witnesses import Click
from influence_core.compute import FloatArray, Recent, RowsLike, Task, numpy, once
from influence_core.compute.sparse import rows_of
from influence_core.data import DataError
from influence_core.influence import effects, estimators
from influence_core.influence.estimators import ESTIMATORS, Estimator
from influence_core.influence.second_step import Forecast
from influence_core.influence.watched import Influence, Watched, watch
from influence_core.models import QUANTITIES, Quantity
from influence_core.retraining import Refits
from influence_core.settings import Settings
from influence_core.solvers import (
    AUTOMATIC,
    SOLVERS,
    SPECTRAL,
    SPECTRUM_IS_CHEAP,
    SingularError,
    Solution,
    chosen_solver,
    solver_entry,
)

KEPT = 8  # clicks of several sessions on one analysis, between scores and trust


@dataclass(frozen=True, eq=False)
class Asked:
    """Scores (n, 1) at one test point or for a mean, what they watch, and the solve behind them."""

    watched: Watched
    scores: FloatArray
    solution: Solution


@dataclass(frozen=True, eq=False)
class Analysis:
    """Predicted changes for one problem, with the chosen solver, estimator and quantity."""

    settings: Settings
    problem: Problem
    task: Task = field(default_factory=Task)

    @property
    def quantity(self) -> Quantity:
        """What is watched."""
        return QUANTITIES[self.settings.quantity]

    @property
    def unit(self) -> str:
        """Of the watched quantity."""
        return self.quantity.unit_of(self.problem.fitted.model.loss)

    @once
    def influence(self) -> Influence:
        """θ̂ with its factored curvature."""
        entry, kept = solver_entry(self.solver), self.task if self.task.store else None
        reuse = self.problem.spectrum_up_to(entry.limit) if entry.spectral else None
        members = partial(self.problem.members, kept)
        return Influence(self.problem.fitted, self.settings.solver, self.task, reuse, members, self.problem.run_key)

    @property
    def solver(self) -> str:
        """The solver in use, ``auto`` resolved."""
        fitted = self.problem.fitted
        return chosen_solver(self.settings.solver.name, fitted.size, fitted.kind.products_only, fitted.wide)

    @property
    def estimator(self) -> Estimator:
        """The estimator in use."""
        return ESTIMATORS[self.settings.estimator]

    @property
    def _idle(self) -> bool:
        """Whether a solve would cost seconds and no score use it."""
        return self.problem.fitted.kind.products_only and not self.estimator.curvature

    def watched(self, test: RowsLike | None = None, mean: bool = False) -> Watched:
        """The quantity at some test points (default: all), or its mean over them.

        Raises:
            DataError: no test point.
        """
        if test is not None and not len(test):
            raise DataError("Expected at least one test point, got none: choose one.")
        rows = torch.arange(len(self.problem.test)) if test is None else torch.as_tensor(list(test))
        batch = self.problem.test.take(rows)
        combine = batch.x.new_full((len(rows), 1), 1 / len(rows)) if mean else None
        return watch(self.problem.fitted, batch, self.settings.quantity, self.settings.target, combine)

    def value(self, test: int) -> float:
        """The watched quantity at one test point, at θ̂."""
        watched = self.asked((test,)).watched
        loss = self.problem.fitted.model.loss
        return float(watched.quantity.values(loss, watched.outputs, watched.batch.y, watched.target)[0])

    def scores(self, test: RowsLike | None = None, mean: bool = False) -> FloatArray:
        """Predicted change[i, j], new minus old, by the chosen estimator.

        The answers for the last few single test points and means are kept, so that scores, agreement and trust of one
        click share a solve.

        Returns:
            (n, m), or (n, 1) for the mean; read-only.
        """
        if test is None or (len(test) != 1 and not mean):
            return estimators.scores(self.influence, self.watched(test, mean), self.settings.estimator)
        return self.asked(test).scores

    def solved(self, test: RowsLike) -> torch.Tensor:
        """(H + δI)⁻¹q of one test point, or of the mean over several, (p, 1); shared with the scores."""
        return self.influence.solved(self.asked(test).watched).value

    def asked(self, test: RowsLike, task: Task | None = None) -> Asked:
        """Scores and solution at one test point, or for the mean over several; ``task``: see ``Influence.solved``."""
        rows = tuple(int(row) for row in test)
        return self._recent.get(rows, lambda: self._answer(rows, task))

    def _answer(self, rows: tuple[int, ...], task: Task | None) -> Asked:
        watched = self.watched(rows, mean=len(rows) != 1)
        q = watched.gradient
        solution = Solution(q, q.new_zeros(q.shape[1]), 0, True) if self._idle else self.influence.solved(watched, task)
        scores = estimators.scores(self.influence, watched, self.settings.estimator)
        scores.setflags(write=False)
        return Asked(watched, scores, solution)

    @once
    def _recent(self) -> Recent[Asked]:
        return Recent(KEPT)

    @once
    def all_scores(self) -> FloatArray:
        """(n, m) scores at every test point, for a colour scale that stays."""
        return self.scores()

    @once
    def worth(self) -> FloatArray:
        """(n,) mean change over all test points: what each training point is worth to the whole test set."""
        return self.scores(range(len(self.problem.test)), mean=True)[:, 0]

    @once
    def self_influence(self) -> FloatArray:
        """(n,) predicted loss_change of every training point on itself."""
        return self.estimator.own(self.influence)

    @once
    def leverage(self) -> FloatArray:
        """(n,) leverage of every training point."""
        return numpy(self.influence.leverage)

    def perturbation(self, test: int | RowsLike, row: int) -> FloatArray:
        """Predicted change when one feature of training point ``row`` grows by one unit of the scaled features.

        Returns:
            (d,), at one test point or of the mean over several.
        """
        watched = self.watched(_rows(test), mean=True)
        return effects.perturbation_change(self.influence, watched, np.array([row]))[0, :, 0]

    @once
    def everywhere(self) -> Watched:
        """The quantity at all test points, with its gradients (p, m)."""
        return self.watched()

    def removal(self, train: int) -> FloatArray:
        """Predicted change at every test point when one training point leaves, by the chosen estimator.

        Returns:
            (m,), a row of ``all_scores``.

        Raises:
            DataError: there is no such training point.
        """
        n = len(self.problem.fitted.train)
        if not 0 <= train < n:
            raise DataError(f"Training point: expected a row from 0 to {n - 1}, got {train}.")
        return estimators.removal_change(self.influence, self.everywhere, train, self.settings.estimator)

    def group(self, rows: Iterable[int]) -> GroupEffect:
        """Predicted changes at all test points when a group of training points leaves at once.

        Returns:
            First order and one-step Newton; a group that is empty or leaves too little is a ``DataError``.
        """
        return group_effect(self.influence, self.everywhere, checked_group(rows, self.problem.split.train))

    def agreement(self, refits: Refits, test: int | RowsLike) -> Agreement:
        """Measured against predicted changes at one test point, or of the mean over several."""
        rows = _rows(test)
        measured = refits.change[:, list(rows)]
        return self._agreed.get((refits, rows), lambda: agreement(measured.mean(1), self.scores(rows, mean=True)[:, 0]))

    @once
    def _agreed(self) -> Recent[Agreement]:
        return Recent(KEPT)

    def trust(self, test: int | RowsLike, refits: Refits | None = None, truth: Truth | None = None) -> Trust:
        """What the scores at one test point, or for the mean over several, rest on; ``truth``: of the refits."""
        rows, way = _rows(test), (truth or self.problem.truth).way
        return self._trusted.get((refits, rows, way.name), lambda: self._trust(rows, refits, way))

    def _trust(self, rows: tuple[int, ...], refits: Refits | None, way: Way) -> Trust:
        asked, problem = self.asked(rows), self.problem
        click = Click(
            asked.scores[:, 0],
            asked.solution,
            problem.remoteness(list(rows)),
            asked.watched,
            rows_of(problem.split.test.x, list(rows)),
            plain=self.settings.estimator == "newton" and not self.influence.curvature.damping,
            measured=None if refits is None else refits.change[:, list(rows)].mean(1),
            truth=way.name,
        )
        agreed = None if refits is None else self.agreement(refits, rows)
        own = self.estimator.unrolls and way.seeds == 1  # this very run has no noise
        return trust(self.ground, click, agreed, judged=own or not way.noisy)

    @once
    def _trusted(self) -> Recent[Trust]:
        return Recent(KEPT)

    @once
    def ground(self) -> Ground:
        """What the scores at every test point stand on."""
        entry = self.estimator
        return Ground(
            self.problem.fitted,
            self.influence.curvature.damping,
            self._eigenvalues,
            self._exact_leverage,
            self.problem.copies,
            entry,
            solver_entry(self.solver).kind != "baseline",
            self.influence.curvature.reason if entry.curvature else "",
            self._forecast,
            self.problem.crowd,
            self.problem.in_sample,
            self.problem.smoothness() if entry.unrolls else None,
        )

    @property
    def _forecast(self) -> Forecast | None:
        """Of the factor at hand, where that is direct and undamped; else one of the problem's own."""
        fitted, entry = self.problem.fitted, solver_entry(self.solver)
        if fitted.kind.closed_form and entry.dense and not self.influence.curvature.damping:
            here = self.settings.estimator == "newton" or fitted.size <= SOLVERS[SPECTRAL].limit
            try:
                return Forecast(self.influence) if here and len(self.influence.newton_residuals) else None
            except SingularError:
                return None
        return self.problem.forecast

    @property
    def _eigenvalues(self) -> FloatArray | None:
        """Of H without the damping, where they cost little or the solver has them."""
        if (cheap := self.problem.spectrum_up_to(SPECTRUM_IS_CHEAP)) is not None:
            return numpy(cheap.eigenvalues)
        values = None if self._idle else self.influence.solve.eigenvalues
        return None if values is None else numpy(values)

    @property
    def _exact_leverage(self) -> FloatArray | None:
        """(n,) by a direct solver, whatever solves for the scores; None where that is too large or singular."""
        fitted = self.problem.fitted
        if not fitted.kind.closed_form or fitted.size > SOLVERS[SPECTRAL].limit:
            return None
        if solver_entry(self.solver).dense:
            return self.leverage
        settings = replace(self.settings.solver, name=AUTOMATIC, options=())
        try:
            spectrum = self.problem.spectrum_up_to(SPECTRUM_IS_CHEAP)
            return numpy(Influence(fitted, settings, self.task, spectrum).leverage)
        except SingularError:
            return None


def analyse(settings: Settings, device: str = "auto") -> Analysis:
    """The analysis that the settings describe; nothing is computed before it is asked for."""
    return Analysis(settings, Problem(settings, device))


def _rows(test: int | RowsLike) -> tuple[int, ...]:
    return (int(test),) if isinstance(test, int | np.integer) else tuple(int(row) for row in test)
