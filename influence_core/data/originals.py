"""The file of an upload beside what was read from it, so that corrected labels go back into exactly that file."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from influence_core.data.contents import rows_of_file
from influence_core.data.dataset import DataError, Split
from influence_core.data.uploads import mapping_of, read_upload, upload_store
from influence_core.files import write_whole

FILE = "original"
PICTURE = 32 * 2**20  # bytes of one picture, unpacked


def keep_original(key: str, content: bytes) -> None:
    """Keep the file of an upload that is in the store; it leaves together with it.

    Args:
        key: fingerprint of the upload.
        content: of its file.

    Raises:
        DataError: there is no room.
    """
    folder = upload_store().folder / key
    if (folder / FILE).exists():
        return
    try:
        write_whole(folder / FILE, content)
    except OSError as error:
        raise DataError(
            f"Expected room for the uploaded file on the server, got the error '{os.strerror(error.errno or 5)}': "
            "ask whoever runs it to make room."
        ) from None


def kept_original(key: str) -> tuple[str, bytes] | None:
    """Name and content of the file.

    Returns:
        None for an upload of which only what the model needs was kept.
    """
    file = upload_store().folder / key / FILE
    if not file.is_file():
        return None
    return str(upload_store().manifest(key)["file"]), file.read_bytes()


def original_picture(key: str, name: str) -> bytes | None:
    """The file of one picture, as it was in the uploaded archive.

    Args:
        key: fingerprint of the upload.
        name: id of the row, which is the path in the archive or its end.

    Returns:
        None where the upload is no archive of pictures, or was not kept.
    """
    try:
        with zipfile.ZipFile(upload_store().folder / key / FILE) as archive:
            there = [one for one in archive.infolist() if f"/{one.filename}".endswith(f"/{name}")]
            if len(there) != 1 or there[0].file_size > PICTURE:
                return None
            return archive.read(there[0])
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None


def original_rows(key: str, split: Split) -> pd.DataFrame | None:
    """The cells of the uploaded table as they were written, one line for each row of the training part.

    Returns:
        None where the upload is no table, was not kept, or its rows are not found again.
    """
    found = kept_original(key)
    if found is None:
        return None
    try:
        mapping = mapping_of(upload_store().manifest(key)["mapping"])
        raw = read_upload(*found, mapping.form)
        rows = rows_of_file(split, raw, mapping.id)
    except (DataError, ValueError, KeyError, IndexError):
        return None
    table = raw.frame if raw.written is None else raw.written
    if not len(table.columns) or rows.max(initial=0) >= len(table):
        return None
    return table.iloc[rows].drop(columns=[mapping.target], errors="ignore").reset_index(drop=True)


def thumbnail(key: str, name: str, side: int) -> NDArray[np.uint8] | None:
    """A picture as it was uploaded, whole and in its proportions, in the middle of a square.

    Returns:
        (side, side, 3), or None where :func:`original_picture` has none or it cannot be read.
    """
    content = original_picture(key, name)
    if content is None:
        return None
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.draft("RGB", (side, side))  # a large JPEG is read small
            image = ImageOps.exif_transpose(opened).convert("RGB")
            return np.asarray(ImageOps.pad(image, (side, side), color=(127, 127, 127)))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
