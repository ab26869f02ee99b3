"""Feather and other Arrow files: the lengths that compressed buffers declare are added up before one is unfolded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from influence_core.data.dataset import DataError
from influence_core.data.uploads.columnar import collected, raw_of
from influence_core.data.uploads.limits import MEGABYTE, ROWS, UNPACKED, at_most
from influence_core.data.uploads.raw import Raw

FILE, STREAM = b"ARROW1\0\0", b"\xff\xff\xff\xff"


def read_feather(content: bytes) -> Raw:
    """A Feather file (version 2), or an Arrow file or stream as data sets are cached.

    Raises:
        DataError: damaged, too large, or with nested columns only.
    """
    try:
        # The directory at the end of a file might name other parts than those that were added up.
        stream = pa.py_buffer(content).slice(len(FILE) if content.startswith(FILE) else 0)
        unfolded = _unfolded(stream) // MEGABYTE
        at_most("MB in the unpacked file", UNPACKED // MEGABYTE, unfolded, "leave out some columns or rows")
        reader = pa.ipc.open_stream(stream)
        return raw_of(collected(reader, reader.schema), reader.schema)
    except (pa.ArrowException, OSError, ValueError, MemoryError, struct.error, IndexError, OverflowError) as error:
        words = "Expected a readable Feather or Arrow file, got a damaged or cut one: write and upload it again."
        raise DataError(str(error) if isinstance(error, DataError) else words) from None


def _unfolded(stream: pa.Buffer) -> int:
    """Bytes of all buffers once they are unpacked, as each declares; rows beyond the limit are refused on the way."""
    messages = pa.ipc.MessageReader.open_stream(stream)
    total, rows = 0, 0
    for message in messages:
        if message.type not in {"record batch", "dictionary"}:
            continue
        header = _Table.root(message.metadata.to_pybytes()).table(2)  # Message.header
        batch = header.table(1) if message.type == "dictionary" else header  # DictionaryBatch.data
        rows += batch.number(0) if message.type == "record batch" else 0
        at_most("rows", ROWS, rows, "take a random part of the rows")
        body = message.body.to_pybytes()
        packed = batch.field(3) is not None  # RecordBatch.compression
        for place, length in batch.pairs(2):  # RecordBatch.buffers
            declared = struct.unpack_from("<q", body, place)[0] if packed and length else -1
            total += length if declared < 0 else declared
    return total


class _Table:
    """A table of the flatbuffer that describes a message."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def field(self, slot: int) -> int | None:
        """Where a field stands, None where it has its default."""
        start = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        if 4 + 2 * slot >= struct.unpack_from("<H", self.data, start)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, start + 4 + 2 * slot)[0]
        return self.place + offset if offset else None

    def table(self, slot: int) -> _Table:
        place = self.field(slot)
        if place is None:
            raise ValueError("a part of the message is missing")
        return _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def number(self, slot: int) -> int:
        place = self.field(slot)
        return 0 if place is None else int(struct.unpack_from("<q", self.data, place)[0])

    def pairs(self, slot: int) -> Iterator[tuple[int, int]]:
        """Two 64-bit numbers for each entry of a vector."""
        place = self.field(slot)
        if place is None:
            return
        start = place + struct.unpack_from("<I", self.data, place)[0]
        for k in range(struct.unpack_from("<I", self.data, start)[0]):
            yield struct.unpack_from("<qq", self.data, start + 4 + 16 * k)
