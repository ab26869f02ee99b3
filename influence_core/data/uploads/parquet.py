"""Parquet: what the file says about itself is checked first, then batches are read and counted."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from influence_core.data.dataset import DataError
from influence_core.data.uploads.columnar import collected, raw_of
from influence_core.data.uploads.footer import numbers_of_values
from influence_core.data.uploads.limits import CELLS, COLUMNS, MEGABYTE, ROWS, UNPACKED, at_most
from influence_core.data.uploads.raw import Raw

FOOTER = 8 * MEGABYTE
BATCH = 4_096


def read_parquet(content: bytes) -> Raw:
    """Plain columns, lists of numbers (embeddings) as blocks, and one column of encoded pictures.

    Raises:
        DataError: damaged, too large, or with nested columns only.
    """
    try:
        return raw_of(*_table(content))
    except (pa.ArrowException, OSError, ValueError, MemoryError, IndexError, RecursionError) as error:
        words = "Expected a readable Parquet file, got a damaged or cut one: write and upload it again."
        raise DataError(str(error) if isinstance(error, DataError) else words) from None


def _table(content: bytes) -> tuple[pa.Table, pa.Schema]:
    if not content.endswith(b"PAR1"):
        raise pa.ArrowInvalid("cut")
    footer = int.from_bytes(content[-8:-4], "little")
    at_most("bytes in the description of a Parquet file", FOOTER, footer, "write it again")
    values = sum(numbers_of_values(content[-8 - footer : -8]))
    at_most("numbers in all columns", CELLS, values, "leave out some columns or rows")
    file = pq.ParquetFile(pa.BufferReader(content))
    _check_size(file.metadata)
    # Read as a dictionary, a text that is repeated in every row stays one text.
    schema = file.schema_arrow
    texts = [c.name for c in schema if pa.types.is_string(c.type) or pa.types.is_large_string(c.type)]
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    return collected(file.iter_batches(batch_size=BATCH), file.schema_arrow), schema


def _check_size(metadata: pq.FileMetaData) -> None:
    at_most("columns", COLUMNS, metadata.num_columns, "leave out some columns")
    at_most("rows", ROWS, metadata.num_rows, "take a random part of the rows")
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    at_most("MB in the unpacked file", UNPACKED // MEGABYTE, unpacked // MEGABYTE, "leave out some columns or rows")
    at_most("cells", CELLS, metadata.num_rows * metadata.num_columns, "leave out some columns or rows")
