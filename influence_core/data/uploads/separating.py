"""Records of a text, and what separates their fields."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import plain_text

SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}  # the last is in numbers, too
BLANKS = " "
RECORDS = 100
_NUMBER = re.compile(
    r"[+\-−(]?\s*[$€£¥]?\s*[+\-−]?(\d[\d.,'’\s]*|[.,]\d+)([eE][+-]?\d+)?\s*[%€$£]?\)?"  # a date, too
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|[+-]?(inf|Infinity)"
)


@dataclass(frozen=True)
class Record:
    """Fields of one record, the line it starts with, and the line after its last."""

    fields: tuple[str, ...]
    first: int
    last: int

    @property
    def full(self) -> int:
        """How many fields hold anything."""
        return sum(bool(field.strip()) for field in self.fields)


def records_of(lines: Sequence[str], first: int, separator: str, spaced: bool = False) -> Iterator[Record]:
    """The records of some lines, line ends in quoted fields included; a ``DataError`` where the first is none."""
    reader = reader_of(lines[first:], separator, spaced)
    before = 0
    try:
        for fields in reader:
            yield Record(tuple(fields), first + before, first + reader.line_num)
            before = reader.line_num
    except csv.Error as error:
        if before:  # the table breaks off further down, which is found when all of it is read
            return
        raise DataError(
            f"Expected a table as text, got first lines that are none ({plain_text(error, 60)}): save it as CSV."
        ) from None


def reader_of(lines: Iterable[str], separator: str, spaced: bool, strict: bool = False) -> Any:
    """A reader of records; between blanks a tab is one more of them."""
    if separator == BLANKS:
        lines = (line.replace("\t", BLANKS).strip(BLANKS) for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=spaced or separator == BLANKS, strict=strict)


def separator_of(lines: Sequence[str]) -> str:
    """What most probably stands between the fields of some lines."""
    scores = {separator: _score(lines, separator) for separator in SEPARATORS}
    best = max(scores, key=lambda separator: scores[separator])
    blanks = _score(lines, BLANKS)
    runs = sum(bool(re.search(r"\S  +\S", line)) for line in lines[:RECORDS]) > len(lines[:RECORDS]) / 2
    if blanks[0] == 1 and (scores[best][0] < 0.5 or (best == "\t" and runs and blanks[1] > scores[best][1])):
        return BLANKS
    return best if scores[best][1] else ","


def _score(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """How many lines have the usual number of fields, and how many fields hold no other mark; and that number."""
    try:
        records = [record for record in islice(records_of(lines[:RECORDS], 0, separator), RECORDS) if record.full]
    except DataError:
        return 0.0, 0
    sizes = Counter(len(record.fields) for record in records if len(record.fields) > 1)
    if not sizes:
        return 0.0, 0
    width = max(sizes, key=lambda size: (sizes[size], size))
    if separator == BLANKS and (len(sizes) > 1 or len(records) < 3 or sizes[width] < len(records)):
        return 0.0, 0
    cells = [field for record in records for field in record.fields]
    others = [*{*SEPARATORS, '"'} - {separator}]
    clean = sum(not any(mark in cell for mark in others) or is_number(cell) for cell in cells)
    fit = (sizes[width] / len(records)) ** 4  # the number of fields counts most, and most of all in the first line
    named = 1.0 if len(records[0].fields) == width else 0.5
    return round(named * fit * clean / len(cells), 3), width


def is_number(cell: str) -> bool:
    """Whether a cell looks like a number or a date."""
    return bool(_NUMBER.fullmatch(cell.strip()))
