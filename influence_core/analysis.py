"""Settings -> Analysis: the whole path, lazily, each step once.  README, tests, caches and pages call this.

Settings -> data -> Split -> model.fit -> FittedModel -> Curvature -> solver -> scores (n, m)
                                 └-> retraining (LOO): the truth -> agreement, trust
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from influence_core import effects, estimators
from influence_core.agreement import Agreement, agreement
from influence_core.compute import Cancelled, FloatArray, Task, data_folder, numpy, once
from influence_core.compute import ResultStore as Store
from influence_core.curvature import exact_hessian
from influence_core.data import DATASETS, DataError, Split, load
from influence_core.data.positions import Positions, positions
from influence_core.estimators import ESTIMATORS
from influence_core.influence import Influence, Watched, watch
from influence_core.models import (
    MODELS,
    QUANTITIES,
    Batch,
    FittedModel,
    NoMinimumError,
    Quantity,
    QuantityError,
    applicable_models,
    fit,
)
from influence_core.models.losses import Squared
from influence_core.retraining import LeaveOneOut, Question, Refits, SingularRefitError
from influence_core.settings import Settings, SettingsError
from influence_core.solvers import SOLVERS, EighFactor, SingularError, applicable_solvers, chosen_solver, eigh
from influence_core.trust import Trust, check_leverage, trust

__all__ = [
    "DATASETS",
    "ESTIMATORS",
    "EXPECTED_ERRORS",
    "MODELS",
    "QUANTITIES",
    "SENTENCE",
    "SOLVERS",
    "Analysis",
    "Cancelled",
    "Influence",
    "SingularError",
    "SingularRefitError",
    "agreement",
    "estimators",
    "watch",
    "Problem",
    "Refits",
    "Settings",
    "Task",
    "Trust",
    "analyse",
    "applicable_models",
    "applicable_solvers",
    "chosen_solver",
    "load",
    "result_store",
]

EXPECTED_ERRORS = (SettingsError, DataError, NoMinimumError, SingularError, SingularRefitError, QuantityError)
SENTENCE = (
    "change = test loss without the training point minus test loss with it. "
    "> 0: removing it hurts the prediction, so it is helpful. < 0: it is harmful."
)
INSTANT = 2e10  # floating-point operations of a LOO run that is shown without being asked, about 0.3 s on two cores


def result_store() -> Store:
    """Finished blocks of long jobs, in the data folder of this user.

    Returns:
        The store, size-bounded.
    """
    return Store(data_folder() / "results")


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and the model fitted on them: what does not depend on solver, estimator, quantity or test point."""

    settings: Settings
    device: str = "auto"

    @once
    def split(self) -> Split:
        """Train and test, flipped labels included."""
        return load(self.settings.data, self.settings.seed)

    @once
    def fitted(self) -> FittedModel:
        """The model at θ̂."""
        return fit(self.settings.model, self.split, self.settings.seed, self.device)

    @once
    def test(self) -> Batch:
        """All m test points on the device of the model."""
        return self.fitted.batch(self.split.test)

    @once
    def spectrum(self) -> EighFactor:
        """H = QΛQᵀ, factored once for every damping."""
        return eigh(exact_hessian(self.fitted))

    @once
    def positions(self) -> Positions:
        """Where points are drawn: two features as they are, one feature against the target, else two principal axes."""
        return positions(self.split)

    @once
    def predictions(self) -> FloatArray:
        """(m, c) class probabilities, or (m, 1) outputs where the model has none."""
        f = self.fitted.model.outputs(self.fitted.theta, self.test.x)
        probability = self.fitted.model.loss.probabilities(f)
        return numpy(f if probability is None else probability)

    def outputs_at(self, x: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """What the model says at new points (k, d), in the units of the source.

        Returns:
            Outputs f (k, K), and class probabilities (k, c) where the model has them.
        """
        model, scaled = self.fitted.model, torch.as_tensor(self.split.scaling.apply(x))
        f = model.outputs(self.fitted.theta.cpu(), model.with_intercept(scaled))
        probability = model.loss.probabilities(f)
        return numpy(f), None if probability is None else numpy(probability)

    @once
    def misclassified(self) -> FloatArray:
        """(m,) bool; all False for regression."""
        f = self.fitted.model.outputs(self.fitted.theta, self.test.x)
        margins = self.fitted.model.loss.margins(f, self.test.y)
        wrong = torch.zeros(len(self.test.y), dtype=torch.bool) if margins is None else (margins <= 0).cpu()
        return np.asarray(wrong.numpy())

    @property
    def refit_cost(self) -> float:
        """A full LOO run in floating-point operations, roughly: two passes of two products per refit.

        Exponentials and the like cost about as much as 4,000 operations of a product for every output (measured).
        """
        n, p, outputs = len(self.fitted.train), self.fitted.size, self.fitted.model.loss.outputs
        per_refit = 2.0 * p * p if isinstance(self.fitted.model.loss, Squared) else n * (8.0 * p + 4_000.0 * outputs)
        return n * per_refit + 4.0 * p**3 / 3

    @property
    def refits_are_instant(self) -> bool:
        """Whether exact LOO is cheap enough to be shown without being asked; far from the minimum it never is."""
        return self.refit_cost <= INSTANT and self.fitted.fit.converged

    def loo(self, quantity: str = "loss", target: int = -1, task: Task | None = None) -> Refits:
        """Exact LOO for every training point and all test points; with a store, blocks are kept and resumed.

        Returns:
            (n, m) measured changes with certificates.
        """
        return self._refits(quantity, target, task or Task()).run(self._question(quantity, target))

    def stored_loo(self, quantity: str = "loss", target: int = -1) -> Refits | None:
        """A LOO run that an earlier session finished and stored.

        Returns:
            The refits, or None.
        """
        return self._refits(quantity, target, Task(store=result_store())).stored(self._question(quantity, target))

    def _question(self, quantity: str, target: int) -> Question:
        return Question(self.test, quantity, target)

    def _refits(self, quantity: str, target: int, task: Task) -> LeaveOneOut:
        key = replace(self.settings, quantity=quantity, target=target).key(
            "data", "model", "quantity", "target", "seed"
        )
        return LeaveOneOut(self.fitted, task, key)


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


def analyse(settings: Settings, device: str = "auto") -> Analysis:
    """The analysis that the settings describe; nothing is computed before it is asked for.

    Returns:
        A lazy analysis.
    """
    return Analysis(settings, Problem(settings, device))
