"""A grid of clickable thumbnails, all cut by the browser from one picture (a sprite) that is sent once."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.components.browser.bridge import component, is_index, pack
from pages.components.browser.parcel import send_once
from pages.components.session.errors import safely

_gallery = component("gallery", '<div class="if-gallery" role="group"></div><div class="if-files"></div>\n')


@dataclass(frozen=True)
class Sprite:
    """Equal tiles in rows on one picture.

    Attributes:
        data_uri: the picture, a PNG.
        columns: tiles per row.
        tile_h: pixels.
        tile_w: pixels.
        count: tiles in all.
    """

    data_uri: str
    columns: int
    tile_h: int
    tile_w: int
    count: int


@dataclass(frozen=True, eq=False)
class Gallery:
    """Thumbnails with a name each.

    Attributes:
        fingerprint: changes when anything below changes.
        sprite: one tile per image.
        labels: what a screen reader and the tool tip say, one per image.
        marked: (n,) bool, images with a corner mark: those the model gets wrong.
        mark: the mark in words.
        title: name of the whole grid.
    """

    fingerprint: str
    sprite: Sprite
    labels: list[str]
    marked: NDArray[np.bool_]
    mark: str = "misclassified"
    title: str = "Test images"

    @cached_property
    def message(self) -> bytes:
        """The tiles as the browser gets them."""
        said = [
            f"{label}, {self.mark}" if mark else label for label, mark in zip(self.labels, self.marked, strict=True)
        ]
        header = {"fingerprint": f"gallery {self.fingerprint}", "labels": said, "title": self.title, "mark": self.mark}
        return pack(header | {"sprite": vars(self.sprite)}, marked=np.flatnonzero(self.marked))


def sprite(images: NDArray[np.uint8], columns: int = 40) -> Sprite:
    """Put equal images side by side on one picture, pixel for pixel.

    Args:
        images: (n, h, w) grey or (n, h, w, 3) colour.
        columns: images per row.

    Returns:
        The picture and where its tiles are.

    Raises:
        ValueError: not uint8, or another shape: nothing is rescaled here.
    """
    if images.dtype != np.uint8 or images.ndim not in {3, 4} or images.shape[3:] not in {(), (3,)}:
        raise ValueError(f"Expected uint8 images (n, h, w) or (n, h, w, 3), got {images.dtype} {images.shape}.")
    count, height, width, *colour = images.shape
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    sheet = np.zeros((rows * columns, height, width, *colour), np.uint8)
    sheet[:count] = images
    picture = sheet.reshape(rows, columns, height, width, *colour).swapaxes(1, 2)
    buffer = io.BytesIO()
    Image.fromarray(picture.reshape(rows * height, columns * width, *colour)).save(buffer, "PNG", compress_level=6)
    data = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Sprite(data, columns, height, width, count)


def park_tiles(tiles: Gallery, key: str) -> None:
    """Send the images once.  Call it outside the fragment of the gallery, so that a click does not send them again.

    Args:
        tiles: keep the object (cached) between runs: its message is built once.
        key: of the element.
    """
    send_once(tiles.message, key)


def gallery(tiles: Gallery, selected: int | None, on_click: Callable[[int], None], key: str, about: str = "") -> None:
    """Draw the grid; a click, Enter or Space selects, arrow keys move.

    Args:
        tiles: parked on the same page.
        selected: image with a ring; follows a selection made elsewhere.
        on_click: called with the number of the image.
        key: of the element.
        about: what a downloaded picture was made of.
    """

    def clicked() -> None:
        event: Any = st.session_state[key]["clicked"]
        index = event.get("index") if isinstance(event, dict) else None
        if is_index(index, tiles.sprite.count):
            on_click(index)

    _gallery(
        key=key,
        data=pack({"fingerprint": f"gallery {tiles.fingerprint}", "selected": selected, "about": about}),
        on_clicked_change=safely(clicked),
    )
