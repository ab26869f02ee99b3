"""Predicted changes of one problem by the chosen solver, estimator and quantity, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from influence_core import effects, estimators
from influence_core.agreement import Agreement, agreement
from influence_core.analysis.problem import Problem
from influence_core.compute import FloatArray, Task, numpy, once
from influence_core.influence import Influence, Watched, watch
from influence_core.models import QUANTITIES, Quantity
from influence_core.retraining import Refits
from influence_core.settings import Settings
from influence_core.solvers import SOLVERS, chosen_solver
from influence_core.trust import Trust, check_leverage, trust


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

    @once
    def influence(self) -> Influence:
        """θ̂ with its factored curvature."""
        reuse = self.problem.spectrum if self.solver == "eigh" and self._dense_offered else None
        return Influence(self.problem.fitted, self.settings.solver, self.task, reuse)

    @property
    def solver(self) -> str:
        """The solver in use, ``auto`` resolved."""
        return chosen_solver(self.settings.solver.name, self.problem.fitted.size)

    @property
    def _dense_offered(self) -> bool:
        return self.problem.fitted.size <= SOLVERS["eigh"].limit

    def watched(self, test: Sequence[int] | None = None, mean: bool = False) -> Watched:
        """The quantity at some test points (default: all), or its mean over them.

        Returns:
            The watched quantity.
        """
        rows = torch.arange(len(self.problem.test)) if test is None else torch.as_tensor(list(test))
        batch = self.problem.test.take(rows)
        combine = batch.x.new_full((len(rows), 1), 1 / len(rows)) if mean else None
        return watch(self.problem.fitted, batch, self.settings.quantity, self.settings.target, combine)

    def scores(self, test: Sequence[int] | None = None, mean: bool = False) -> FloatArray:
        """Predicted change[i, j], new minus old, by the chosen estimator.

        Returns:
            (n, m), or (n, 1) for the mean.
        """
        return estimators.scores(self.influence, self.watched(test, mean), self.settings.estimator)

    @once
    def all_scores(self) -> FloatArray:
        """(n, m) scores at every test point, for a colour scale that stays."""
        return self.scores()

    @once
    def self_influence(self) -> FloatArray:
        """(n,) predicted loss_change of every training point on itself."""
        return estimators.self_influence(self.influence, self.settings.estimator == "newton")

    @once
    def leverage(self) -> FloatArray:
        """(n,) leverage of every training point."""
        return numpy(self.influence.leverage)

    def perturbation(self, test: int, row: int) -> FloatArray:
        """Predicted change when one feature of training point ``row`` grows by one unit of the scaled features.

        Returns:
            (d,).
        """
        return effects.perturbation_change(self.influence, self.watched([test]), np.array([row]))[0, :, 0]

    def agreement(self, refits: Refits, test: int) -> Agreement:
        """Measured against predicted changes at one test point.

        Returns:
            The agreement.
        """
        return agreement(refits.change[:, test], self.scores([test])[:, 0])

    def trust(self, test: int, refits: Refits | None = None) -> Trust:
        """What the scores at one test point rest on.

        Returns:
            The trust line.
        """
        solution = self.influence.solve(self.watched([test]).gradient)
        eigenvalues = self.influence.solve.eigenvalues
        agreed = None if refits is None else self.agreement(refits, test)
        found = trust(
            self.problem.fitted,
            solution,
            self.settings.solver.damping,
            None if eigenvalues is None else numpy(eigenvalues),
            agreed,
        )
        if self.settings.estimator != "influence" or self.settings.solver.name == "identity":
            return found
        strong = check_leverage(self.leverage, self.scores([test])[:, 0]) if self._dense_offered else ()
        return replace(found, warnings=found.warnings + strong)
