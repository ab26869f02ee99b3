"""Arrays in an npz file: each header is checked against the bytes behind it before an array is made."""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import DAMAGE, open_archive, unpack
from influence_core.data.uploads.limits import CELLS, COLUMNS, LABEL, ROWS, at_most, plain_text, quoted
from influence_core.data.uploads.raw import Block, Raw, column_names

Arrays = dict[str, NDArray[Any]]

# What each array may be called; the first name is the one that messages use.
NAMES = {
    "x": ("x", "X", "features", "embeddings"),
    "y": ("y", "Y", "target", "labels"),
    "ids": ("ids", "id"),
    "split": ("split",),
    "text": ("text", "texts"),
    "images": ("images", "image"),
    "feature_names": ("feature_names",),
    "class_names": ("class_names",),
}
HEADER = 10_000


def read_arrays(content: bytes) -> Raw:
    """Examples: x (n, d) or pictures (n, h, w[, 3]), y (n,), and optional ids, split, text, images and names.

    Returns:
        The examples; x is one block, the others are columns.

    Raises:
        DataError: an array is missing, of another shape or kind, or not as large as its header says.
    """
    archive, members = open_archive(content)
    strangers = [member.filename for member in members if not member.filename.endswith(".npy")]
    if strangers:
        raise DataError(f"Expected arrays (.npy) only in an npz file, got {quoted(strangers[0])}: leave it out.")
    known = {alias: name for name, aliases in NAMES.items() for alias in aliases}
    arrays: Arrays = {}
    left_out = []
    for member in members:
        name = known.get(member.filename.removesuffix(".npy"))
        if name is None:
            left_out.append(plain_text(member.filename.removesuffix(".npy"), 40))
        elif name in arrays:
            raise DataError(
                f"Expected one array {name}, got two under its names {', '.join(NAMES[name])}: leave one out."
            )
        else:
            arrays[name] = _array(archive, member)
    notes = (f"Arrays of other names were left out: {', '.join(left_out[:5])}.",) if left_out else ()
    return _assembled(arrays, notes)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    label = plain_text(member.filename.removesuffix(".npy"), 40)
    try:
        with archive.open(member) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, kind = read(file, max_header_size=HEADER)
            start = file.tell()
    except (*DAMAGE, SyntaxError, TypeError, KeyError, RecursionError, OverflowError, MemoryError):
        raise DataError(f"Array {label}: expected a NumPy header, got something else: save it with np.savez.") from None
    if kind.hasobject or kind.names is not None or kind.kind not in "biufUS":
        raise DataError(f"Array {label}: expected numbers or texts, got {quoted(kind)}: convert it before saving.")
    declared = math.prod(int(size) for size in shape) * kind.itemsize
    if declared != member.file_size - start or min(shape, default=1) < 0:
        raise DataError(
            f"Array {label}: expected {declared:,} bytes as its header says, got {member.file_size - start:,}: "
            "save it again with np.savez."
        )
    at_most(f"rows in the array {label}", ROWS, shape[0] if shape else 0, "take a random part of the rows")
    at_most(f"numbers in the array {label}", CELLS, math.prod(shape), "take a part of them")
    flat = np.frombuffer(unpack(archive, member), dtype=kind, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _assembled(arrays: Arrays, notes: tuple[str, ...]) -> Raw:
    source = arrays.get("x", arrays.get("images"))
    if source is None or "y" not in arrays:
        raise DataError(
            f"Expected arrays x (n, d) and y (n,), got {', '.join(arrays) or 'neither'}: "
            "save them with np.savez('data.npz', x=x, y=y)."
        )
    n = len(source) if source.ndim else 0
    pictures = arrays.get("images")
    if pictures is None and source.ndim > 2:
        pictures = source
    images = None if pictures is None else _pictures(pictures, n)
    if images is not None and (source is pictures or source.ndim > 2):
        block = pixel_block(images)
    else:
        block = Block(_matrix(source), _feature_names(arrays.get("feature_names"), source))
    columns = {"y": _labels(_column("y", arrays["y"], n), arrays.get("class_names"))}
    columns |= {name: _column(name, arrays[name], n) for name in ("ids", "split", "text") if name in arrays}
    return Raw(pd.DataFrame(columns), {"x": block}, images, notes)


def pixel_block(images: NDArray[np.uint8]) -> Block:
    """Every pixel as a feature.

    Returns:
        (n, h·w[·3]) with names such as ``pixel 3,5`` or ``pixel 3,5 red``.
    """
    _, height, width, *colour = images.shape
    tails = ("",) if not colour else (" red", " green", " blue")
    at_most("pixels of each picture as features", COLUMNS, height * width * len(tails), "make the pictures smaller")
    names = tuple(f"pixel {row},{place}{tail}" for row in range(height) for place in range(width) for tail in tails)
    return Block(images.reshape(len(images), -1), names, pixels=True)


def _pictures(images: NDArray[Any], n: int) -> NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim not in {3, 4} or images.shape[3:] not in {(), (3,)} or not images.size:
        raise DataError(
            f"Pictures: expected uint8 arrays (n, h, w) or (n, h, w, 3), got {images.dtype} {images.shape}: "
            "convert them to bytes from 0 to 255, or give x the shape (n, d)."
        )
    if len(images) != n:
        raise DataError(f"Expected as many pictures as rows of x, got {len(images):,} and {n:,}: save equal numbers.")
    return images


def _matrix(x: NDArray[Any]) -> NDArray[Any]:
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.dtype.kind not in "biuf" or not x.size:
        raise DataError(f"Array x: expected numbers of shape (n, d), got {quoted(x.dtype)} {x.shape}: reshape it.")
    at_most("features in x", COLUMNS, x.shape[1], "leave out some of them")
    return x.astype(np.float64) if x.dtype.kind == "b" or x.dtype.itemsize > 8 else x


def _feature_names(given: NDArray[Any] | None, x: NDArray[Any]) -> tuple[str, ...]:
    d = x.shape[1] if x.ndim == 2 else 1
    if given is None:
        return tuple(f"x{k}" for k in range(d))
    if given.shape != (d,):
        raise DataError(f"Array feature_names: expected {d:,} names as x has columns, got the shape {given.shape}.")
    return tuple(column_names(_texts(given).tolist())[0])


def _column(name: str, values: NDArray[Any], n: int) -> NDArray[Any]:
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n,):
        raise DataError(
            f"Array {name}: expected {n:,} values as x has rows, got the shape {values.shape}: save equal numbers."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize not in {4, 8}:
        return values.astype(np.float64)
    return values if values.dtype.kind in "biuf" else _texts(values)


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "S":
        values = np.array([value.decode("utf-8", errors="replace") for value in values.ravel()], dtype=object)
    return np.array([plain_text(value, 4 * LABEL) for value in values.ravel()], dtype=object)


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
