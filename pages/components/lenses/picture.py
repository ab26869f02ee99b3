"""PICTURE: an example as its picture, whose pixels may be the features."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from pages.components.browser.gallery import sprite
from pages.components.browser.strips import strip
from pages.components.charts.fits import weight_images
from pages.components.charts.pixel_map import pixel_map
from pages.components.lenses import shares
from pages.components.lenses.lens import Drawn, Floats, Pictures, Reason, Strongest
from pages.components.lenses.row import ROW, own_words

if TYPE_CHECKING:
    from influence_core.data import Dataset, Split

SIDE, WHY_SIDE = 300, 112  # pixels of the large image's longer side, and of those side by side


def pictures(data: Dataset) -> Pictures:
    """The images: all data of this kind have some."""
    return np.asarray(data.images)


def strongest(points: Strongest) -> None:
    """Two rows of images, and between them the one they matter to."""
    rows = [*points.content.helpful, *points.content.harmful]
    shown = [pictures(points.asked)[: points.content.asked], pictures(points.data)[rows]]
    tiles = points.tiles or sprite(np.concatenate(shown), points.content.asked + len(rows))
    strip(tiles, points.captions, points.content, points.pick, points.key)


def full(split: Split, row: int, name: str, label: str) -> None:
    """The image, pixel for pixel."""
    own_words(split.train, row)
    st.html(picture(pictures(split.train)[row], f"Training image {name}, given label {label}"))


def picture(image: Pictures, alt: str, side: int = SIDE) -> str:
    """An image as HTML, pixel for pixel: enlarged by the browser without smoothing, and without a second request.

    Returns:
        One ``img`` element.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    scale = side / max(image.shape[:2])
    width = round(image.shape[1] * (max(1, int(scale)) if scale >= 1 else scale))
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{width}" '
        'style="image-rendering:pixelated;border:1px solid #8886;border-radius:4px;max-width:100%">'
    )


def perturbation(change: Floats, data: Dataset, row: int, unit: str) -> Drawn:
    """The change of every pixel, beside the image."""
    if not _of_pixels(data):
        return ROW.perturbation(change, data, row, unit)
    return Drawn(pixel_map(change, pictures(data)[row], unit), _colours(data))


def why(pair: Reason) -> None:
    """Both pictures, and between them the training picture with every pixel in the colour of its share."""
    train, test = pair.split.train, pair.split.test
    row, pixels = pair.why.row, _of_pixels(pair.split.train) and bool(pair.why.columns)
    mine = pictures(train)[row]
    shown = [("training point", mine, f"Training image {train.ids[row]}")]
    if pixels:
        share = shares.tinted(mine, pair.sign * pair.why.shares.features)
        shown.append(("its pixels by share", share, f"The pixels of {train.ids[row]}, tinted by their share"))
    if pair.test is not None:
        shown.append((pair.asked, pictures(test)[pair.test], f"Test image {test.ids[pair.test]}"))
    for place, (name, image, alt) in zip(st.columns(3), shown, strict=False):
        with place:
            st.html(f"{picture(image, alt, WHY_SIDE)}<div style='font-size:.8rem;opacity:.8'>{html.escape(name)}</div>")
    if not pixels:
        shares.table(pair)
        return
    end = pair.why.shares.intercept + pair.why.shares.penalty
    orange, blue = pair.ends[:: pair.sign]
    rest = f" The other {pair.form.text(end)} are the constant's." if end else ""
    st.caption(
        f"Blue pixels: {blue}; orange ones: {orange}; strong colours carry much. All pixels together "
        f"{pair.form.text(float(pair.why.shares.features.sum()))} {pair.form.scaled_unit}.{rest}{_colours(train)}"
    )


def weights(values: Floats, names: list[str], data: Dataset, per: str) -> Drawn | None:
    """The weight of every pixel."""
    if not _of_pixels(data):
        return None
    words = f"Weight {per} of a pixel: green speaks for the class, purple against it. Same scale for all outputs."
    return Drawn(weight_images(values, pictures(data).shape[1:], names), words + _colours(data))


def first(data: Dataset) -> int:
    """A pixel in the middle: one at the border is black everywhere."""
    return int(data.x.shape[1] // 2 + pictures(data).shape[2] // 2)


def _of_pixels(data: Dataset) -> bool:
    """Whether the pixels are the features; other pictures are only shown."""
    return bool(pictures(data)[0].size == data.x.shape[1])


def _colours(data: Dataset) -> str:
    return " The three colours of a pixel are added up." if pictures(data).ndim == 4 else ""


PICTURE = replace(
    ROW, full=full, perturbation=perturbation, strongest=strongest, pictures=pictures, weights=weights, first=first,
    why=why, tabular=False, small=lambda data, row, said, side: picture(pictures(data)[row], said, side),
)  # fmt: skip
