"""From arrays and their roles to examples: parts put together, one-hot targets read, channel axes found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import CELLS, COLUMNS, LABEL, ROWS, at_most, plain_text, quoted
from influence_core.data.uploads.pixels import in_colour_order, pixel_block, pixel_names, shown
from influence_core.data.uploads.raw import Block, Raw, column_names
from influence_core.data.uploads.roles import Roles
from influence_core.data.uploads.typed import TEXT

Arrays = dict[str, NDArray[Any]]
USUAL = {"x", "y", "images", "ids", "split", "text", "feature_names", "class_names"}
ROW_ROLES = ("ids", "text")


def examples(arrays: Arrays, roles: Roles) -> Raw:
    """The examples of all parts, one after the other.

    Returns:
        Features (or pixels) as one block; target, ids, texts and part as columns.

    Raises:
        DataError: arrays of one part differ in length, parts in shape, or one is of an unsuitable kind.
    """
    notes = [roles.guessed] if roles.guessed else []
    kinds = [role for role in ("x", "images", "y", "split", *ROW_ROLES) if all(role in p for p in roles.parts.values())]
    if not {"x", "images"} & {*kinds}:
        raise DataError(
            "Expected features under one name in all parts, got x in one and images in another: rename one."
        )
    joined = {role: _joined(role, [arrays[part[role]] for part in roles.parts.values()]) for role in kinds}
    sizes = {part: len(arrays[found.get("x", found.get("images", ""))]) for part, found in roles.parts.items()}
    for part, found in roles.parts.items():
        _check_lengths(sizes[part], {found[role]: arrays[found[role]] for role in kinds})
    notes += _used(roles, kinds)
    shared = {role: arrays[name] for role, name in roles.shared.items()}
    block, images, said = _features(joined, shared.get("feature_names"))
    notes += said
    y, said = _target(joined["y"], shared.get("class_names"))
    columns: dict[str, Any] = {"y": y}
    columns |= {role: plain_column(_column(role, joined[role])) for role in ("ids", "split", "text") if role in joined}
    if len(roles.parts) > 1:
        columns["split"] = np.repeat(list(sizes), list(sizes.values())).astype(object)
    frame = pd.DataFrame(columns)
    readings = {str(name): TEXT for name in frame if frame[name].dtype.kind not in "biuf"}
    return Raw(frame, {"x": block}, images, tuple(notes + said), target="y", readings=readings)


def plain_column(values: NDArray[Any]) -> NDArray[Any]:
    """A column of numbers, or of harmless texts."""
    if values.dtype.kind == "f" and values.dtype.itemsize not in {4, 8}:
        return values.astype(np.float64)
    return values if values.dtype.kind in "biuf" else _texts(values)


def _used(roles: Roles, kinds: list[str]) -> list[str]:
    used = [part[role] for part in roles.parts.values() for role in kinds]
    notes = []
    if len(roles.parts) > 1 or not set(used) <= USUAL:
        notes.append(f"Arrays used: {', '.join(plain_text(name, 40) for name in used[:12])}.")
    lost = [name for part in roles.parts.values() for role, name in part.items() if role not in kinds]
    left_out = [plain_text(name, 40) for name in (*roles.unused, *lost)]
    if left_out:
        notes.append(f"Arrays of other names were left out: {', '.join(left_out[:5])}.")
    return notes


def _joined(role: str, parts: list[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[1:] for part in parts}) > 1 or len({part.dtype.kind in "US" for part in parts}) > 1:
        shapes = " and ".join(str(part.shape) for part in parts)
        raise DataError(f"Arrays for {role}: expected equal shapes but for the rows, got {shapes}: make them equal.")
    at_most("rows in all parts", ROWS, sum(len(part) for part in parts), "take a random part of the rows")
    at_most("numbers in all parts", CELLS, sum(part.size for part in parts), "take a part of them")
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _check_lengths(n: int, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if len(array) != n:
            raise DataError(
                f"Array {plain_text(name, 40)}: expected {n:,} values as the features have rows, got {len(array):,}: "
                "save equal numbers."
            )


def _features(joined: Arrays, names: NDArray[Any] | None) -> tuple[Block, NDArray[np.uint8] | None, list[str]]:
    notes: list[str] = []
    pictures = joined.get("images")
    x = joined.get("x", pictures)
    assert x is not None
    if pictures is None and x.ndim > 2:
        pictures = x
    images = None
    if pictures is not None:
        ordered, said = in_colour_order(pictures)
        images, scaled = shown(ordered)
        notes += [*said, *scaled]
        if x is pictures or x.ndim > 2:
            if ordered.dtype == np.uint8:
                return pixel_block(images), images, notes
            values = ordered.reshape(len(ordered), -1)
            return Block(_matrix(values), pixel_names(ordered.shape[1:])), images, notes
    return Block(_matrix(x), _feature_names(names, x)), images, notes


def _matrix(x: NDArray[Any]) -> NDArray[Any]:
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.dtype.kind not in "biuf" or not x.size:
        raise DataError(f"Array x: expected numbers of shape (n, d), got {quoted(x.dtype)} {x.shape}: reshape it.")
    at_most("features in x", COLUMNS, x.shape[1], "leave out some of them")
    return x.astype(np.float64) if x.dtype.kind == "b" or x.dtype.itemsize not in {1, 2, 4, 8} else x


def _feature_names(given: NDArray[Any] | None, x: NDArray[Any]) -> tuple[str, ...]:
    d = x.shape[1] if x.ndim == 2 else 1
    if given is None:
        return tuple(f"x{k}" for k in range(d))
    if given.shape != (d,):
        raise DataError(f"Array feature_names: expected {d:,} names as x has columns, got the shape {given.shape}.")
    return tuple(column_names(_texts(given).tolist())[0])


def _column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise DataError(
            f"Array {name}: expected {len(values):,} values, one per row, got the shape {values.shape}: "
            "save one column."
        )
    return values


def _target(y: NDArray[Any], names: NDArray[Any] | None) -> tuple[NDArray[Any], list[str]]:
    notes = []
    if y.ndim == 2 and y.shape[1] > 1:
        if y.dtype.kind not in "biuf" or not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
            raise DataError(
                f"Array y: expected {len(y):,} values, or one-hot rows with a single 1, got the shape {y.shape}: "
                "choose one target."
            )
        notes.append(f"The target is one-hot: each row was read as the place of its 1, from 0 to {y.shape[1] - 1}.")
        y = y.argmax(axis=1)
    return _labels(plain_column(_column("y", y)), names), notes


def _labels(y: NDArray[Any], names: NDArray[Any] | None) -> NDArray[Any]:
    if names is None:
        return y
    if y.dtype.kind not in "iu" or names.ndim != 1 or not len(y) or y.min() < 0 or y.max() >= len(names):
        raise DataError(
            f"Array y: expected whole numbers from 0 to {names.size - 1} as there are class_names, "
            "got others: leave out class_names, or number the classes from 0."
        )
    labels: NDArray[Any] = _texts(names)[y]
    return labels


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "S":
        values = np.array([value.decode("utf-8", errors="replace") for value in values.ravel()], dtype=object)
    return np.array([plain_text(value, 4 * LABEL) for value in values.ravel()], dtype=object)
