"""Arrays of pictures: which axis is the colour, what a person sees of them, and the names of pixels as features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import COLUMNS, at_most
from influence_core.data.uploads.raw import Block

CHANNELS = {1: "grey", 3: "red, green and blue", 4: "red, green, blue and opacity"}


def in_colour_order(pictures: NDArray[Any]) -> tuple[NDArray[Any], list[str]]:
    """Pictures (n, h, w) or (n, h, w, 3), wherever the axis of colours stood; opacity is left out.

    Returns:
        The pictures, and what was changed in words; another shape or kind is a ``DataError``.
    """
    shape = pictures.shape
    _check(pictures)
    if pictures.ndim == 3:
        return pictures, []
    notes = []
    # Four last may also be a width: no picture is one or three pixels high.
    if shape[3] not in CHANNELS or (shape[3] == 4 and shape[1] in {1, 3}):
        pictures = np.moveaxis(pictures, 1, -1)
        notes.append(f"The second axis of {shape} was read as {CHANNELS[shape[1]]}.")
    elif shape[3] != 3:
        notes.append(f"The last axis of {shape} was read as {CHANNELS[shape[3]]}.")
    if pictures.shape[3] == 4:
        notes.append("Opacity is left out.")
    return np.ascontiguousarray(pictures[..., 0] if pictures.shape[3] == 1 else pictures[..., :3]), notes


def shown(pictures: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
    """Pictures as bytes for a person to see; other numbers are stretched for the eye, and stay as they are as features.

    Returns:
        uint8 pictures, and how they were stretched in words.

    Raises:
        DataError: a number is missing or infinite.
    """
    if pictures.dtype == np.uint8:
        return pictures, []
    values = pictures.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError("Pictures: expected finite numbers, got a missing or infinite one: fill it in before saving.")
    low, high = min(float(values.min()), 0.0), float(values.max())
    if low == 0:  # usual ranges; 0 to 16 and the like are stretched
        high = 1.0 if high <= 1 else 255.0 if 64 <= high <= 255 else high
    note = f"Pixels are {pictures.dtype}: features as they are, shown to the eye from {low:g} to {high:g}."
    return np.round(255 * (values - low) / ((high - low) or 1.0)).astype(np.uint8), [note]


def pixel_block(images: NDArray[np.uint8]) -> Block:
    """Every pixel as a feature.

    Returns:
        (n, h·w[·3]) with names such as ``pixel 3,5`` or ``pixel 3,5 red``.
    """
    return Block(images.reshape(len(images), -1), pixel_names(images.shape[1:]), pixels=True)


def pixel_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the pixels of a picture (h, w) or (h, w, 3), row by row."""
    height, width, *colour = shape
    tails = ("",) if not colour else (" red", " green", " blue")
    at_most("pixels of each picture as features", COLUMNS, height * width * len(tails), "make the pictures smaller")
    return tuple(f"pixel {row},{place}{tail}" for row in range(height) for place in range(width) for tail in tails)


def _check(pictures: NDArray[Any]) -> None:
    fits = pictures.ndim == 3 or (pictures.ndim == 4 and {pictures.shape[1], pictures.shape[3]} & {*CHANNELS})
    if not fits or pictures.dtype.kind not in "biuf" or not pictures.size:
        raise DataError(
            "Pictures: expected uint8 arrays (n, h, w), (n, h, w, 3) or (n, 3, h, w), got "
            f"{pictures.dtype} {pictures.shape}: reshape them, or give x the shape (n, d)."
        )
