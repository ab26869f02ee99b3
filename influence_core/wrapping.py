"""Bring your own: a ``torch.nn.Module`` with a loss, or a function ``loss(theta, x, y)``, through the whole path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from influence_core.analysis import Analysis, Problem, Settings
from influence_core.analysis.problem import Given
from influence_core.compute import choose_device, fingerprint
from influence_core.data import Dataset, Split
from influence_core.data.split import identity_scaling
from influence_core.models import FittedModel, ModelEntry, Network, Optimiser, Program
from influence_core.models.criteria import BINARY, ENTROPY, LIKELIHOOD, MARGIN, Criterion, is_one_of
from influence_core.models.kinds import NETWORK
from influence_core.models.registry import GIVEN, train_now
from influence_core.models.wrapped import Risk, module_network, risk_network
from influence_core.settings import ModelSettings, SettingsError, SolverSettings, Value

WRAPPED = "wrapped"
STORED = (
    "Batch norm keeps its stored averages while it is trained here, other than in torch's training mode: train the "
    "module in torch and give it as it is, or take group or layer norm."
)


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

    def network(self, dataset: Dataset, shape: tuple[int, ...] | None = None, l2: float | None = None) -> Network:
        """The model for these examples."""
        penalty = self.l2 if l2 is None else l2
        if isinstance(self.source, nn.Module):
            made = module_network(self.source, self.loss, dataset, shape or (dataset.x.shape[1],))  # type: ignore[arg-type]
            return replace(made, l2=penalty)
        return risk_network(self.loss, self.source, dataset, penalty)  # type: ignore[arg-type]

    @property
    def entry(self) -> ModelEntry:
        """An entry for ``MODELS``, so that the app offers it; the app's penalty and options take the place of these."""
        return ModelEntry(
            title=f"{type(self.source).__name__} (own model)",
            formula=r"\ell(\theta, x, y)",
            applies=lambda _dataset: True,
            make=lambda settings, dataset, _options, _seed: self.network(dataset, None, settings.l2),
            kind=NETWORK,
            fits=(self.fit,),
            l2=self.l2,
        )

    def analyse(self, x: ArrayLike, y: ArrayLike, x_test: ArrayLike, y_test: ArrayLike, **settings: Any) -> Analysis:
        """Fit on the training arrays and ask about the test arrays; whole-number y are classes, others a target.

        Args:
            x: (n, ...) features as the module takes them.
            y: (n,).
            x_test: (m, ...).
            y_test: (m,).
            settings: ``solver``, ``damping``, ``curvature``, ``estimator``, ``quantity``, ``target`` or ``seed``.

        Returns:
            The analysis: scores, leave-one-out, groups, trust, as for any other model.
        """
        shape = tuple(np.shape(x)[1:])
        criterion: Any = self.loss if isinstance(self.source, nn.Module) else None
        (train, test), said = datasets((x, y), (x_test, y_test), criterion=criterion)
        split = Split(
            train,
            train.take(np.arange(0)),
            test,
            np.zeros(len(train), bool),
            train.y,
            identity_scaling(train.x.shape[1]),
        )
        solver = SolverSettings(
            str(settings.pop("solver", "auto")),
            float(settings.pop("damping", 0.0)),
            (),
            str(settings.pop("curvature", "auto")),
        )
        model = ModelSettings(WRAPPED, self.l2, fit=self.fit, options=tuple(sorted(self.options.items())))
        chosen = Settings(model=model, solver=solver, **settings)
        network, device = self.network(train, shape), choose_device()
        if self.fit != GIVEN and any(isinstance(part, _BatchNorm) for part in network.module.modules()):
            said = (*said, STORED)
        network = replace(network, notes=(*said, *network.notes))
        optimiser = Optimiser.of(self.fit, self.options)
        program = Program(network, network.batch(train, device), optimiser, chosen.seed)
        found = train_now(program, network.batch(split.validation, device))
        fitted = FittedModel(network, program.batch, found, None if self.fit == GIVEN else program)
        key = fingerprint(split.fingerprint, network.start().numpy(), repr(optimiser))
        return Analysis(chosen, Problem(chosen, device.type, given=Given(split, fitted, key)))


def wrap(
    model: nn.Module | Risk, second: Criterion | ArrayLike | Tensor, fit: str = "", l2: float = 0.0, **options: Value
) -> Wrapped:
    """``wrap(module, loss)`` or ``wrap(loss, theta_init)``.

    A module comes with ``loss(outputs, y)``; it is taken as it is (``fit="given"``) unless ``fit`` is ``sgd`` or
    ``adamw``.  A function ``loss(theta, x, y)`` of one example, written in torch, is fitted from ``theta_init`` by
    Newton's method unless ``fit`` is ``adamw`` or ``given``.

    Returns:
        The wrapped model; ``analyse`` runs it on arrays, ``entry`` belongs into ``MODELS``.

    Raises:
        SettingsError: an unknown way of fitting or option.
    """
    is_module = isinstance(model, nn.Module)
    if not callable(model):
        raise SettingsError(
            f"Expected a torch module with a loss, or a function loss(theta, x, y), got {type(model).__name__}."
        )
    offered = (GIVEN, "sgd", "adamw") if is_module else ("newton", "adamw", GIVEN)
    chosen = fit or offered[0]
    if chosen not in offered:
        raise SettingsError(f"fit: expected one of {', '.join(offered)}, got {chosen[:40]!r}.")
    known = Optimiser.__dataclass_fields__.keys() - {"method"}
    if unknown := options.keys() - known:
        raise SettingsError(f"Unknown option {min(unknown)[:40]!r}: expected one of {', '.join(sorted(known))}.")
    if isinstance(model, nn.Module):
        return Wrapped(model, second, chosen, l2, options)  # type: ignore[arg-type]
    return Wrapped(torch.as_tensor(second, dtype=torch.float64), model, chosen, l2, options)


def datasets(
    *pairs: tuple[ArrayLike, ArrayLike], criterion: Criterion | None = None
) -> tuple[list[Dataset], tuple[str, ...]]:
    """Datasets of pairs of arrays that share their classes.

    Args:
        pairs: x (n, ...) and y (n,) or (n, 1).
        criterion: the loss of a module, where it has a say in what labels mean.

    Returns:
        One per pair, and what was guessed.

    Raises:
        SettingsError: numbers of rows that differ, or features that are no numbers.
    """
    xs, made = [_array(x) for x, _ in pairs], []
    ys = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in (_array(y) for _, y in pairs)]
    for x, y in zip(xs, ys, strict=True):
        if len(x) != len(y) or y.ndim != 1:
            raise SettingsError(f"Expected y of shape ({len(x)},), one for each example, got {y.shape}.")
    targets, classes, said = labels(ys, criterion)
    for x, target in zip(xs, targets, strict=True):
        try:
            flat = x.reshape(len(x), -1).astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"Expected x of numbers: {error}. Encode texts and categories as columns.") from None
        ids = np.array([f"row-{row}" for row in range(len(x))], dtype=np.str_)
        names = tuple(f"x{k}" for k in range(flat.shape[1]))
        made.append(Dataset(flat, target, ids, names, classes))
    return made, said


def labels(
    ys: list[NDArray[Any]], criterion: Criterion | None
) -> tuple[list[NDArray[Any]], tuple[str, ...], tuple[str, ...]]:
    """Targets as numbers: whole numbers are classes, texts and, for binary cross-entropy, −1 and 1 become some.

    Returns:
        Targets, names of classes (none for a numeric target), and what was guessed.

    Raises:
        SettingsError: negative numbers that are no class.
    """
    values = np.unique(np.concatenate(ys))
    signs = criterion is not None and is_one_of(criterion, BINARY) and {*values.tolist()} == {-1, 1}
    if signs or values.dtype.kind not in "biuf":
        names = tuple(str(value) for value in values)
        read = ", ".join(f"{name} as {k}" for k, name in enumerate(names[:5]))
        return [np.searchsorted(values, y) for y in ys], names, (f"Labels are read in order: {read}.",)
    if values.dtype.kind == "b":
        return [y.astype(np.int64) for y in ys], ("0", "1"), ()
    counted = criterion is not None and is_one_of(criterion, (*ENTROPY, *LIKELIHOOD, *MARGIN))
    whole = values.dtype.kind in "iu" or (counted and bool((values == values.round()).all()))
    if counted and (odd := [value for value in values if value < 0 and value != _ignored(criterion)]):
        raise SettingsError(f"Expected classes from 0, got y = {odd[0]:g}: give y as whole numbers from 0.")
    classes = tuple(str(k) for k in range(int(values.max(initial=-1)) + 1)) if whole else ()
    return [y.astype(np.int64 if whole else np.float64) for y in ys], classes, ()


def _ignored(criterion: Criterion | None) -> float:
    inner: Any = criterion.keywords if isinstance(criterion, partial) else vars(criterion)
    return float(inner.get("ignore_index", -100))


def _array(values: ArrayLike) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.double() if values.is_floating_point() else values).numpy()
    return np.asarray(values)
