"""Data and the model fitted on them, and the refits that measure what happens without some of the examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.analysis.groups import GroupRefit, checked_group
from influence_core.analysis.networks import (
    DRAW,
    LEFT_OUT,
    SEEDS,
    Draw,
    Halves,
    collected,
    leave_out,
    on_halves,
    refit_without,
    run_cost,
)
from influence_core.compute import FloatArray, Task, numpy, once, result_store
from influence_core.curvature import exact_hessian
from influence_core.data import Split, load
from influence_core.data.corrections import Corrections, corrected
from influence_core.data.neighbours import copies, remoteness
from influence_core.data.positions import Positions, positions
from influence_core.models import Batch, FittedModel, fit, training_cost
from influence_core.models.losses import Squared
from influence_core.retraining import LeaveOneOut, Question, Refits, Repeated
from influence_core.settings import Settings
from influence_core.solvers import EighFactor, eigh

DEFAULT_MODELS, HALF = 5, 0.5
INSTANT = 2e10  # floating-point operations of a LOO run that is shown without being asked, about 0.3 s on two cores


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and the model fitted on them: what does not depend on solver, estimator, quantity or test point.

    Attributes:
        settings: of the whole analysis; only data, model and seed matter here.
        device: where the model lives.
        corrections: what people decided about training labels, or None.
        given: names data and model that settings do not name; empty for those that they do.
    """

    settings: Settings
    device: str = "auto"
    corrections: Corrections | None = None
    given: str = ""

    @staticmethod
    def of(settings: Settings, split: Split, fitted: FittedModel, key: str) -> Problem:
        """A problem whose data and fitted model are at hand, not named by settings.

        Returns:
            The problem; ``key`` names data and model in the store.
        """
        problem = Problem(settings, fitted.theta.device.type, given=key)
        problem.__dict__.update(split=split, fitted=fitted)
        return problem

    @once
    def split(self) -> Split:
        """Train and test, flipped labels included, what people decided about training labels applied."""
        found = load(self.settings.data, self.settings.seed)
        return found if self.corrections is None else corrected(found, self.corrections)

    @once
    def fitted(self) -> FittedModel:
        """The model at θ̂; where training points were excluded, the total penalty n·l2 stays what it was."""
        model, chosen = self.settings.model, self.corrections
        if chosen is not None and chosen.excluded.any() and not model.fold_penalty:
            left = len(self.split.train)
            model = replace(model, l2=model.l2 * (left + int(chosen.excluded.sum())) / left)
        return fit(model, self.split, self.settings.seed, self.device, self._task)

    @once
    def _task(self) -> Task:
        return Task()

    def fit(self, task: Task) -> FittedModel:
        """Fit now, as a job that can be cancelled.

        Returns:
            The fitted model.
        """
        self.__dict__["_task"] = task
        try:
            return self.fitted
        finally:
            self.__dict__.pop("_task", None)

    @property
    def fit_cost(self) -> float:
        """Training a network that is neither here nor on disk, in floating-point operations; 0 for other models."""
        if "fitted" in self.__dict__:
            return 0.0
        return training_cost(self.settings.model, self.split, self.settings.seed, self.device)

    def key(self, *parts: str) -> str:
        """Content hash of the named parts of the settings, and of the corrections where there are some.

        Returns:
            A text that names stored results.
        """
        extra = "" if self.corrections is None else f":{self.corrections.fingerprint}"
        return self.settings.key(*parts) + extra + self.given

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
    def copies(self) -> NDArray[np.int64]:
        """(n,) numbers; training points with the same number have exactly the same features."""
        return copies(self.split.train.x)

    @once
    def remoteness(self) -> FloatArray:
        """(m,) distance of every test point to the nearest training point, in units of what is far for one of those."""
        return remoteness(self.split.train.x, self.split.test.x)

    @once
    def predictions(self) -> FloatArray:
        """(m, c) class probabilities, or (m, 1) outputs where the model has none."""
        f = self.fitted.model.outputs(self.fitted.theta, self.test.x)
        probability = self.fitted.model.loss.probabilities(f)
        return numpy(f if probability is None else probability)

    def outputs_at(self, x: FloatArray, theta: FloatArray | None = None) -> tuple[FloatArray, FloatArray | None]:
        """What the model says at new points (k, d), in the units of the source, at θ̂ or at another ``theta`` (p,).

        Returns:
            Outputs f (k, K), and class probabilities (k, c) where the model has them.
        """
        model, scaled = self.fitted.model, torch.as_tensor(self.split.scaling.apply(x))
        at = self.fitted.theta.cpu() if theta is None else torch.tensor(theta, dtype=self.fitted.theta.dtype)
        f = model.outputs(at, model.features(scaled))
        probability = model.loss.probabilities(f)
        return numpy(f), None if probability is None else numpy(probability)

    @once
    def misclassified(self) -> FloatArray:
        """(m,) bool; all False for regression."""
        return self._wrong(self.fitted.theta)

    def _wrong(self, theta: Tensor) -> FloatArray:
        margins = self.fitted.model.loss.margins(self.fitted.model.outputs(theta, self.test.x), self.test.y)
        wrong = torch.zeros(len(self.test.y), dtype=torch.bool) if margins is None else (margins <= 0).cpu()
        return np.asarray(wrong.numpy())

    def accuracy(self, theta: Tensor) -> float | None:
        """Share of test points classified right at any θ.

        Returns:
            A share; None for regression.
        """
        return 1 - float(self._wrong(theta).mean()) if self.split.test.classes else None

    @property
    def refit_cost(self) -> float:
        """A full LOO run in floating-point operations, roughly: two passes of two products per refit.

        Exponentials and the like cost about as much as 4,000 operations of a product for every output (measured).
        """
        n, p, outputs = len(self.fitted.train), self.fitted.size, self.fitted.model.loss.outputs
        if self.fitted.network:
            return (min(n, LEFT_OUT) + SEEDS) * run_cost(self.fitted)
        per_refit = 2.0 * p * p if isinstance(self.fitted.model.loss, Squared) else n * (8.0 * p + 4_000.0 * outputs)
        return n * per_refit + 4.0 * p**3 / 3

    @property
    def refits_are_instant(self) -> bool:
        """Whether exact LOO is cheap enough to be shown without being asked; far from the minimum it never is."""
        return self.refit_cost <= INSTANT and self.fitted.fit.converged and not self.fitted.network

    def loo(self, quantity: str = "loss", target: int = -1, task: Task | None = None) -> Refits:
        """Exact LOO for every training point and all test points; with a store, blocks are kept and resumed.

        Returns:
            (n, m) measured changes with certificates; for a network those of a sample, with the noise of refitting.
        """
        if self.fitted.network:
            return leave_out(
                self.fitted, self._question(quantity, target), self.settings.seed, task or Task(), self._run_key
            )
        return self._refits(quantity, target, task or Task()).run(self._question(quantity, target))

    def stored_loo(self, quantity: str = "loss", target: int = -1, partial: bool = False) -> Refits | None:
        """A LOO run that an earlier session finished and stored.

        Args:
            quantity: watched.
            target: its class.
            partial: also what a run of a network that goes on, or was stopped, has finished so far.

        Returns:
            The refits, or None.
        """
        if not self.fitted.network:
            return self._refits(quantity, target, Task(store=result_store())).stored(self._question(quantity, target))
        found = self.loo(quantity, target, _looking())
        return found if found.certified.sum() >= (1 if partial else min(len(self.fitted.train), LEFT_OUT)) else None

    def group_refit(
        self, rows: Iterable[int], quantity: str = "loss", target: int = -1, task: Task | None = None
    ) -> GroupRefit:
        """Refit without a group of training points; with a store, the refit is kept and found again.

        Returns:
            Measured changes at all test points, and the new θ; a group that is empty or leaves too little is a
            ``DataError``.
        """
        group = checked_group(rows, self.split.train)
        found = refit_without(self.fitted, self._question(quantity, target), group, task or Task(), self._run_key)
        theta = torch.as_tensor(np.asarray(found.parameters)[0]).to(self.fitted.theta)
        before, after = self.accuracy(self.fitted.theta), self.accuracy(theta)
        return GroupRefit(group, found.change[0], numpy(theta), bool(found.certified[0]), before, after)

    def halves(self, quantity: str = "loss", target: int = -1, task: Task | None = None, draw: Draw = DRAW) -> Halves:
        """Train on random halves, for the linear datamodelling score; with a store, finished blocks are kept.

        Returns:
            Members and values.
        """
        question, seed = self._question(quantity, target), self.settings.seed
        return on_halves(self.fitted, question, draw, seed, self._run_key)(task or Task())

    def stored_halves(self, quantity: str = "loss", target: int = -1, partial: bool = False) -> Halves | None:
        """The halves that an earlier session trained on and stored, or those of them that are ready by now.

        Returns:
            Members and values, or None.
        """
        found = self.halves(quantity, target, _looking())
        return found if len(found.members) >= (1 if partial else DRAW.subsets) else None

    def members(self, task: Task | None = None) -> tuple[FittedModel, ...]:
        """Networks of other seeds, each on its own random half (Park et al. 2023), for projection scores.

        Returns:
            Fitted models; with a store they are kept.
        """
        found = self.__dict__.get("_members")
        if found is None:  # another thread may train them too, and finds them in the store
            repeated = Repeated(self.fitted, task or Task(store=result_store()), self._run_key)
            found = tuple(replace(self.fitted, fit=fit) for fit in repeated.members(self.other_seeds, HALF))
            self.__dict__["_members"] = found
        return found

    @property
    def other_seeds(self) -> int:
        """Networks that projection scores average over, less the one at θ̂."""
        return int(dict(self.settings.model.options).get("models", DEFAULT_MODELS)) - 1

    @property
    def members_are_ready(self) -> bool:
        """Whether these networks are trained, here or on disk; every other model has them always."""
        return not self.fitted.network or bool(collected([lambda: self.members(_looking())]))

    @property
    def _run_key(self) -> str:
        """Names the training run of a network, whatever the number of networks for projection scores."""
        model = self.settings.model
        own = replace(model, options=tuple(pair for pair in model.options if pair[0] != "models"))
        return replace(self, settings=replace(self.settings, model=own)).key("data", "model", "seed")

    def _question(self, quantity: str, target: int) -> Question:
        return Question(self.test, quantity, target)

    def _refits(self, quantity: str, target: int, task: Task) -> LeaveOneOut:
        asked = replace(self, settings=replace(self.settings, quantity=quantity, target=target))
        key = asked.key("data", "model", "quantity", "target", "seed")
        return LeaveOneOut(self.fitted, task, key)


def _looking() -> Task:
    """A task that finds what is stored and computes nothing."""
    return Task(store=result_store(finished=True))
