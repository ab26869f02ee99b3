"""The influence map: a scatter of training and test points that is recoloured on a click and keeps its zoom.

``park`` sends what does not change, once; ``influence_map`` sends scores only.  Plotly.js draws inside a
component of our own because a Streamlit chart is mounted anew, and loses its zoom, whenever its figure changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.browser.bridge import component, is_index, named, pack
from pages.components.browser.gallery import Sprite
from pages.components.browser.parcel import send_once
from pages.components.charts.field import Field, Floats, level_lines, pen_up
from pages.components.charts.scale import plain
from pages.components.session.errors import safely

Ints = NDArray[np.integer[Any]]
Indices = NDArray[np.int64]
Side = Literal["train", "test"]


# Plotly writes its style sheet to document.head and would not be seen inside a shadow root.
_map = component("map", '<div class="if-chart if-map" role="group"></div>\n', isolated=False)


@dataclass(frozen=True, eq=False)
class Cells:
    """What a person reads of examples that are rows, for the box beside the mouse.

    Attributes:
        columns: name of each, and what its numbers stand for where they are places of categories.
        train: (n, columns) values, or places, −1 for any other.
        test: (m, columns) likewise.
    """

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    train: Floats
    test: Floats


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
        cells: what else is told of a point under the mouse.
        field: decision field of a two-class problem in two dimensions.
        optimal: (2, 2) end points of the optimal boundary.
        fitted: (k, 2) points of the fitted curve, where one feature is drawn against the target.
        frame: scenes of one frame share their zoom; empty for one of its own.
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
    cells: Cells | None = None
    field: Field | None = None
    optimal: Floats | None = None
    fitted: Floats | None = None
    frame: str = ""

    @cached_property
    def message(self) -> bytes:
        """The scene as the browser gets it."""
        header: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "frame": self.frame or self.fingerprint,
            "class_names": [plain(name) for name in self.class_names],
            "train_labels": list(self.train_labels),
            "test_labels": list(self.test_labels),
            "axis_titles": [plain(title) for title in self.axis_titles],
            "sprite": None if self.sprite is None else vars(self.sprite),
            "columns": [] if self.cells is None else self.cells.columns,
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
        if self.cells is not None:
            arrays |= {"train_cells": self.cells.train.ravel(), "test_cells": self.cells.test.ravel()}
        if self.field is not None:
            across, up = pen_up(level_lines(self.field, 0.5))
            arrays |= {"field_x": self.field.x, "field_y": self.field.y, "field_p": self.field.probability.ravel()}
            arrays |= {"boundary_x": across, "boundary_y": up}
        if self.optimal is not None:
            arrays |= {"optimal_x": self.optimal[:, 0], "optimal_y": self.optimal[:, 1]}
        if self.fitted is not None:
            arrays |= {"fitted_x": self.fitted[:, 0], "fitted_y": self.fitted[:, 1]}
        return pack(header, **arrays)


@dataclass(frozen=True, eq=False)
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
        group: training points that leave together; each gets a ring.
        tests: test points asked about together; each gets a small ringed star.
        after: lines of the decision boundary after a removal; the boundary before it turns dashed grey.
        alt: what a screen reader says instead of the picture.
        title: of a downloaded picture.
        file: name of a downloaded picture, without its ending.
        about: what a downloaded picture was made of.
        height: pixels.
        told: places of the columns that the box beside the mouse tells.
        beside: the point whose values stand behind those of the one under the mouse.
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
    group: Sequence[int] | Ints = ()
    tests: Sequence[int] | Ints = ()
    after: Sequence[Floats] | None = None
    alt: str = "Map of training and test points"
    title: str = "Influence map"
    file: str = "influence-map"
    about: str = ""
    height: int = 520
    told: Sequence[int] = ()
    beside: tuple[Side, int] | None = None


@dataclass(frozen=True)
class Reactions:
    """What happens when someone points at the map.

    Attributes:
        click: called with the side and the index of the clicked point.
        lasso: called with the training and the test indices inside a lasso or a box, each ascending; without it the
            map has no such tools.
    """

    click: Callable[[Side, int], None]
    lasso: Callable[[Indices, Indices], None] | None = None


def park(scene: Scene, key: str) -> None:
    """Send the constant part of a map.  Call it outside the fragment, so that a click does not send it again.

    Args:
        scene: keep the object (cached) between runs: its message is built once.
        key: of the element.
    """
    send_once(scene.message, key)


def influence_map(scene: Scene, scores: Floats | None, view: MapView, reactions: Reactions, key: str) -> None:
    """Draw the map of a parked scene.

    Args:
        scene: parked under its fingerprint on the same page.
        scores: of the points of ``view.target``; None before anything is selected.
        view: selection and colour scale.
        reactions: to a click and to a lasso.
        key: of the element.
    """

    def clicked() -> None:
        event = st.session_state[key]["clicked"]
        if event and (point := clicked_point(scene, event)):
            reactions.click(*point)

    def lassoed() -> None:
        event = st.session_state[key]["lassoed"]
        if event and reactions.lasso and (points := lassoed_points(scene, event)):
            reactions.lasso(*points)

    message = map_message(scene, scores, view, lasso=reactions.lasso is not None)
    _map(key=key, data=message, on_clicked_change=safely(clicked), on_lassoed_change=safely(lassoed))


def map_message(scene: Scene, scores: Floats | None, view: MapView, lasso: bool) -> bytes:
    """What travels per click: the scores, and the few indices that carry a mark.

    Returns:
        The packed message.
    """
    header = vars(view) | {"fingerprint": scene.fingerprint, "lasso": lasso}
    arrays = {name: np.asarray(header.pop(name), int) for name in ("group", "tests")}
    after = header.pop("after")
    if not view.told:
        del header["told"], header["beside"]
    if scores is not None:
        arrays["scores"] = np.asarray(scores, float)
        header["coloured"] = named(scores)
    if after is not None:
        across, up = pen_up(after)
        arrays |= {"after_x": across, "after_y": up}
    return pack(header, **arrays)


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


def lassoed_points(scene: Scene, event: Any) -> tuple[Indices, Indices] | None:
    """What a browser's lasso event encloses, or None where it is empty or not of this scene.

    Returns:
        Training and test indices, ascending and each once.
    """
    if not isinstance(event, dict) or event.get("fingerprint") != scene.fingerprint:
        return None
    sides = ((event.get("train"), len(scene.train_xy)), (event.get("test"), len(scene.test_xy)))
    for indices, count in sides:
        if not isinstance(indices, list) or len(indices) > count or not all(is_index(i, count) for i in indices):
            return None
    train, test = (np.unique(np.array(indices, np.int64)) for indices, _ in sides)
    return (train, test) if len(train) + len(test) else None
