"""Bring your own: a ``torch.nn.Module`` with a loss, or a function ``loss(theta, x, y)``, through the whole path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from influence_core.analysis import Analysis, Problem
from influence_core.analysis.problem import Given
from influence_core.compute import choose_device, fingerprint
from influence_core.data import Dataset
from influence_core.models import FittedModel, ModelEntry, Network, Optimiser, Program
from influence_core.models.apart import GIVEN, train_now
from influence_core.models.arranged import NamedTensor, side_by_side
from influence_core.models.criteria import Criterion
from influence_core.models.kinds import NETWORK
from influence_core.models.normalised import BY_BATCH, STORED, batch_norms
from influence_core.models.probing import readable
from influence_core.models.stacked import drops
from influence_core.models.wrapped import Risk, module_network, risk_network
from influence_core.settings import ModelSettings, SettingsError, Value
from influence_core.wrapping.arrays import WRAPPED, datasets, settings_of, split_of

Examples = ArrayLike | Mapping[str, Any]
DROPOUT = "Dropout is off, while it is trained here too."


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A model of the user's own; :func:`wrap` makes it.

    Attributes:
        source: the module, or the first θ of a function.
        loss: criterion of the module, or the function.
        fit: ``given``, ``newton``, ``sgd`` or ``adamw``.
        l2: penalty on matrices and kernels of a module, on all of a plain θ.
        options: of training: epochs, learning_rate, batch_size, momentum, schedule, patience, checkpoints.
    """

    source: nn.Module | Tensor
    loss: Criterion | Risk
    fit: str
    l2: float
    options: dict[str, Value]

    def network(
        self,
        dataset: Dataset,
        shape: tuple[int, ...] = (),
        l2: float | None = None,
        parts: tuple[NamedTensor, ...] = (),
    ) -> Network:
        """The model for these examples."""
        penalty = self.l2 if l2 is None else l2
        if isinstance(self.source, nn.Module):
            made = module_network(self.source, self.loss, dataset, shape or (dataset.x.shape[1],), parts)  # type: ignore[arg-type]
            return replace(made, l2=penalty, notes=(*self._modes(made), *made.notes))
        return risk_network(self.loss, self.source, dataset, penalty)  # type: ignore[arg-type]

    @property
    def entry(self) -> ModelEntry:
        """An entry for ``MODELS``, so that the app offers it; the app's penalty and options take the place of these."""
        return ModelEntry(
            title=f"{type(self.source).__name__} (own model)",
            formula=r"\ell(\theta, x, y)",
            applies=lambda _dataset: True,
            make=lambda settings, dataset, _options, _seed: self.network(dataset, l2=settings.l2),
            kind=NETWORK,
            fits=(self.fit,),
            l2=self.l2,
        )

    def analyse(self, x: Examples, y: ArrayLike, x_test: Examples, y_test: ArrayLike, **settings: Any) -> Analysis:
        """Fit on the training arrays and ask about the test arrays; whole-number y are classes, others a target.

        Args:
            x: (n, ...) features or token ids as the module takes them, or a dictionary of such tensors, which
                ``forward`` takes by name or as one dictionary.
            y: (n,).
            x_test: (m, ...).
            y_test: (m,).
            settings: ``solver``, ``damping``, ``curvature``, ``estimator``, ``quantity``, ``target`` or ``seed``.

        Returns:
            The analysis: scores, leave-one-out, groups, trust, as for any other model.
        """
        criterion: Any = self.loss if isinstance(self.source, nn.Module) else None
        (x, x_test), parts = self._tensors(x, x_test)
        (train, test), said = datasets((x, y), (x_test, y_test), criterion=criterion)
        shape = () if parts else tuple(np.shape(x)[1:])
        split = split_of(train, test)
        model = ModelSettings(WRAPPED, self.l2, fit=self.fit, options=tuple(sorted(self.options.items())))
        chosen = settings_of(model, settings)
        network, device = self.network(train, shape, parts=parts), choose_device()
        network = replace(network, notes=(*said, *network.notes))
        optimiser = Optimiser.of(self.fit, self.options)
        program = Program(network, network.batch(train, device), optimiser, chosen.seed)
        for part in (program.batch, network.batch(test, device)):
            readable(network, part.x)
        found = train_now(program, network.batch(split.validation, device))
        fitted = FittedModel(network, program.batch, found)
        if self.fit != GIVEN:
            fitted = replace(fitted, program=program).at(found)
        key = fingerprint(split.fingerprint, network.start().numpy(), repr(optimiser))
        return Analysis(chosen, Problem(chosen, device.type, given=Given(split, fitted, key)))

    def _tensors(self, *sides: Examples) -> tuple[tuple[ArrayLike, ...], tuple[NamedTensor, ...]]:
        """Dictionaries as rows of numbers, and what their columns are; anything else as it is."""
        if not any(isinstance(side, Mapping) for side in sides):
            return cast(tuple[ArrayLike, ...], sides), ()
        if not isinstance(self.source, nn.Module) or not all(isinstance(side, Mapping) for side in sides):
            raise SettingsError("Expected dictionaries of tensors, in training and in test, with a module alone.")
        flat, parts = zip(*map(side_by_side, cast(tuple[Mapping[str, Any], ...], sides)), strict=True)
        told = [", ".join(f"{part.name} {part.shape}" for part in side) for side in parts]
        if told[0] != told[1]:
            raise SettingsError(f"Expected test examples of the same tensors as in training, {told[0]}, got {told[1]}.")
        return flat, parts[0]

    def _modes(self, network: Network) -> tuple[str, ...]:
        """What is said of parts that do otherwise in training."""
        module, stepwise = network.module, self.fit in {"sgd", "adamw"}
        parts = list(module.modules())
        found = [STORED] if any(isinstance(part, _BatchNorm) for part in parts) else []
        if self.fit != GIVEN:
            found = [BY_BATCH] if batch_norms(module) else found
            dropping = any(isinstance(part, _DropoutNd) and part.p > 0 for part in parts)
            found += [DROPOUT] if dropping and not (stepwise and drops(network)) else []
        return tuple(found)
