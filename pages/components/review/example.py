"""The example itself: the picture as it was uploaded, or the row in the user's own columns, the decisive ones first."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image, ImageOps, UnidentifiedImageError

from pages.components.browser.gallery import Sprite, sprite
from pages.components.lenses import LENSES, lens_of
from pages.components.review.tinted import tinted
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.keeping import kept
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from influence_core.analysis import Case
    from influence_core.annotations import Card
    from influence_core.data import Dataset, Split
    from influence_core.data.columns import SourceColumn
    from influence_core.reviewing import Recipe

SMOOTH = "review.smooth"
SIDE, LARGEST = 240, 1_600  # pixels: small pictures are enlarged to the first, large ones sent with the second at most
BESIDE = 3  # columns of a row that stand beside each witness
TILE = 96  # pixels of a side of those among the evidence
SHOWN = 9  # columns of a row; the others are behind a click
SHOWABLE = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}


def example(card: Card, recipe: Recipe, split: Split, hidden: bool) -> None:
    """As much of it as one needs to decide."""
    train, lens = split.train, lens_of(split)
    if lens not in (LENSES["row"], LENSES["picture"]):  # such a kind has a view of its own
        if train.texts is not None and not hidden and tinted(card, recipe, train.class_names):
            return
        lens.full(split, card.position, card.name, train.class_names[card.given])
        return
    if train.hover is not None and train.hover[card.position]:
        st.markdown(plain_markdown(str(train.hover[card.position])))
    if lens is LENSES["picture"]:
        _picture(card, recipe, split)
    else:
        _row(card, recipe, split, hidden)


def _key(recipe: Recipe) -> str:
    """Of the upload; empty for other data."""
    data = recipe.settings.data
    return str(dict(data.options)["id"]) if data.name == "upload" else ""


def _picture(card: Card, recipe: Recipe, split: Split) -> None:
    smooth = bool(st.session_state.get(SMOOTH))
    found = _original(_key(recipe), card.name) if _key(recipe) else None
    if found is None:
        (image,) = lens_of(split).pictures(split.train.take(np.array([card.position])))  # type: ignore[misc]
        found = core.contents.png(image), (image.shape[1], image.shape[0])
    address, (width, height) = found
    scale = SIDE / max(width, height)
    shown = width if scale < 1 else round(width * (scale if smooth else max(1, int(scale))))
    alt = html.escape(f"Image {card.name}, given label {split.train.class_names[card.given]}")
    st.html(
        f'<img src="{address}" alt="{alt}" width="{shown}" style="image-rendering:'
        f"{'auto' if smooth or scale < 1 else 'pixelated'};border:1px solid #8886;border-radius:4px;max-width:100%;"
        'max-height:400px;object-fit:contain">'
    )
    words, switch = st.columns([3, 2], vertical_alignment="center")
    words.caption(f"{width} × {height} pixels")
    if scale > 1:
        switch.toggle("Smooth", key=SMOOTH, help="Between the pixels of a picture that is shown larger than it is.")


def originals_of(recipe: Recipe, train: Dataset, rows: Sequence[int]) -> Sprite | None:
    """Uploaded pictures in their proportions, small and side by side; the model's own copies may be square."""
    key = _key(recipe)
    found = [_thumbnail(key, str(train.ids[row])) for row in rows] if key else []
    tiles = [one for one in found if one is not None]
    return sprite(np.stack(tiles), len(tiles)) if tiles and len(tiles) == len(rows) else None


@kept
def _thumbnail(key: str, name: str) -> NDArray[np.uint8] | None:
    found: NDArray[np.uint8] | None = core.originals.thumbnail(key, name, TILE)
    return found


@st.cache_resource(max_entries=64, show_spinner=False)
def _original(key: str, name: str) -> tuple[str, tuple[int, int]] | None:
    """Address and size of the picture as it was uploaded."""
    content = core.originals.original_picture(key, name)
    if content is None:
        return None
    try:
        opened = Image.open(io.BytesIO(content))
        form, size = opened.format, opened.size
        if max(size) > LARGEST or form not in SHOWABLE or opened.getexif().get(0x0112, 1) != 1:
            image = ImageOps.exif_transpose(opened)
            size = image.size
            image.thumbnail((LARGEST, LARGEST))
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "PNG")
            content, form = buffer.getvalue(), "PNG"
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    return f"data:image/{SHOWABLE[str(form)]};base64,{base64.b64encode(content).decode()}", size


def _row(card: Card, recipe: Recipe, split: Split, hidden: bool) -> None:
    given, other = (plain_markdown(split.train.class_names[k]) for k in (card.given, card.suggested))
    lines = row_lines(split, cached.problem(recipe.settings).columns, card, hidden)
    rest = _left_out(card, recipe, split)
    usual = [f"usual: {split.train.class_names[k]}" for k in (card.given, card.suggested)]
    head = ("column", "this row", *usual[: 1 if hidden else 2])
    st.html(html_table(head, lines[:SHOWN]))
    if len(lines) > SHOWN or rest:
        many = len(lines[SHOWN:]) + len(rest)
        with st.expander("The other column" if many == 1 else f"The other {many:,} columns"):
            st.html(html_table(head, [*lines[SHOWN:], *rest]))
    apart = f"what is usual for {given}" if hidden else f"{given} and {other} apart, by what is usual for each"
    st.caption(f"In your own columns. First come those that tell {apart}.")


def _left_out(card: Card, recipe: Recipe, split: Split) -> list[tuple[str, ...]]:
    """Cells of the uploaded table that the model does not use."""
    table = _table(_key(recipe), str(recipe.settings.key("data", "seed")), split) if _key(recipe) else None
    if table is None:
        return []
    used = {column.name for column in cached.problem(recipe.settings).columns}
    cells = table.iloc[card.position]
    return [(str(name), "" if pd.isna(cell) else str(cell), "") for name, cell in cells.items() if name not in used]


@kept
def _table(key: str, _data: str, _split: Split) -> pd.DataFrame | None:
    found: pd.DataFrame | None = core.originals.original_rows(key, _split)
    return found


def row_lines(
    split: Split, columns: tuple[SourceColumn, ...], card: Card, hidden: bool = False
) -> list[tuple[str, ...]]:
    """Each column of the source with the value of this row and what is usual in its class and in the other one.

    A column is decisive where the row lies nearer to one class than to the other: the difference of its squared
    distances to the two means, in standard deviations of all rows, added up over the levels of a category.

    Args:
        split: the rows.
        columns: of the source.
        card: which row, and the two classes.
        hidden: whether the other class is not told: then the distance to the given class alone counts.

    Returns:
        Name and texts, the most decisive first.
    """
    means, spread = _usual(split.train.fingerprint, split)
    x = split.train.x[card.position]
    far = [((x - means[k]) / spread) ** 2 for k in (card.given, card.suggested)]
    apart = far[0] if hidden else far[0] - far[1]
    shown = split.scaling.invert(np.stack([x, means[card.given], means[card.suggested]]))
    kinds = shown[:2] if hidden else shown
    weight = [abs(float(apart[list(column.features)].sum())) for column in columns]
    order = sorted(range(len(columns)), key=lambda k: -weight[k])
    return [(columns[k].name, *_texts(columns[k], kinds)) for k in order]


def decisive(split: Split, columns: tuple[SourceColumn, ...], case: Case) -> list[tuple[str, Callable[[int], str]]]:
    """The columns that tell the given class of a row and the suggested one apart, with the text of each row in them.

    Returns:
        A few names, and what gives the value of a row.
    """
    means, spread = _usual(split.train.fingerprint, split)
    x = split.train.x[case.row]
    far = [((x - means[k]) / spread) ** 2 for k in (case.given, case.suggestion)]
    order = sorted(columns, key=lambda one: -abs(float((far[0] - far[1])[list(one.features)].sum())))

    def text(column: SourceColumn) -> Callable[[int], str]:
        return lambda row: _texts(column, split.scaling.invert(split.train.x[row : row + 1]))[0]

    return [(column.name, text(column)) for column in order[:BESIDE]]


@st.cache_resource(max_entries=6, show_spinner=False)
def _usual(fingerprint: str, _split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(c, d) means of the classes as labelled, and (d,) standard deviations of all rows."""
    data = _split.train
    counts = np.bincount(data.y.astype(np.int64), minlength=data.classes)
    sums = np.stack([data.x[data.y == label].sum(axis=0) for label in range(data.classes)])
    spread = data.x.std(axis=0)
    return sums / np.maximum(counts, 1)[:, None], np.where(spread > 0, spread, 1.0)


def _texts(column: SourceColumn, values: NDArray[np.float64]) -> tuple[str, ...]:
    if not column.levels:
        return tuple(f"{row[column.features[0]]:.4g}".replace("-", "−") for row in values)
    shares = values[1:][:, list(column.features)]
    usual = [f"{column.levels[int(share.argmax())]} ({share.max():.0%})" for share in shares]
    return column.level(values[0]), *usual


def html_table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]], name: str = "if-said") -> str:
    """A table of texts that mean nothing but themselves.

    Args:
        head: of the columns.
        lines: of texts; one text alone is a title of those below it.
        name: of the class in the style sheet.

    Returns:
        HTML.
    """
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{_cells(line, len(head))}</tr>" for line in lines)
    return f'<table class="{name}"><tr>{top}</tr>{body}</table>'


def _cells(line: tuple[str, ...], width: int) -> str:
    if len(line) < width:
        return f'<th class="side" colspan="{width}">{html.escape(line[0])}</th>'
    return "".join(f'<td title="{html.escape(cell)}">{html.escape(cell)}</td>' for cell in line)
