"""Parquet: what the file says about itself is checked first, then batches are read and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import CELLS, COLUMNS, MEGABYTE, ROWS, UNPACKED, at_most, quoted
from influence_core.data.uploads.pictures import Pictures, decode
from influence_core.data.uploads.raw import Block, Raw, column_names

FOOTER = 8 * MEGABYTE
BATCH = 4_096
_PLAIN = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_string,
    pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_temporal, pa.types.is_null,
)  # fmt: skip


def read_parquet(content: bytes) -> Raw:
    """Plain columns, lists of numbers (embeddings) as blocks, and one column of encoded pictures.

    Raises:
        DataError: damaged, too large, or with nested columns.
    """
    try:
        return _read(content)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        words = "Expected a readable Parquet file, got a damaged or cut one: write and upload it again."
        raise DataError(str(error) if isinstance(error, DataError) else words) from None


def _read(content: bytes) -> Raw:
    if not content.endswith(b"PAR1"):
        raise pa.ArrowInvalid("cut")
    footer = int.from_bytes(content[-8:-4], "little")
    at_most("bytes in the description of a Parquet file", FOOTER, footer, "write it again")
    file = pq.ParquetFile(pa.BufferReader(content))
    _check_size(file.metadata)
    schema = file.schema_arrow
    _check_kinds(schema)
    names, notes = column_names(schema.names)
    # Read as a dictionary, a text that is repeated in every row stays one text.
    texts = [column.name for column in schema if _is_text(column.type)]
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    return _raw(_batches(file).rename_columns(names), notes)


def _check_size(metadata: pq.FileMetaData) -> None:
    at_most("columns", COLUMNS, metadata.num_columns, "leave out some columns")
    at_most("rows", ROWS, metadata.num_rows, "take a random part of the rows")
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    at_most("MB in the unpacked file", UNPACKED // MEGABYTE, unpacked // MEGABYTE, "leave out some columns or rows")
    at_most("cells", CELLS, metadata.num_rows * metadata.num_columns, "leave out some columns or rows")
    values = sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
    at_most("numbers in all columns", CELLS, values, "leave out some columns or rows")


def _check_kinds(schema: pa.Schema) -> None:
    for column in schema:
        kind = column.type
        inner = kind.value_type if pa.types.is_dictionary(kind) or _is_list(kind) else kind
        known = _is_number(inner) if _is_list(kind) else any(fits(inner) for fits in _PLAIN)
        if not known or (pa.types.is_dictionary(kind) and not _is_text(inner)):
            raise DataError(
                f"Column {quoted(column.name)}: expected numbers, texts or lists of numbers, got {quoted(kind)}: "
                "flatten it, or leave it out."
            )


def _batches(file: pq.ParquetFile) -> pa.Table:
    batches, used = [], 0
    for batch in file.iter_batches(batch_size=BATCH):
        used += batch.nbytes
        at_most("MB in the unpacked file", UNPACKED // MEGABYTE, used // MEGABYTE, "leave out some columns or rows")
        batches.append(batch)
    table = pa.Table.from_batches(batches, None if batches else file.schema_arrow)
    at_most("rows", ROWS, table.num_rows, "take a random part of the rows")
    return table


def _raw(table: pa.Table, notes: tuple[str, ...]) -> Raw:
    plain: dict[str, Any] = {}
    blocks: dict[str, Block] = {}
    images, said = None, list(notes)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if _is_list(column.type):
            values = _vectors(name, column)
            blocks[name] = Block(values, tuple(f"{name}[{k}]" for k in range(values.shape[1])))
        elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            if images is not None:
                raise DataError(f"Expected one column of pictures, got a second, {quoted(name)}: leave one out.")
            found = _decoded(name, column)
            images = found.images
            said += [f"Column {quoted(name)} holds pictures; they are shown, not fitted.", *found.notes]
        else:
            plain[name] = _series(column)
    frame = pd.DataFrame(plain, index=pd.RangeIndex(table.num_rows))
    return Raw(frame, blocks, images, tuple(said))


def _series(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_decimal(kind) or kind == pa.float16():
        column = column.cast(pa.float64())
    if pa.types.is_dictionary(kind):
        column = column.unify_dictionaries()
    found: pd.Series = column.to_pandas(date_as_object=False)
    return found.reset_index(drop=True)


def _decoded(name: str, column: pa.ChunkedArray) -> Pictures:
    if column.null_count:
        raise DataError(
            f"Column {quoted(name)}: expected a picture in every row, got {column.null_count:,} missing ones."
        )
    return decode([(f"row {row}", value.as_py) for row, value in enumerate(column, 1)])


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


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
