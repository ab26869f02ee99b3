"""Arrays in an npz or npy file: each header is checked against the bytes behind it before an array is made."""

from __future__ import annotations

import io
import math
import sys
import tokenize
import zipfile
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import DAMAGE, open_archive, unpack
from influence_core.data.uploads.examples import Arrays, examples, plain_column
from influence_core.data.uploads.limits import BYTES, CELLS, ROWS, at_most, plain_text, quoted
from influence_core.data.uploads.raw import Block, Raw, column_names
from influence_core.data.uploads.roles import roles_of

HEADER, AXES = 10_000, 32
Header = tuple[tuple[int, ...], bool, np.dtype[Any], int]
_BROKEN = (*DAMAGE, tokenize.TokenError, SyntaxError, TypeError, KeyError, RecursionError, OverflowError, MemoryError)


def read_arrays(content: bytes) -> Raw:
    """Examples under the usual names: x and y, or x_train, y_train, x_test and y_test, or train_images and so on.

    Returns:
        The examples; x is one block, the others are columns.

    Raises:
        DataError: an array is missing, of another shape or kind, or not as large as its header says.
    """
    archive, members = open_archive(content)
    strangers = [member.filename for member in members if not member.filename.endswith(".npy")]
    if strangers:
        raise DataError(f"Expected arrays (.npy) only in an npz file, got {quoted(strangers[0])}: leave it out.")
    found = {member.filename.removesuffix(".npy"): member for member in members}
    headers = {name: _header(archive, member) for name, member in found.items()}
    roles = roles_of({name: header[0] for name, header in headers.items()})
    used = [*roles.shared.values(), *(name for part in roles.parts.values() for name in part.values())]
    arrays: Arrays = {name: _array(name, headers[name], unpack(archive, found[name])) for name in used}
    return examples(arrays, roles)


def read_array(content: bytes) -> Raw:
    """A single array with named fields (a record array) as a table.

    Raises:
        DataError: an array without names, of objects, or not as large as its header says.
    """
    try:
        header = _read_header(io.BytesIO(content))
    except _BROKEN:
        raise DataError("Expected a NumPy array (.npy), got a damaged header: save it again.") from None
    shape, _, kind, _ = header
    if kind.names is None or kind.hasobject or len(shape) != 1:
        raise DataError(
            f"Expected several arrays or one with named fields, got one of {quoted(kind)} {shape}: save features and "
            "target together with np.savez('data.npz', x=x, y=y)."
        )
    names, notes = column_names(kind.names)
    records = _array("records", header, content, named=True)
    columns: dict[str, Any] = {}
    blocks: dict[str, Block] = {}
    for name, label in zip(kind.names, names, strict=True):
        values = np.array(records[name], records[name].dtype.newbyteorder("="))
        if (
            values.dtype.kind not in ("biuf" if values.ndim == 2 else "biufUS")
            or values.ndim > 2
            or not values[:1].size
        ):
            raise DataError(
                f"Field {quoted(label)}: expected numbers or texts, got {quoted(kind[name])}: leave it out."
            )
        _check_letters(label, values)
        if values.ndim == 2:
            blocks[label] = Block(values, tuple(f"{label}[{k}]" for k in range(values.shape[1])))
        else:
            columns[label] = plain_column(values)
    return Raw(pd.DataFrame(columns, index=pd.RangeIndex(shape[0])), blocks, notes=notes)


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    label = plain_text(member.filename.removesuffix(".npy"), 40)
    try:
        with archive.open(member) as file:
            shape, fortran, kind, start = _read_header(file)
    except _BROKEN:
        raise DataError(f"Array {label}: expected a NumPy header, got something else: save it with np.savez.") from None
    declared = math.prod(int(size) for size in shape) * kind.itemsize
    if not kind.hasobject and (declared != member.file_size - start or min(shape, default=1) < 0):
        raise DataError(
            f"Array {label}: expected {declared:,} bytes as its header says, got {member.file_size - start:,}: "
            "save it again with np.savez."
        )
    return shape, fortran, kind, start


def _read_header(file: Any) -> Header:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, kind = read(file, max_header_size=HEADER)
    empty = 0 in shape and max(shape) > BYTES  # so that its bytes say nothing of its size
    if empty or len(shape) > AXES or any(type(size) is not int for size in shape):  # True is an int, too
        raise ValueError("a shape that no array has")
    return shape, fortran, kind, file.tell()


def _array(name: str, header: Header, content: bytes, named: bool = False) -> NDArray[Any]:
    shape, fortran, kind, start = header
    label = plain_text(name, 40)
    if kind.hasobject or (kind.names is not None and not named) or (kind.kind not in "biufUS" and not named):
        raise DataError(f"Array {label}: expected numbers or texts, got {quoted(kind)}: convert it before saving.")
    if not shape:
        raise DataError(f"Array {label}: expected one value per example, got a single one of shape (): save an array.")
    if math.prod(shape) * kind.itemsize != len(content) - start or min(shape) < 0:
        raise DataError(f"Array {label}: expected as many bytes as its header says, got others: save it again.")
    at_most(f"rows in the array {label}", ROWS, shape[0], "take a random part of the rows")
    at_most(f"numbers in the array {label}", CELLS, math.prod(shape), "take a part of them")
    flat = np.frombuffer(content, dtype=kind, offset=start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    array = array if kind.isnative else array.astype(kind.newbyteorder("="))
    _check_letters(label, array)
    return array


def _check_letters(label: str, array: NDArray[Any]) -> None:
    # Python makes no text of numbers that are no letters, and fails in its own way.
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.ascontiguousarray(array).view(np.uint32)
        if codes.max() > sys.maxunicode:
            raise DataError(f"Array {label}: expected texts, got damaged letters: save it again.")
