"""What goes out of the house again: contents for other tools, and the training rows in the schema they came in."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from influence_core.data.dataset import DataError, Split
from influence_core.data.uploads import (
    Edit,
    Raw,
    label_codes,
    mapping_of,
    read_upload,
    rewriting,
    row_names,
    upload_store,
)
from influence_core.settings import DataSettings

PICTURE = "picture"  # every other kind is shown by its features
MOST = 40  # features in the text of a row
COLUMNS = 2_000  # of a table that is put together from features
BYTES = 300 * 2**20  # of images that travel inside a JSON file


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table with labels, and where the training points stand in it.

    Attributes:
        table: all its rows and columns.
        target: name of the column of labels.
        rows: (n,) row of the table of every training point.
        codes: (rows of the table,) class of every row as the table says it, −1 where it says none.
        ending: of the name of the file.
        edit: (row to the row whose label it takes, rows that stay) to the same file, otherwise unchanged; None where
            the table has to be written anew.
    """

    table: pd.DataFrame
    target: str
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    ending: str = ".csv"
    edit: Edit | None = None


def items(split: Split) -> list[dict[str, str]]:
    """(n,) what another tool shows of a training row, by the kind of the data: the picture, or its features in words.

    Returns:
        ``{"image": data URI}`` or ``{"text": …}``; texts too where pictures are too large for a JSON file.
    """
    train = split.train
    if train.kind == PICTURE and train.images is not None and train.images.nbytes <= BYTES:
        return [{"image": png(image)} for image in train.images]
    if train.texts is not None:
        return [{"text": text} for text in train.texts]
    if train.hover is not None and all(train.hover):
        return [{"text": str(text)} for text in train.hover]
    raw = split.scaling.invert(train.x)[:, :MOST]
    names = train.feature_names[:MOST]
    return [{"text": "; ".join(f"{name} = {value:.5g}" for name, value in zip(names, row, strict=True))} for row in raw]


def png(image: NDArray[np.uint8]) -> str:
    """An image as a data URI, pixel for pixel.

    Returns:
        Text.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def assembled(split: Split) -> Sheet | None:
    """A table of the training rows, put together from their features in the units of the source.

    Returns:
        None for pictures, and for more columns than a table should have.
    """
    train = split.train
    if train.texts is not None:
        table = pd.DataFrame({"id": train.ids.astype(object), "text": train.texts})
        return _labelled(table, split)
    names = list(train.feature_names)
    if train.kind == PICTURE or len(names) > COLUMNS or train.target_name in {*names, "id"} or "id" in names:
        return None
    table = pd.DataFrame(split.scaling.invert(train.x).round(12), columns=names)
    table.insert(0, "id", train.ids.astype(object))
    return _labelled(table, split)


def _labelled(table: pd.DataFrame, split: Split) -> Sheet:
    train = split.train
    table[train.target_name] = np.array(train.class_names, dtype=object)[train.y.astype(int)]
    return Sheet(table, train.target_name, np.arange(len(train)), train.y.astype(np.int64))


def uploaded(data: DataSettings, split: Split, name: str, content: bytes) -> Sheet:
    """The uploaded table itself, given once more because the server keeps only what the model needs.

    Args:
        data: which upload.
        split: of it.
        name: of the file.
        content: of the file.

    Returns:
        The table with the rows of the training points.

    Raises:
        DataError: the data were not uploaded, or came from another file.
    """
    if data.name != "upload":
        raise DataError("Expected data that were uploaded: only they came in a table of their own.")
    manifest = upload_store().manifest(str(dict(data.options)["id"]))
    mapping = mapping_of(manifest["mapping"])
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise DataError(f"Expected the file that these data came from, {manifest['file']}: got another one.")
    raw = read_upload(name, content, mapping.form)
    table, rows, codes = (
        raw.frame if raw.written is None else raw.written,
        rows_of_file(split, raw, mapping.id),
        label_codes(raw, mapping),
    )
    way = rewriting(name, content, raw, mapping.target)
    if way is None:
        return Sheet(table, mapping.target, rows, codes)
    return Sheet(table, mapping.target, rows, codes, way.ending, way.edit)


def rows_of_file(split: Split, raw: Raw, column: str) -> NDArray[np.int64]:
    """Row of the file of every training point, by its id."""
    ids = split.train.ids.tolist()
    if not column:
        return np.array([_place(name) for name in ids], dtype=np.int64)
    names = row_names(raw, column)
    place = {name.strip(): row for row, name in enumerate(names)} | {name: row for row, name in enumerate(names)}
    missing = [name for name in ids if name not in place]
    if missing:
        raise DataError(
            f"Expected every id in the column {column[:40]!r} of the file, got none for {missing[0][:40]!r}."
        )
    return np.array([place[name] for name in ids], dtype=np.int64)


def _place(name: str) -> int:
    """The row that a name counts: ``row 1`` is the first; uploads of before say ``row-00000``."""
    word, space, number = name.partition(" ")
    return int(number) - 1 if space else int(word.rpartition("-")[2])
