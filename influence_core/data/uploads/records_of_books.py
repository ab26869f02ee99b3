"""Older and binary workbooks (.xls, .xlsb): how large their sheets become is found in their records.

A library reserves what a sheet declares and makes a full grid of it, so that one false number would fill the memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import at_most
from influence_core.data.uploads.marks import Marks, check_grid, damaged_workbook

RECORDS = 5_000_000
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA, _LABEL, _ERROR, _SEVERAL, _START, _EXTENT, _SHEET = 0x006, 0x0FD, 0x205, 0x0BD, 0x809, 0x200, 0x085
_TEXTS, _CONTINUE = 0x0FC, 0x03C
_CELLS = {_FORMULA, _LABEL, _ERROR, _SEVERAL, 0x203, 0x204, 0x27E, 0x0D6}
_BINARY_TEXT, _BINARY_ERRORS, _BINARY_EXTENT, _BINARY_SHEET, _BINARY_SHARED = 7, {3, 11}, 148, 156, 19
Record = tuple[int, int, bytes]  # what it is, where it starts, and its content


@dataclass(eq=False)
class _Extent:
    """Rows and columns of a sheet from its first cell on, the shared texts in it, and its errors."""

    rows: int = 0
    columns: int = 0
    texts: list[int] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)

    def take(self, row: int, column: int) -> None:
        self.rows, self.columns = max(self.rows, row + 1), max(self.columns, column + 1)


@contextmanager
def _sound() -> Generator[None]:
    try:
        yield
    except (struct.error, IndexError, ValueError, MemoryError) as error:
        raise error if isinstance(error, DataError) else damaged_workbook() from None


@_sound()
def checked_old(content: bytes) -> list[Marks]:
    """The marks of the sheets of an .xls in their order; sheets that are too large are a ``DataError``."""
    found, places, lengths, sheets = _Extent(), list[int](), np.zeros(0, dtype=np.int64), dict[int, _Extent]()
    with_texts: list[bytes] | None = None
    for kind, start, body in _limited(_old_records(_stream_of_book(content))):
        if with_texts is not None and kind != _CONTINUE:
            lengths, with_texts = _text_lengths(with_texts), None
        if kind == _START:
            found = sheets[start] = _Extent()
        elif kind == _TEXTS:
            with_texts = [body]
        elif kind == _CONTINUE and with_texts is not None:
            with_texts.append(body)
        elif kind == _SHEET:
            places.append(struct.unpack_from("<I", body)[0])
        elif kind == _EXTENT:
            _, row, _, column = struct.unpack_from("<IIHH", body)
            check_grid(row, column, 0)
        elif kind in _CELLS:
            _old_cell(found, kind, body)
    check_grid(sum(sheet.rows * sheet.columns for sheet in sheets.values()), 1, 0)  # all are unfolded at once
    _check_texts([*sheets.values()], lengths)
    return [sheets[place].marks if place in sheets else Marks() for place in places]


@_sound()
def checked_binary(parts: Mapping[str, bytes], targets: Callable[[], Mapping[str, str]]) -> list[Marks]:
    """The same of the parts of an .xlsb; ``targets`` gives files of sheets by their keys."""
    sheets, order, lengths = dict[str, _Extent](), list[str](), list[int]()
    for name, part in parts.items():
        found = sheets[name.rpartition("/")[2]] = _Extent()
        row = 0
        for kind, _, body in _limited(_binary_records(part)):
            if kind == _BINARY_SHARED:
                lengths.append(len(body))
            elif kind == _BINARY_SHEET:
                size = struct.unpack_from("<I", body, 8)[0]
                order.append(body[12 : 12 + 2 * size].decode("utf-16-le", "replace"))
            elif kind == _BINARY_EXTENT:
                _, last, _, right = struct.unpack_from("<IIII", body)
                check_grid(last + 1, right + 1, 0)
            elif kind == 0:
                row = struct.unpack_from("<I", body)[0]
            elif 1 < kind < 12 and "/worksheets/" in name:
                column = struct.unpack_from("<I", body)[0]
                found.take(row, column)
                if kind == _BINARY_TEXT:
                    found.texts.append(struct.unpack_from("<I", body, 8)[0])
                elif kind in _BINARY_ERRORS:
                    found.marks.errors.append((row, column))
    _check_texts([*sheets.values()], np.array(lengths, dtype=np.int64))
    files = targets()
    return [sheets.get(files.get(key, ""), _Extent()).marks for key in order]


def _old_cell(found: _Extent, kind: int, body: bytes) -> None:
    row, column = struct.unpack_from("<HH", body)
    found.take(row, struct.unpack_from("<H", body, len(body) - 2)[0] if kind == _SEVERAL else column)
    if kind == _LABEL:
        found.texts.append(struct.unpack_from("<I", body, 6)[0])
    elif (kind == _ERROR and body[7]) or (kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 2):
        found.marks.errors.append((row, column))


def _check_texts(sheets: list[_Extent], lengths: np.ndarray) -> None:
    for sheet in sheets:
        places = np.array(sheet.texts, dtype=np.int64)
        check_grid(sheet.rows, sheet.columns, int(lengths[places[places < len(lengths)]].sum()))


def _limited(records: Iterator[Record]) -> Iterator[Record]:
    for count, record in enumerate(records):
        at_most("records in a sheet", RECORDS, count, "save it as Parquet or CSV")
        yield record


def _old_records(book: bytes) -> Iterator[Record]:
    at = 0
    while at + 4 <= len(book):
        kind, size = struct.unpack_from("<HH", book, at)
        yield kind, at, book[at + 4 : at + 4 + size]
        at += 4 + size


def _binary_records(part: bytes) -> Iterator[Record]:
    at = 0
    while at < len(part):
        start, kind, size = at, part[at], 0
        at += 1
        if kind & 0x80:
            kind, at = (kind & 0x7F) | (part[at] & 0x7F) << 7, at + 1
        for shift in (0, 7, 14, 21):
            letter, at = part[at], at + 1
            size |= (letter & 0x7F) << shift
            if not letter & 0x80:
                break
        yield kind, start, part[at : at + size]
        at += size


def _text_lengths(segments: list[bytes]) -> np.ndarray:
    """Bytes of each shared text of an .xls; where one goes on in the next record, its width is said again."""
    lengths, data = list[int](), b"".join(segments)
    ends = np.cumsum([len(segment) for segment in segments]).tolist()
    count, at, segment = struct.unpack_from("<I", data, 4)[0], 8, 0
    while len(lengths) < count and at + 3 <= len(data):
        while at >= ends[segment]:
            segment += 1
        letters, flags = struct.unpack_from("<HB", data, at)
        at += 3
        behind = 4 * struct.unpack_from("<H", data, at)[0] if flags & 8 else 0
        at += 2 * bool(flags & 8)
        behind += struct.unpack_from("<I", data, at)[0] if flags & 4 else 0
        at += 4 * bool(flags & 4)
        lengths.append(2 * letters)
        while letters:
            if at >= ends[segment]:
                segment, flags, at = segment + 1, data[at], at + 1
            here = min(letters, (ends[segment] - at) // (1 + (flags & 1)))
            if here <= 0:
                raise IndexError("a letter that is cut")
            letters, at = letters - here, at + here * (1 + (flags & 1))
        at += behind
    return np.array(lengths, dtype=np.int64)


def _stream_of_book(content: bytes) -> bytes:
    """The stream of records in the compound file that an .xls is."""
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    fat = _table(content, size)
    listed = _chain(content, fat, struct.unpack_from("<I", content, 48)[0], size)
    entries = {listed[at : at + 64].decode("utf-16-le", "replace").partition("\0")[0]: listed[at : at + 128]
               for at in range(0, len(listed) - 127, 128)}  # fmt: skip
    entry = entries.get("Workbook") or entries.get("Book")
    if "Root Entry" not in entries:
        raise damaged_workbook()
    if entry is None:
        what = "an encrypted workbook" if "EncryptedPackage" in entries else "a document of another program"
        raise DataError(f"Expected a workbook, got {what}: save its table as .xlsx without a password, or as CSV.")
    first, length = struct.unpack_from("<II", entry, 116)
    if length >= struct.unpack_from("<I", content, 56)[0]:
        return _whole(_chain(content, fat, first, size), length)
    root, minis = struct.unpack_from("<I", listed, 116)[0], struct.unpack_from("<I", content, 60)[0]
    small = np.frombuffer(_chain(content, fat, minis, size), dtype="<u4")
    return _whole(_chain(bytes(64) + _chain(content, fat, root, size), small, first, 64), length)


def _whole(stream: bytes, length: int) -> bytes:
    if len(stream) < length:
        raise damaged_workbook()
    return stream[:length]


def _table(content: bytes, size: int) -> np.ndarray:
    """Which sector follows each."""
    sectors = list(struct.unpack_from("<109I", content, 76))
    more, count = struct.unpack_from("<II", content, 68)
    for _ in range(min(count, len(content) // size)):
        found = struct.unpack_from(f"<{size // 4}I", content, (more + 1) * size)
        sectors, more = [*sectors, *found[:-1]], found[-1]
    used = [sector for sector in sectors if (sector + 2) * size <= len(content)]
    return np.frombuffer(b"".join(content[(s + 1) * size : (s + 2) * size] for s in used), dtype="<u4")


def _chain(content: bytes, following: np.ndarray, first: int, size: int) -> bytes:
    parts, sector = list[bytes](), first
    while sector < len(following) and len(parts) <= len(following):
        parts.append(content[(sector + 1) * size : (sector + 2) * size])
        sector = int(following[sector])
    return b"".join(parts)
