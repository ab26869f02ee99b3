"""``wrap``: what somebody brought, told apart."""

from __future__ import annotations

from typing import Any, overload

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from influence_core.models import Optimiser
from influence_core.models.apart import GIVEN
from influence_core.models.criteria import Criterion
from influence_core.models.scikit import PERCEPTRONS, is_estimator, taken_apart
from influence_core.models.wrapped import Risk
from influence_core.settings import SettingsError, Value
from influence_core.wrapping.estimators import WrappedEstimator
from influence_core.wrapping.modules import Wrapped


@overload
def wrap(
    model: nn.Module | Risk, second: Criterion | ArrayLike | Tensor, fit: str = "", l2: float = 0.0, **options: Value
) -> Wrapped: ...
@overload
def wrap(model: Any, second: object = None, fit: str = "", l2: float = 0.0, **options: Value) -> WrappedEstimator: ...
def wrap(
    model: Any, second: Any = None, fit: str = "", l2: float = 0.0, **options: Value
) -> Wrapped | WrappedEstimator:
    """``wrap(module, loss)``, ``wrap(loss, theta_init)`` or ``wrap(estimator)``.

    A module comes with ``loss(outputs, y)``; it is taken as it is (``fit="given"``) unless ``fit`` is ``sgd`` or
    ``adamw``.  A function ``loss(theta, x, y)`` of one example, written in torch, is fitted from ``theta_init`` by
    Newton's method unless ``fit`` is ``adamw`` or ``given``.  A fitted estimator or pipeline of scikit-learn is taken
    with its coefficients and its penalty unless ``fit`` is ``newton`` (of perceptrons ``sgd`` or ``adamw``), which goes
    on from there.

    Returns:
        The wrapped model; ``analyse`` runs it on arrays, ``entry`` of a module or function belongs into ``MODELS``.

    Raises:
        SettingsError: an unknown way of fitting or option, or nothing that could be wrapped.
    """
    if isinstance(model, type):
        raise SettingsError(
            f"Expected a module, a function or a fitted estimator, got the class {model.__name__}: make one of it."
        )
    is_module = isinstance(model, nn.Module)
    if not is_module and is_estimator(model):
        return _estimator(model, second, fit, l2, options)
    if not callable(model):
        raise SettingsError(
            "Expected a torch module with a loss, a function loss(theta, x, y) or a fitted estimator, got "
            f"{type(model).__name__}."
        )
    if second is None:
        raise SettingsError(
            f"Expected {'wrap(module, loss)' if is_module else 'wrap(loss, theta_init)'}, got one of both."
        )
    chosen = _way(fit, (GIVEN, "sgd", "adamw") if is_module else ("newton", "adamw", GIVEN))
    _known(options, _training())
    if is_module:
        return Wrapped(model, second, chosen, l2, options)
    return Wrapped(torch.as_tensor(second, dtype=torch.float64), model, chosen, l2, options)


def _estimator(model: Any, second: Any, fit: str, l2: float, options: dict[str, Value]) -> WrappedEstimator:
    steps = taken_apart(model)
    if l2:
        raise SettingsError(f"Expected no l2: the penalty of this {steps.name} is its own.")
    network = steps.name in PERCEPTRONS
    chosen = _way(fit, (GIVEN, "sgd", "adamw") if network else (GIVEN, "newton"))
    _known(options, _training() if network else {"t"})
    notes = steps.notes
    if second is not None:
        named = getattr(second, "__name__", type(second).__name__)
        notes = (*notes, f"The loss is that which {steps.name} was fitted with; {named[:40]} is left aside.")
    return WrappedEstimator(steps, chosen, options, notes)


def _training() -> set[str]:
    return {*Optimiser.__dataclass_fields__} - {"method"}


def _way(fit: str, offered: tuple[str, ...]) -> str:
    chosen = fit or offered[0]
    if chosen not in offered:
        raise SettingsError(f"fit: expected one of {', '.join(offered)}, got {chosen[:40]!r}.")
    return chosen


def _known(options: dict[str, Value], known: set[str]) -> None:
    if unknown := options.keys() - known:
        raise SettingsError(f"Unknown option {min(unknown)[:40]!r}: expected one of {', '.join(sorted(known))}.")
