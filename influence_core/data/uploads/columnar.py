"""Arrow tables (from Parquet, Feather) as what a file held: kinds, pictures, embeddings, and what writers add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api import types

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import (
    CELLS,
    COLUMNS,
    MEGABYTE,
    ROWS,
    UNPACKED,
    at_most,
    plain_text,
    quoted,
)
from influence_core.data.uploads.pictures import Pictures, decode
from influence_core.data.uploads.pixels import pixel_block
from influence_core.data.uploads.raw import Block, Raw, Reading, column_names
from influence_core.data.uploads.remarks import class_labels, data_frame_index
from influence_core.data.uploads.typed import EXACT, TEXT

_PLAIN = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_string,
    pa.types.is_large_string, pa.types.is_temporal, pa.types.is_null,
)  # fmt: skip
INDEX = "index"


@dataclass(eq=False)
class _Parts:
    """What has been made of the columns so far."""

    plain: dict[str, pd.Series] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    pictures: Pictures | None = None
    pictured: str = ""
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collected(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """The batches as one table, counted while they come; too many rows or bytes are a ``DataError``."""
    kept, used, rows = [], 0, 0
    for batch in batches:
        batch.validate(full=True)  # offsets that lead out of a buffer would crash whoever follows them
        used, rows = used + batch.nbytes, rows + batch.num_rows
        at_most("MB in the unpacked file", UNPACKED // MEGABYTE, used // MEGABYTE, "leave out some columns or rows")
        at_most("rows", ROWS, rows, "take a random part of the rows")
        kept.append(batch)
    return pa.Table.from_batches(kept, None if kept else schema)


def raw_of(table: pa.Table, schema: pa.Schema) -> Raw:
    """Plain columns, lists of numbers (embeddings) as blocks, encoded pictures, and the index of a data frame.

    Args:
        table: the content; texts may be kept as dictionaries.
        schema: as the file declares it; what is a dictionary in it are categories.

    Returns:
        The content; pictures are features where there is no embedding, else only shown.  What is too large, a damaged
        picture, or columns nested so deeply that fewer than two are left, are a ``DataError``.
    """
    metadata = schema.metadata or {}
    index = data_frame_index(metadata, table.schema.names)
    categories = {column.name for column in schema if pa.types.is_dictionary(column.type)}
    table = _flat(table)
    at_most("cells", CELLS, table.num_rows * table.num_columns, "leave out some columns or rows")
    names, notes = column_names(
        [INDEX if name in index and name.startswith("__") else name for name in table.schema.names]
    )
    classes = class_labels(metadata)
    parts = _Parts(notes=list(notes))
    for given, name, column in zip(table.schema.names, names, table.columns, strict=True):
        _sort(parts, name, column, classes.get(given, ()))
        if given in categories and _is_text(_inner(column.type)):
            parts.readings[name] = TEXT
    named = [name for given, name in zip(table.schema.names, names, strict=True) if given in index]
    return _raw(parts, table.num_rows, [name for name in named if name in parts.plain])


def _sort(parts: _Parts, name: str, column: pa.ChunkedArray, classes: tuple[str, ...]) -> None:
    kind = column.type
    if _is_picture(kind):
        if parts.pictures is not None:
            raise DataError(f"Expected one column of pictures, got a second, {quoted(name)}: leave one out.")
        parts.pictures, parts.pictured = _decoded(name, column), name
        paths = _paths(column)
        if paths is not None and len({*paths}) == len(paths):
            parts.plain["file" if "file" not in parts.plain else f"{name} file"] = paths
    elif _is_list(kind) and (_is_number(kind.value_type) or pa.types.is_boolean(kind.value_type)):
        values = _vectors(name, column)
        parts.blocks[name] = Block(values, tuple(f"{name}[{k}]" for k in range(values.shape[1])))
    elif classes and pa.types.is_integer(kind):
        parts.plain[name], parts.readings[name] = _labelled(column, classes), TEXT
        parts.notes.append(f"Column {quoted(name)} has the {len(classes)} class names that the file declares.")
    elif any(fits(_inner(kind)) for fits in _PLAIN):
        parts.plain[name] = _series(name, column, parts.notes)
    else:
        parts.left_out.append(f"{quoted(name)} ({plain_text(kind, 40)})")


def _raw(parts: _Parts, rows: int, index: list[str]) -> Raw:
    notes, blocks, pictures = parts.notes, dict(parts.blocks), parts.pictures
    if len(parts.plain) + len(blocks) + (pictures is not None) < 2 and parts.left_out:
        raise DataError(
            f"Column {parts.left_out[0]}: expected numbers, texts, lists of numbers or pictures, got another kind: "
            "flatten it, or leave it out."
        )
    if parts.left_out:
        notes.append(f"Columns of a kind that cannot be used were left out: {', '.join(parts.left_out[:5])}.")
    if pictures is not None:
        shown = bool(blocks)
        blocks |= {} if shown else {parts.pictured: pixel_block(pictures.images)}
        what = "they are shown, not fitted" if shown else "their pixels are the features"
        notes += [f"Column {quoted(parts.pictured)} holds pictures; {what}.", *pictures.notes]
    if not index and "file" in parts.plain and pictures is not None:
        index = ["file"]
    frame = pd.DataFrame(parts.plain, index=pd.RangeIndex(rows))
    names_rows = len(index) == 1 and frame[index[0]].is_unique and frame[index[0]].notna().all()
    for name in index:
        kind = frame[name].dtype
        if not (types.is_numeric_dtype(kind) or types.is_datetime64_any_dtype(kind)):
            parts.readings[name] = TEXT  # a name is kept as it is written
        what = (
            "names the rows" if names_rows else "was an index that does not name each row, and is no feature by guess"
        )
        notes.append(f"Column {quoted(name)} {what}.")
    return Raw(
        frame, blocks, None if pictures is None else pictures.images, tuple(notes),
        index=index[0] if names_rows else "", aside=() if names_rows else tuple(index), readings=parts.readings,
    )  # fmt: skip


def _flat(table: pa.Table) -> pa.Table:
    # Objects within a row become columns outer.inner, two levels deep; pictures stay together.
    for _ in range(2):
        names: list[str] = []
        columns: list[pa.ChunkedArray] = []
        for name, column in zip(table.schema.names, table.columns, strict=True):
            if pa.types.is_struct(column.type) and not _is_picture(column.type) and column.type.num_fields:
                names += [f"{name}.{part.name}" for part in column.type]
                columns += [pc.struct_field(column, [k]) for k in range(column.type.num_fields)]
            else:
                names.append(name)
                columns.append(column)
        table = pa.Table.from_arrays([_own_bytes(column) for column in columns], names)
    return table


def _own_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # Texts as views (polars writes them) may all show the same bytes, so their lengths are added up before a copy.
    text = pa.types.is_string_view(column.type)
    if not text and not pa.types.is_binary_view(column.type):
        return column
    used = 0
    for chunk in column.chunks:
        views = np.frombuffer(chunk.buffers()[1] or b"", np.int32)[::4][chunk.offset : chunk.offset + len(chunk)]
        used += int(views[chunk.is_valid().to_numpy(zero_copy_only=False)].sum(dtype=np.int64))
    at_most("MB of text in a column", UNPACKED // MEGABYTE, used // MEGABYTE, "leave it out")
    kind = pa.large_string() if text else pa.large_binary()
    return pa.chunked_array([pa.array(chunk.to_pylist(), kind) for chunk in column.chunks], kind)


def _labelled(column: pa.ChunkedArray, classes: tuple[str, ...]) -> pd.Series:
    codes = column.fill_null(-1).to_numpy()
    if len(codes) and (codes.min() < -1 or codes.max() >= len(classes)):
        raise DataError(
            f"Expected classes from 0 to {len(classes) - 1} as the file declares names for them, got {codes.max()}: "
            "write the file again."
        )
    return pd.Series(np.array([*classes, None], dtype=object)[codes])


def _series(name: str, column: pa.ChunkedArray, notes: list[str]) -> pd.Series:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.unify_dictionaries()
        if not _is_text(kind.value_type):
            return _series(
                name, pa.chunked_array([c.dictionary_decode() for c in column.chunks], kind.value_type), notes
            )
    if pa.types.is_decimal(kind) or kind == pa.float16():
        column = column.cast(pa.float64())
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        notes.append(f"Column {quoted(name)} holds times and was read in seconds.")
        return _seconds(column)
    exact = pa.types.is_integer(kind) and column.null_count and _largest(column) > EXACT
    mapper = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get if exact else None
    found: pd.Series = column.to_pandas(date_as_object=False, types_mapper=mapper)
    return found.reset_index(drop=True)


def _largest(column: pa.ChunkedArray) -> int:
    ends = pc.min_max(column).as_py()
    return int(max(abs(ends["min"] or 0), abs(ends["max"] or 0)))


def _seconds(column: pa.ChunkedArray) -> pd.Series:
    unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
    bits = pa.int32() if column.type.bit_width == 32 else pa.int64()
    counts = column.cast(bits).cast(pa.float64(), safe=False)
    seconds: pd.Series = counts.to_pandas() / unit
    return seconds.reset_index(drop=True)


def _decoded(name: str, column: pa.ChunkedArray) -> Pictures:
    images = _field(column, "bytes") if pa.types.is_struct(column.type) else column
    if images.null_count:
        words = " (only paths of files)" if pa.types.is_struct(column.type) else ""
        raise DataError(
            f"Column {quoted(name)}: expected a picture in every row, got {images.null_count:,} missing ones{words}: "
            "write the bytes of the pictures into the file."
        )
    return decode([(f"row {row}", value.as_py) for row, value in enumerate(images, 1)])


def _paths(column: pa.ChunkedArray) -> pd.Series | None:
    if not pa.types.is_struct(column.type):
        return None
    paths = _field(column, "path")
    return None if paths.null_count or not len(paths) else pd.Series(paths.to_pylist(), dtype=object)


def _field(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return pc.struct_field(column, name)


def _vectors(name: str, column: pa.ChunkedArray) -> NDArray[Any]:
    joined = column.combine_chunks()
    array = joined if isinstance(joined, pa.Array) else joined.chunk(0)
    if array.null_count or not len(array):
        raise DataError(
            f"Column {quoted(name)}: expected a list of numbers in every row, got a missing one: fill it in."
        )
    lengths = np.unique(pc.list_value_length(array).to_numpy(zero_copy_only=False))
    if len(lengths) != 1 or lengths[0] < 1:
        raise DataError(
            f"Column {quoted(name)}: expected lists of the same length, got lengths from {lengths.min()} to "
            f"{lengths.max()}: pad or leave it out."
        )
    at_most(f"numbers in each list of {quoted(name)}", COLUMNS, int(lengths[0]), "make the lists shorter")
    values = array.flatten().to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "iuf" or values.dtype.itemsize < 4:
        values = values.astype(np.float64)
    matrix: NDArray[Any] = values.reshape(len(array), int(lengths[0]))
    return matrix


def _inner(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return {part.name for part in kind} == {"bytes", "path"}
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
