"""The drawing board: points of two features that are added, dragged, relabelled and deleted in the browser.

The browser owns the drawing while it is edited and sends it whole; the page answers with the number of the event it has
seen, so that an answer to an older state never moves a point back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.browser.bridge import component, is_index, pack
from pages.components.browser.map import Ints, MapView
from pages.components.charts.field import Field, Floats, level_lines, pen_up
from pages.components.session.errors import safely

MOST_POINTS = 300
LONGEST = 13 * MOST_POINTS
HALVES = (2.0, 4.0, 6.0, 8.0, 10.5)
FILLED = 0.93  # a point beyond this share of the plane calls for a larger one

_board = component("board", '<div class="if-board"></div>\n')


@dataclass(frozen=True, eq=False)
class Plane:
    """What the model says of every place of the plane.

    Attributes:
        kind: (g, g) class index of the letters a to e, rows ascending in y.
        strength: (g, g) from 0, undecided, to 1, certain.
        boundary: lines of the decision boundary, (k, 2) each.
    """

    kind: Ints
    strength: Floats
    boundary: Sequence[Floats]


@dataclass(frozen=True, eq=False)
class Colours:
    """What an analysis says of the k points of a drawing, in the order of its text.

    Attributes:
        scores: (k,) coloured score; NaN where a point has none.
        labels: (k,) class index of the letters a to e that the model was given or is asked about.
        flipped: positions of the points whose label was flipped on purpose.
        plane: field and boundary.
        view: colour scale and words.
    """

    scores: Floats
    labels: Ints
    flipped: Ints
    plane: Plane
    view: MapView


@dataclass(frozen=True, eq=False)
class Board:
    """What the board shows.

    Attributes:
        points: the drawing as text.
        half: the plane reaches from −half to half.
        asked: position of the test point asked about.
        selected: position of the selected training point.
        seq: number of the last event seen.
        undo: whether there is a change to undo.
        sentence: why something was refused, or why there are no colours.
        colours: None where the drawing has no analysis.
    """

    points: str
    half: float
    asked: int | None = None
    selected: int | None = None
    seq: int = 0
    undo: bool = False
    sentence: str = ""
    colours: Colours | None = None

    @property
    def message(self) -> bytes:
        """The board as the browser gets it."""
        view = MapView(alt="Drawing board") if self.colours is None else self.colours.view
        scale = ("limit", "symlog", "magnitude_only", "sign", "words", "unit", "alt", "title")
        header = {name: value for name, value in vars(self).items() if name != "colours"}
        header |= {name: getattr(view, name) for name in scale}
        return pack(header, **({} if self.colours is None else _arrays(self.colours)))


def _arrays(colours: Colours) -> dict[str, NDArray[Any]]:
    plane = colours.plane
    across, up = pen_up(plane.boundary)
    return {
        "scores": np.asarray(colours.scores, float),
        "labels": colours.labels,
        "flipped": colours.flipped,
        "field_class": plane.kind.ravel(),
        "field_strength": plane.strength.ravel(),
        "boundary_x": across,
        "boundary_y": up,
    }


@dataclass(frozen=True)
class Event:
    """What a user did.

    Attributes:
        seq: its number.
        points: the drawing afterwards; None to undo the last change.
        asked: position of the test point asked about.
        selected: position of the selected training point.
        live: more of the same stroke follows.
    """

    seq: int
    points: str | None = field(default=None)
    asked: int | None = None
    selected: int | None = None
    live: bool = False


def event_of(value: Any) -> Event | None:
    """What a browser's message means, or None where it is no event of a board.

    Returns:
        The event; whether its text is a drawing is for the parser to see.
    """
    if not isinstance(value, dict) or not is_index(value.get("seq"), 2**53):
        return None
    if value.get("undo") is True:
        return Event(value["seq"])
    points, asked, selected = (value.get(name) for name in ("points", "asked", "selected"))
    if not isinstance(points, str) or len(points) > LONGEST or type(value.get("live")) is not bool:
        return None
    if not all(at is None or is_index(at, MOST_POINTS) for at in (asked, selected)):
        return None
    return Event(value["seq"], points, asked, selected, value["live"])


def half_for(reach: float, least: float = 0.0) -> float:
    """How far the plane reaches around points within ±reach: few sizes, so that it seldom changes.

    Returns:
        At least ``least``.
    """
    return max(least, next((half for half in HALVES if reach <= FILLED * half), HALVES[-1]))


def plane_of(x: Floats, probability: Floats, letters: Ints) -> Plane:
    """Field and boundary from class probabilities on a square grid.

    The strength is 0 where all K classes are equally likely and 1 where one is certain, (K·max p − 1)/(K − 1).

    Args:
        x: (g,) grid places of both axes, ascending.
        probability: (g·g, K), rows ascending in y.
        letters: (K,) class index of the letters a to e.

    Returns:
        The plane.
    """
    classes, size = probability.shape[1], len(x)
    best = probability.argmax(1)
    strength = (classes * probability.max(1) - 1) / (classes - 1)
    lines: list[Floats] = []
    for k in range(classes - 1):  # every boundary has a class before the last one on one side
        lead = probability[:, k] - np.delete(probability, k, axis=1).max(1)
        lines += level_lines(Field(x, x, lead.reshape(size, size)), 0.0)
    shape = (size, size)
    return Plane(letters[best].reshape(shape), strength.reshape(shape), lines)


def board(shown: Board, on_event: Callable[[Event], None], key: str) -> None:
    """Draw the board.

    Args:
        shown: what it shows.
        on_event: called with every event that is well formed.
        key: of the element.
    """

    def edited() -> None:
        event = event_of(st.session_state[key]["edited"])
        if event is not None:
            on_event(event)

    _board(key=key, data=shown.message, on_edited_change=safely(edited))
