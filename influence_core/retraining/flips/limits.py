"""Which sets of training points may leave at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.models import FittedModel
from influence_core.models.losses import Squared
from influence_core.retraining.flips.without import Without


@dataclass(frozen=True, eq=False)
class Limits:
    """What a set may be.

    Attributes:
        most: training points in it.
        stay: training points of every class that must not be in it; of a numeric target, altogether.
    """

    most: int
    stay: int


def allowed(here: Without, order: Tensor, limits: Limits) -> Tensor:
    """Of points in the order in which they leave too, those that may: not too many, and enough of a class stay.

    Returns:
        Some of ``order``.
    """
    labels, room = _classes(here.fitted), _room(here, here.rows, limits)
    own = labels[order]
    place = torch.nn.functional.one_hot(own, len(room)).cumsum(0).gather(1, own[:, None])[:, 0]
    return order[place <= room[own]][: max(limits.most - len(here.rows), 0)]


def fits(here: Without, rows: Tensor, limits: Limits) -> bool:
    """Whether ``rows`` may leave together."""
    return len(rows) <= limits.most and bool((_room(here, rows, limits) >= 0).all())


def _room(here: Without, rows: Tensor, limits: Limits) -> Tensor:
    """How many more of each class may leave after ``rows``; of a numeric target, all are one class."""
    labels = _classes(here.fitted)
    count = torch.bincount(labels)
    return count - torch.bincount(labels[rows], minlength=len(count)) - limits.stay


def _classes(fitted: FittedModel) -> Tensor:
    y = fitted.train.y
    return torch.zeros_like(y).long() if isinstance(fitted.model.loss, Squared) else y.long()
