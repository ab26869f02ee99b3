"""What the analysis of a drawing says of its points and of the plane around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pages.components.browser.board import Colours, plane_of
from pages.components.browser.map import MapView
from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.data import Dataset

GRID = 64


def places(part: Dataset) -> np.ndarray:
    """(n,) positions in the drawing, which the ids hold."""
    return np.array([int(name.rpartition("-")[2]) for name in part.ids], dtype=int)


def colours_of(problem: Problem, scores: np.ndarray, view: MapView, half: float) -> Colours:
    """Colours of a drawing's points, field and boundary.

    Args:
        problem: of the drawing.
        scores: one per row of the part that ``view.target`` names.
        view: colour scale and words.
        half: the plane reaches from −half to half.

    Returns:
        The colours, in the order of the drawing's text.
    """
    split = problem.split
    letters = np.array([core.drawn.LETTERS.index(name[-1]) for name in split.train.class_names])
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    count = sum(map(len, parts.values()))
    labels, shown = np.zeros(count, int), np.full(count, np.nan)
    for side, part in parts.items():
        labels[places(part)] = letters[part.y]
        if side == view.target:
            shown[places(part)] = scores
    x = np.linspace(-half, half, GRID)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(x, x)], 1)
    f, probability = problem.outputs_at(grid)
    if probability is None:  # between the margins of a hinge, from -1 to 1, the shade goes from one class to the other
        second = np.clip((f[:, :1] + 1) / 2, 0, 1)
        probability = np.concatenate([1 - second, second], 1)
    return Colours(shown, labels, places(split.train)[split.flipped], plane_of(x, probability, letters), view)
