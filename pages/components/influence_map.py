"""The influence map: a scatter of training and test points that is recoloured on a click and keeps its zoom.

``park`` sends what does not change, once; ``influence_map`` sends colours and sizes only.  Plotly.js draws inside a
component of our own because a Streamlit chart is mounted anew, and loses its zoom, whenever its figure changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.assets import is_index, pack, send_once, text
from pages.components.gallery import Sprite

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Side = Literal["train", "test"]

CLIP_PERCENTILE = 99.0
SMALLEST_MARKER = 4.5
LARGEST_MARKER = 16.0
CROWD = 500


# Plotly writes its style sheet to document.head and would not be seen inside a shadow root.
_map = st.components.v2.component(
    "influence_map",
    html=text("influence_map.html"),
    css=text("influence_map.css"),
    js=text("wire.js", "map_figure.js", "influence_map.js"),
    isolate_styles=False,
)


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


@dataclass(frozen=True, eq=False)
class Scene:
    """What a map shows whichever point is selected.

    Attributes:
        fingerprint: changes when anything below changes; zoom is kept while it stays.
        train_xy: (n, 2) positions.
        test_xy: (m, 2) positions.
        train_class: (n,) class index, drawn as marker shape; all 0 for regression.
        test_class: (m,) likewise.
        class_names: c names; empty for regression.
        train_labels: n hover texts.
        test_labels: m hover texts.
        flipped: (n,) bool, labels flipped on purpose.
        axis_titles: of x and y.
        sprite: thumbnails of the training points, then of the test points.
        field: decision field of a two-class problem in two dimensions.
        optimal: (2, 2) end points of the optimal boundary.
    """

    fingerprint: str
    train_xy: Floats
    test_xy: Floats
    train_class: Ints
    test_class: Ints
    class_names: tuple[str, ...]
    train_labels: list[str]
    test_labels: list[str]
    flipped: NDArray[np.bool_]
    axis_titles: tuple[str, str]
    sprite: Sprite | None = None
    field: Field | None = None
    optimal: Floats | None = None

    @cached_property
    def message(self) -> bytes:
        """The scene as the browser gets it."""
        header: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "class_names": [plain(name) for name in self.class_names],
            "train_labels": list(self.train_labels),
            "test_labels": list(self.test_labels),
            "axis_titles": [plain(title) for title in self.axis_titles],
            "sprite": None if self.sprite is None else vars(self.sprite),
        }
        arrays: dict[str, NDArray[Any]] = {
            "train_x": self.train_xy[:, 0],
            "train_y": self.train_xy[:, 1],
            "test_x": self.test_xy[:, 0],
            "test_y": self.test_xy[:, 1],
            "train_class": self.train_class,
            "test_class": self.test_class,
            "flipped": np.flatnonzero(self.flipped),
        }
        if self.field is not None:
            lines = level_lines(self.field, 0.5)
            arrays |= {"field_x": self.field.x, "field_y": self.field.y, "field_p": self.field.probability.ravel()}
            arrays |= {"boundary_x": _pen_up(lines[..., 0]), "boundary_y": _pen_up(lines[..., 1])}
        if self.optimal is not None:
            arrays |= {"optimal_x": self.optimal[:, 0], "optimal_y": self.optimal[:, 1]}
        return pack(header, **arrays)


@dataclass(frozen=True)
class MapView:
    """What a click changes, and how scores become colours.

    Attributes:
        selected_test: ringed star.
        selected_train: diamond ring.
        limit: |score| of the full colours; the scale is symmetric about zero.
        symlog: colour and not size on a symmetric logarithmic scale.
        magnitude_only: scores have no sign (self-influence): one hue, from zero to the limit.
        sign: −1 where the numbers shown are minus the coloured scores (a fall of the margin is helpful).
        words: for the negative and the positive end of the colours.
        target: the points that the scores belong to.
        unit: of the scores.
        alt: what a screen reader says instead of the picture.
        height: pixels.
    """

    selected_test: int | None = None
    selected_train: int | None = None
    limit: float = 1.0
    symlog: bool = False
    magnitude_only: bool = False
    sign: int = 1
    words: tuple[str, str] = ("harmful", "helpful")
    target: Side = "train"
    unit: str = "nats"
    alt: str = "Map of training and test points"
    height: int = 520


def plain(text: str) -> str:
    """Text that Plotly shows as it stands; Plotly reads a subset of HTML in titles and legends.

    Returns:
        The text with ``&``, ``<`` and ``>`` as entities.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def colour_limit(scores: Floats) -> float:
    """99th percentile of |score|, so that a few extremes do not make all else neutral.

    Returns:
        A positive number, even where all scores are zero.
    """
    magnitude = np.abs(scores)
    limit = float(np.percentile(magnitude, CLIP_PERCENTILE)) if magnitude.size else 0.0
    return limit or float(magnitude.max(initial=0.0)) or 1.0


def marker_sizes(scores: Floats, limit: float) -> NDArray[np.float32]:
    """Marker diameters in pixels: area in proportion to |score| up to the limit, with a floor that stays visible.

    Many points get smaller large markers, so that a crowd does not become a blot.

    Returns:
        (n,) float32.

    Raises:
        ValueError: the limit is not positive.
    """
    if not limit > 0:
        raise ValueError(f"Expected a positive colour limit, got {limit}.")
    crowding = min(1.0, (CROWD / max(len(scores), 1)) ** 0.25)
    share = np.minimum(np.abs(scores) / limit, 1.0)
    floor = SMALLEST_MARKER * np.sqrt(crowding)
    return np.maximum(LARGEST_MARKER * crowding * np.sqrt(share), floor).astype(np.float32)


def level_lines(field: Field, level: float) -> NDArray[np.float64]:
    """Line segments on which the field, linear along each cell edge, crosses the level (marching squares).

    Returns:
        (k, 2, 2): k segments, two ends each, (x, y).
    """
    z = field.probability - level
    corners = [z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]]
    left, bottom = np.meshgrid(field.x[:-1], field.y[:-1])
    right, top = np.meshgrid(field.x[1:], field.y[1:])
    places = [np.stack(pair, -1) for pair in ((left, bottom), (right, bottom), (right, top), (left, top))]
    high = [corner > 0 for corner in corners]
    crosses = [high[k] != high[(k + 1) % 4] for k in range(4)]
    saddle = np.all(crosses, axis=0)
    # On a saddle the middle of the cell decides which two corners belong together.
    with_first = (sum(corners) > 0) == high[0]
    segments = []
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)):
        here = crosses[a] & crosses[b] & ~saddle
        if (a - b) % 2:
            here |= saddle & (with_first if (a, b) in {(0, 1), (2, 3)} else ~with_first)
        ends = [_crossing(corners, places, edge, here) for edge in (a, b)]
        segments.append(np.stack(ends, axis=1))
    return np.concatenate(segments)


def _crossing(
    corners: list[Floats], places: list[NDArray[np.float64]], edge: int, here: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Where the field is zero along an edge of the chosen cells.

    Returns:
        (k, 2).
    """
    start, end = edge, (edge + 1) % 4
    low, high = corners[start][here], corners[end][here]
    share = (low / (low - high))[:, None]
    return places[start][here] * (1 - share) + places[end][here] * share


def _pen_up(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Segments as one line with a gap (NaN) after each.

    Returns:
        (3k,), one coordinate of the line.
    """
    return np.column_stack([ends, np.full(len(ends), np.nan)]).ravel()


def park(scene: Scene, key: str) -> None:
    """Send the constant part of a map.  Call it outside the fragment, so that a click does not send it again.

    Args:
        scene: keep the object (cached) between runs: its message is built once.
        key: of the element.
    """
    send_once(scene.message, key)


def influence_map(
    scene: Scene, scores: Floats | None, view: MapView, on_click: Callable[[Side, int], None], key: str
) -> None:
    """Draw the map of a parked scene.

    Args:
        scene: parked under its fingerprint on the same page.
        scores: of the points of ``view.target``; None before anything is selected.
        view: selection and colour scale.
        on_click: called with the side and the index of the clicked point.
        key: of the element.
    """
    header = {name: value for name, value in vars(view).items()} | {"fingerprint": scene.fingerprint}
    arrays = {} if scores is None else {"scores": np.asarray(scores, float), "sizes": marker_sizes(scores, view.limit)}

    def clicked() -> None:
        event = st.session_state[key]["clicked"]
        if event and (point := clicked_point(scene, event)):
            on_click(*point)

    _map(key=key, data=pack(header, **arrays), on_clicked_change=clicked)


def clicked_point(scene: Scene, event: Any) -> tuple[Side, int] | None:
    """What a browser's click event names, or None where it is not a point of this scene.

    Returns:
        Side and index.
    """
    if not isinstance(event, dict) or event.get("fingerprint") != scene.fingerprint:
        return None
    side, index = event.get("side"), event.get("index")
    if side not in ("train", "test"):
        return None
    count = len(scene.train_xy if side == "train" else scene.test_xy)
    return (side, index) if is_index(index, count) else None
