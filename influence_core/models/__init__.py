"""Models: losses, linear predictors, networks, how they are fitted, and the registry of those on offer."""

from influence_core.models.fitted import FittedModel
from influence_core.models.fitting import Fit
from influence_core.models.kinds import LINEAR, NETWORK, Kind
from influence_core.models.linear import LinearModel
from influence_core.models.minima import NoMinimumError
from influence_core.models.network import Network
from influence_core.models.protocol import Batch
from influence_core.models.quantities import QUANTITIES, Quantity, QuantityError
from influence_core.models.registry import (
    FIT_METHODS,
    MODELS,
    ModelEntry,
    applicable_models,
    build,
    fit,
    fit_method,
    training_cost,
)
from influence_core.models.training import Optimiser, Program
from influence_core.models.usual import usual_estimator, usual_penalty

__all__ = [
    "FIT_METHODS",
    "LINEAR",
    "MODELS",
    "NETWORK",
    "QUANTITIES",
    "Batch",
    "Fit",
    "FittedModel",
    "Kind",
    "LinearModel",
    "ModelEntry",
    "Network",
    "NoMinimumError",
    "Optimiser",
    "Program",
    "Quantity",
    "QuantityError",
    "applicable_models",
    "build",
    "fit",
    "fit_method",
    "training_cost",
    "usual_estimator",
    "usual_penalty",
]
