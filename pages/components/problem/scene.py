"""From a problem to what the map and the gallery show whichever point is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from influence_core.settings import Settings
from pages.components.browser.gallery import Gallery
from pages.components.browser.map import Cells, Scene
from pages.components.charts.examples import boundary_ends
from pages.components.charts.field import Field, level_lines
from pages.components.lenses import lens_of
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.keeping import kept

if TYPE_CHECKING:
    from influence_core.analysis import Problem

GRID = 80
TOLD = 400_000  # values of rows that travel to the browser for the box beside the mouse, 1.6 MB


def scene(settings: Settings, axes: str = "") -> Scene:
    """The map's constant part, built once per problem and pair of axes."""
    key = settings.key("data", "model", "seed")
    if cached.drawn(settings):
        return _drawn_scene(key, settings)
    return _scene(f"{key} {axes}" if axes else key, settings, axes)


@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _drawn_scene(key: str, _settings: Settings) -> Scene:
    return _build(key, _settings, "")


@kept
def _scene(key: str, _settings: Settings, _axes: str) -> Scene:
    return _build(key, _settings, _axes)


def pair_of(text: str) -> tuple[str, str]:
    """Two axes as a link has them."""
    across, _, up = text.partition(",")
    return across, up


def _build(key: str, settings: Settings, axes: str) -> Scene:
    problem = cached.problem(settings)
    split = problem.split
    places = core.axes.placed(problem, pair_of(axes)) if axes else problem.positions
    train, test = split.train, split.test
    classes, lens = train.classes > 0, lens_of(split)
    return Scene(
        fingerprint=key,
        train_xy=places.train,
        test_xy=places.test,
        train_class=train.y if classes else np.zeros(len(train), int),
        test_class=test.y if classes else np.zeros(len(test), int),
        class_names=train.class_names,
        train_labels=lens.hover(train, split.original_y),
        test_labels=lens.hover(test, None),
        flipped=split.flipped,
        axis_titles=places.axes,
        sprite=lens.sheet(train, test, columns=80),
        cells=_cells(problem) if lens.tabular else None,
        field=None if axes else _field(problem),
        optimal=None if axes else _optimal(problem),
        fitted=None if axes else _fitted(problem),
    )


def _cells(problem: Problem) -> Cells | None:
    """The columns of the source, or as many of them as may travel."""
    split = problem.split
    columns = problem.columns[: TOLD // (len(split.train) + len(split.test))]
    if not columns:
        return None
    shown = slice(columns[-1].features[-1] + 1)  # columns come in the order of their features
    parts = [split.scaling.part(shown).invert(part.x[:, shown]) for part in (split.train, split.test)]
    values = [np.stack([column.codes(part) for column in columns], 1) for part in parts]
    return Cells(tuple((column.name, column.levels) for column in columns), *values)


def tiles(settings: Settings) -> Gallery | None:
    """All test images, those the model gets wrong marked; None for examples without thumbnails."""
    return _tiles(settings.key("data", "model", "seed"), settings)


@kept
def _tiles(key: str, _settings: Settings) -> Gallery | None:
    problem = cached.problem(_settings)
    test = problem.split.test
    lens = lens_of(test)
    sheet = lens.sheet(test)
    return None if sheet is None else Gallery(key, sheet, lens.hover(test, None), problem.misclassified)


def _frame(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner of the drawn plane, with a margin."""
    points = np.concatenate([problem.positions.train, problem.positions.test])
    low, high = points.min(0), points.max(0)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def boundary_after(settings: Settings, theta: np.ndarray) -> list[np.ndarray] | None:
    """Where the boundary lies at other parameters.

    Returns:
        (k, 2) points for each line, or None where no boundary is drawn.
    """
    field = _field(cached.problem(settings), theta)
    return None if field is None else level_lines(field, 0.5)


def _field(problem: Problem, theta: np.ndarray | None = None) -> Field | None:
    """P(class 1) of a two-class model of two features; for the hinge (f + 1)/2, so that 0 and 1 are the margins."""
    split = problem.split
    if split.train.x.shape[1] != 2 or split.train.classes != 2:
        return None
    low, high = _frame(problem)
    x, y = (np.linspace(low[k], high[k], GRID) for k in range(2))
    grid = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], 1)
    f, probability = problem.outputs_at(grid, theta)
    shown = np.clip((f[:, 0] + 1) / 2, 0, 1) if probability is None else probability[:, 1]
    return Field(x, y, shown.reshape(GRID, GRID))


def _fitted(problem: Problem) -> np.ndarray | None:
    """What the model predicts along one feature, where that is drawn against a numeric target."""
    split = problem.split
    if split.train.x.shape[1] != 1 or split.train.classes:
        return None
    low, high = _frame(problem)
    across = np.linspace(low[0], high[0], GRID)
    return np.column_stack([across, problem.outputs_at(across[:, None])[0][:, 0]])


def _optimal(problem: Problem) -> np.ndarray | None:
    """End points of the optimal boundary inside the drawn plane."""
    boundary = problem.split.boundary
    if boundary is None or problem.split.train.x.shape[1] != 2:
        return None
    return boundary_ends(boundary.weights, boundary.offset, *_frame(problem))
