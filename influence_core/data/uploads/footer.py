"""How many values the columns of a Parquet file hold, as its footer says (Thrift, compact protocol).

The library has these numbers too, but ends the whole process where a damaged footer contradicts itself.
"""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12
# Fields by number: row_groups, their columns, the meta_data of each, its num_values.
Wanted = dict[int, Any]
_VALUES: Wanted = {4: {1: {3: {5: {}}}}}


def numbers_of_values(footer: bytes) -> list[int]:
    """Number of values of every column in every row group.

    Returns:
        As many as there are column chunks; a damaged footer is an ``IndexError`` or ``RecursionError``.
    """
    reader = _Compact(footer)
    reader.struct(_VALUES)
    return reader.found


class _Compact:
    """A walk through a message; what is wanted is kept, everything else is skipped."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0
        self.found: list[int] = []

    def struct(self, wanted: Wanted | None) -> None:
        field = 0
        while head := self.byte():
            field = field + (head >> 4) if head >> 4 else self.number()
            self.value(head & 15, None if wanted is None else wanted.get(field))

    def value(self, kind: int, wanted: Wanted | None, listed: bool = False) -> None:
        if kind == _STRUCT:
            self.struct(wanted)
        elif kind in {_LIST, _SET}:
            head = self.byte()
            for _ in range(self.varint() if head >> 4 == 15 else head >> 4):
                self.value(head & 15, wanted, listed=True)
        elif kind == _MAP:
            size = self.varint()
            kinds = self.byte() if size else 0
            for _ in range(size):
                self.value(kinds >> 4, None, listed=True)
                self.value(kinds & 15, None, listed=True)
        elif _I16 <= kind <= _I64:
            number = self.number()
            self.found += [number] if wanted is not None else []
        else:
            self.skip(kind, listed)

    def skip(self, kind: int, listed: bool) -> None:
        # True and false are told by the kind of a field, and take a byte in a list.
        sizes = {_TRUE: int(listed), _FALSE: int(listed), _BYTE: 1, _DOUBLE: 8}
        size = self.varint() if kind == _BINARY else sizes.get(kind, len(self.data))
        self.place += size
        if self.place > len(self.data):
            raise IndexError("cut")

    def number(self) -> int:
        plain = self.varint()
        return (plain >> 1) ^ -(plain & 1)

    def varint(self) -> int:
        plain, shift = 0, 0
        while True:
            byte = self.byte()
            plain |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return plain
            if shift > 63:
                raise IndexError("no number is that long")

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]
