"""A fitted estimator or pipeline of scikit-learn as a model here: its coefficients, its penalty, nothing refitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from influence_core.analysis import Analysis, Problem
from influence_core.analysis.problem import Given
from influence_core.compute import choose_device, fingerprint
from influence_core.data import Dataset
from influence_core.models import Batch, Fit, FittedModel, LinearModel, Optimiser, Program
from influence_core.models.apart import GIVEN, train_now
from influence_core.models.fitting import goal_of, newton
from influence_core.models.scikit import PERCEPTRONS, SMOOTHING, Steps, perceptron, predictor
from influence_core.settings import ModelSettings, Option, SettingsError, Value
from influence_core.wrapping.arrays import WRAPPED, as_array, settings_of, split_of


@dataclass(frozen=True, eq=False)
class WrappedEstimator:
    """A fitted estimator; :func:`influence_core.wrap` makes it.

    Attributes:
        steps: the estimator, and what comes before it.
        fit: ``given``, ``newton``, or ``sgd`` and ``adamw`` of perceptrons.
        options: ``t`` of a smoothed hinge; of training perceptrons on.
        notes: what was understood, sentences for people.
    """

    steps: Steps
    fit: str
    options: dict[str, Value]
    notes: tuple[str, ...]

    def analyse(self, x: Any, y: ArrayLike, x_test: Any, y_test: ArrayLike, **settings: Any) -> Analysis:
        """Ask about the test examples; the training examples are those that it was fitted on, as given to ``fit``.

        Args:
            x: (n, ...) whatever the estimator or pipeline takes.
            y: (n,).
            x_test: (m, ...).
            y_test: (m,).
            settings: ``solver``, ``damping``, ``curvature``, ``estimator``, ``quantity``, ``target`` or ``seed``.

        Returns:
            The analysis; scores are about the estimator's own inputs, that is, behind the transformers of a pipeline.
        """
        split = split_of(self.dataset(x, y), self.dataset(x_test, y_test))
        train, device = split.train, choose_device()
        fitted = (
            self._network(train, device, settings) if self.steps.name in PERCEPTRONS else self._linear(train, device)
        )
        key = fingerprint(split.fingerprint, fitted.theta.cpu().numpy(), repr(fitted.model), self.fit)
        chosen = settings_of(ModelSettings(WRAPPED, fitted.model.l2, fit=self.fit), settings)
        return Analysis(chosen, Problem(chosen, device.type, given=Given(split, fitted, key)))

    def _linear(self, train: Dataset, device: torch.device) -> FittedModel:
        t = float(Option("t", SMOOTHING, "t of the smoothed hinge", 1e-3, 10.0).parse(self.options.get("t", SMOOTHING)))
        model, theta = predictor(self.steps.estimator, self.steps.name, train, t)
        batch, notes = model.batch(train, device), (*self.notes, *model.notes)
        theta = theta.to(device)
        found = given(model, batch, theta)
        if self.fit != GIVEN:
            before, found = found, newton(model, batch)
            moved = float((model.outputs(found.theta - theta, batch.x).square().mean()).sqrt())
            notes = (
                *notes,
                f"Newton's method went on from ‖∇J‖ = {before.gradient_norm:.1e}, which moved outputs by {moved:.1e} "
                "(root mean square).",
            )
        return FittedModel(replace(model, notes=notes), batch, found)

    def _network(self, train: Dataset, device: torch.device, settings: dict[str, Any]) -> FittedModel:
        made = perceptron(self.steps.estimator, train)
        network = replace(made, notes=(*self.notes, *made.notes))
        optimiser = Optimiser.of(self.fit, self.options)
        program = Program(network, network.batch(train, device), optimiser, int(settings.get("seed", 0)))
        found = train_now(program, network.batch(train.take(np.arange(0)), device))
        return FittedModel(network, program.batch, found, None if self.fit == GIVEN else program)

    def dataset(self, x: Any, y: ArrayLike) -> Dataset:
        """Examples as the estimator itself reads them, classes in its order.

        Raises:
            SettingsError: examples or labels that it does not take.
        """
        inputs, targets = self.steps.inputs(x), as_array(y)
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        if targets.shape != (len(inputs),):
            raise SettingsError(f"Expected y of shape ({len(inputs)},), one for each example, got {targets.shape}.")
        classes = self.steps.classes
        found = self._numbers(targets) if classes is None else _indices(targets, classes)
        ids = np.array([f"row-{row}" for row in range(len(inputs))], dtype=np.str_)
        return Dataset(inputs, found, ids, self.steps.names(x), tuple(str(label) for label in classes or ()))

    def _numbers(self, y: NDArray[Any]) -> NDArray[np.float64]:
        try:
            values = np.asarray(self.steps.targets(y.astype(np.float64)), dtype=np.float64)
        except (TypeError, ValueError):
            raise SettingsError(f"Expected y of numbers for {self.steps.name}, got {y.dtype}.") from None
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise SettingsError(f"Expected finite targets, got {values[row]} in row {row}.")
        return values


def given(model: LinearModel, batch: Batch, theta: Tensor) -> Fit:
    """Parameters from elsewhere, with how far they are from the minimum."""
    return Fit(theta, GIVEN, float(model.objective(theta, batch)[1].norm()), goal_of(model, batch), ())


def _indices(y: NDArray[Any], classes: list[Any]) -> NDArray[np.int64]:
    places = {label: k for k, label in enumerate(classes)}
    found = np.array([places.get(label, -1) for label in y.tolist()], dtype=np.int64)
    if (found < 0).any():
        row = int(np.flatnonzero(found < 0)[0])
        told = ", ".join(map(str, classes[:8])) + ", …" * (len(classes) > 8)
        raise SettingsError(f"Expected labels that the estimator was fitted on ({told}), got {y[row]} in row {row}.")
    return found
