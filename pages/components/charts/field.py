"""A decision field on a grid, and the lines on which it takes a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import contourpy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Field:
    """A decision field: P(class 1) on a grid.

    Attributes:
        x: (gx,) grid columns, ascending and evenly spaced.
        y: (gy,) grid rows, ascending and evenly spaced.
        probability: (gy, gx).
    """

    x: Floats
    y: Floats
    probability: Floats


def level_lines(field: Field, level: float) -> list[NDArray[np.float64]]:
    """Lines on which the field, linear along each cell edge, has the level.

    Returns:
        (k, 2) points for each line; a closed one ends where it starts.
    """
    found = contourpy.contour_generator(field.x, field.y, field.probability).lines(level)
    assert isinstance(found, list)  # other kinds of lines come in tuples
    return found


def pen_up(lines: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Lines as one, with a gap (NaN) after each: a dash starts anew with every line that is drawn."""
    gap = np.full((1, 2), np.nan)
    drawn = np.concatenate([np.empty((0, 2)), *(part for line in lines for part in (line, gap))])
    return drawn[:, 0], drawn[:, 1]
