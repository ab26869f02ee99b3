"""Training points that leave together: what is predicted, what a refit measures, and which groups are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from influence_core.compute import FloatArray, numpy, product
from influence_core.data import DataError, Dataset
from influence_core.influence.effects import group_step
from influence_core.influence.one_step import quantity_change
from influence_core.influence.watched import Influence, Watched
from influence_core.solvers import SingularError

LEFT = 2  # training points of a class that must stay


@dataclass(frozen=True, eq=False)
class GroupEffect:
    """Predicted change at m test points when a group of training points leaves at once, new minus old.

    Attributes:
        rows: the group, ascending.
        first_order: (m,) sum of the single changes.
        newton: (m,) one Newton step with H − H_S/n, or None.
        theta_first: (p,) θ̂ plus the first-order step.
        theta_newton: (p,) θ̂ plus the Newton step, or None.
        why: the sentence why there is no Newton step, else empty.
    """

    rows: NDArray[np.int64]
    first_order: FloatArray
    newton: FloatArray | None
    theta_first: FloatArray
    theta_newton: FloatArray | None
    why: str = ""


@dataclass(frozen=True, eq=False)
class GroupRefit:
    """Measured change at m test points when a group of training points leaves at once, new minus old.

    Attributes:
        rows: the group, ascending.
        change: (m,); NaN where the refit is not certified.
        theta: (p,) refitted.
        certified: whether the refit reached its minimum.
        accuracy_before: share of test points classified right at θ̂; None for regression.
        accuracy_after: the same at ``theta``.
    """

    rows: NDArray[np.int64]
    change: FloatArray
    theta: FloatArray
    certified: bool
    accuracy_before: float | None
    accuracy_after: float | None


def checked_group(rows: Iterable[int], train: Dataset) -> NDArray[np.int64]:
    """The group in ascending order, each point once.

    Returns:
        (k,) rows.

    Raises:
        DataError: an empty group, a row that does not exist, or too little left of a class.
    """
    group, n = np.unique(np.fromiter(rows, dtype=np.int64)), len(train)
    if not len(group):
        raise DataError("Expected a group of at least one training point, got none: select some.")
    if group[0] < 0 or group[-1] >= n:
        raise DataError(f"Training points: expected rows from 0 to {n - 1}, got {group[0]} to {group[-1]}.")
    if not train.classes:
        if n - len(group) < LEFT:
            raise DataError(
                f"Expected a group that leaves at least {LEFT} training points, it leaves {n - len(group)}."
            )
        return group
    left = np.bincount(np.delete(train.y, group), minlength=train.classes)
    worst = int(left.argmin())
    if left[worst] < LEFT:
        raise DataError(
            f"Expected a group that leaves at least {LEFT} training points of every class, it leaves {left[worst]} of "
            f"{train.class_names[worst][:40]!r}: select fewer of them."
        )
    return group


def group_effect(influence: Influence, watched: Watched, rows: NDArray[np.int64]) -> GroupEffect:
    """First order and one-step Newton at everything watched, with the θ they predict.

    Returns:
        The effect; without its Newton part where what is left has no positive definite curvature.
    """
    theta, members = influence.fitted.theta, torch.as_tensor(rows, device=influence.fitted.theta.device)
    first = group_step(influence, members)
    single = numpy(product(watched.gradient.T, first[:, None])[:, 0])
    try:
        step = group_step(influence, members, newton=True)
    except SingularError as error:
        return GroupEffect(rows, single, None, numpy(theta + first), None, str(error))
    moved = numpy(quantity_change(influence, watched, step[:, None])[0])
    return GroupEffect(rows, single, moved, numpy(theta + first), numpy(theta + step))
