"""What usually suits a model that was just chosen, where what is set belongs to another one."""

from __future__ import annotations

from influence_core.models.registry import MODELS
from influence_core.settings import ModelSettings


def usual_penalty(current: ModelSettings, name: str) -> float:
    """l2 for another model: the one that is set, where that is of the same kind; else what suits it.

    Returns:
        The penalty.
    """
    first, second = MODELS[current.name], MODELS[name]
    return current.l2 if first.kind is second.kind else second.l2


def usual_estimator(current: str, name: str) -> str:
    """Estimator for another model: a baseline or ranking that is set stays; else what suits the model.

    Returns:
        A name.
    """
    return MODELS[name].estimator if current in {entry.estimator for entry in MODELS.values()} else current
