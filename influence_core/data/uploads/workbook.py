"""Workbooks of strangers: how large their sheets become is found in the XML before a library unfolds them.

A library makes a full grid of a sheet, so that two cells in opposite corners, or one cell that is repeated, would fill
the memory.  It gets a copy of exactly those members that were looked at.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

import numpy as np

from influence_core.data.uploads.archive import open_archive, unpack
from influence_core.data.uploads.limits import UNPACKED
from influence_core.data.uploads.marks import Marks, check_grid, damaged_workbook
from influence_core.data.uploads.records_of_books import OLD, checked_binary, checked_old

_CELL = re.compile(rb"<(?:[^\s<>/:]*:)?(c|row)(?=[\s/>])([^>]*)>")
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']""")
_SHARED = re.compile(rb"""\st\s*=\s*["']s["']""")
_SHARED_PLACE = re.compile(rb"""\st="s"[^>]*>\s*<v>([0-9]{1,9})</v>""")
_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
_UNCOUNTED = re.compile(rb"\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</")
_ITEM = re.compile(rb"<si>|<si\s[^>]*>|<si/>")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*?\b\w+:id=[\"']([^\"']+)[\"']")
_RELATION = re.compile(rb"<Relationship\s[^>]*>")
_OPEN = re.compile(rb"<table:(table|table-row|table-cell|covered-table-cell)(?=[\s/>])([^>]*)>")
_TIMES = re.compile(rb"""table:number-(columns|rows)-(repeated|spanned)\s*=\s*(?:["']([0-9]{1,9})["'])?""")


def checked_workbook(content: bytes) -> tuple[bytes, list[Marks]]:
    """A copy of a workbook whose sheets are known to be small enough.

    Returns:
        The copy, and the marks of its sheets in their order; a damaged or encrypted one, or a sheet that is too large,
        is a ``DataError``.
    """
    if content.startswith(OLD):
        return content, checked_old(content)
    archive, members = open_archive(content, hidden=True)
    parts: dict[str, bytes] = {}
    for member in members:
        if member.filename.endswith((".xml", ".rels", ".bin")) or member.filename == "mimetype":
            parts[member.filename] = unpack(archive, member)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        for name, part in parts.items():
            target.writestr(name, part if name.endswith(".bin") else _in_bytes(part))
    if "content.xml" in parts:
        return copy.getvalue(), _open_marks(parts["content.xml"])
    if "xl/workbook.bin" in parts:
        binary = {name: part for name, part in parts.items() if name.endswith(".bin")}
        return copy.getvalue(), checked_binary(binary, lambda: _targets(parts))
    return copy.getvalue(), _sheet_marks(parts)


def _in_bytes(part: bytes) -> bytes:
    """XML in an encoding of whole bytes, in which a tag is found by its letters."""
    if b"\0" in part:
        raise damaged_workbook()
    return part


def _sheet_marks(parts: dict[str, bytes]) -> list[Marks]:
    texts = next((part for name, part in parts.items() if name.endswith("sharedStrings.xml")), b"")
    lengths = np.diff([*(m.start() for m in _ITEM.finditer(texts)), len(texts)])
    marks = {name: _scan(part, lengths) for name, part in parts.items()}
    targets = _targets(parts)
    book = next((part for name, part in parts.items() if name.endswith("workbook.xml")), b"")
    by_file = {name.rpartition("/")[2]: mark for name, mark in marks.items()}
    return [by_file.get(targets.get(key.decode("utf-8", "replace"), ""), Marks()) for key in _SHEET.findall(book)]


def _targets(parts: Mapping[str, bytes]) -> dict[str, str]:
    """Names of the files of sheets by their keys."""
    relations = next((part for name, part in parts.items() if re.search(r"workbook\.(xml|bin)\.rels$", name)), b"")
    targets = {}
    for tag in _RELATION.findall(relations):
        found = dict(re.findall(r"\b(Id|Target)=[\"']([^\"']*)[\"']", tag.decode("utf-8", "replace")))
        targets[found.get("Id", "")] = found.get("Target", "").rpartition("/")[2]
    return targets


def _scan(xml: bytes, lengths: np.ndarray) -> Marks:
    marks, row, column, last, shared = Marks(), -1, -1, (-1, -1), 0
    for tag in _CELL.finditer(xml):
        attributes = _whole(tag[2])
        place = _PLACE.search(attributes)
        if tag[1] == b"row":
            row, column = (int(place[2]) - 1 if place else row + 1), -1
            continue
        if place:
            row, column = int(place[2]) - 1, _column(place[1])
        else:
            column += 1
        if attributes.endswith(b"/"):
            continue
        last = max(last[0], row), max(last[1], column)
        if _SHARED.search(attributes):
            shared += 1
        elif _ERROR.search(attributes):
            marks.errors.append((row, column))
        elif _UNCOUNTED.match(xml, tag.end()):
            marks.uncounted.append((row, column))
    check_grid(last[0] + 1, last[1] + 1, _shared_bytes(xml, shared, lengths))
    return marks


def _shared_bytes(xml: bytes, cells: int, lengths: np.ndarray) -> int:
    # The longest text for every cell that refers to one; where that is too much, what each refers to.
    longest = int(lengths.max(initial=0))
    if cells * longest <= UNPACKED:
        return cells * longest
    places = np.array([int(place) for place in _SHARED_PLACE.findall(xml)], dtype=np.int64)
    places = places[places < len(lengths)]
    return int(lengths[places].sum()) + (cells - len(places)) * longest


def _open_marks(xml: bytes) -> list[Marks]:
    # An .ods says how often a row or cell is repeated; an empty one counts only where a value follows.
    found: list[Marks] = []
    row, column, times, size = 0, 0, 1, [0, 0, 0]
    tags = [*_OPEN.finditer(xml), None]
    for tag, after in zip(tags, tags[1:], strict=False):
        assert tag is not None
        attributes = _whole(tag[2])
        if tag[1] == b"table":
            found.append(Marks())
            row, column, times, size = 0, 0, 0, [0, 0, 0]
        elif tag[1] == b"table-row":
            row, column, times = row + times, 0, _times(attributes, b"rows", b"repeated")
        elif found:
            repeated = _times(attributes, b"columns", b"repeated")
            if not attributes.endswith(b"/") or b"value" in attributes:
                _note(found[-1], attributes, row, column)
                text = ((after.start() if after else len(xml)) - tag.end()) * repeated * times
                size = [row + times, max(size[1], column + repeated), size[2] + text]
                check_grid(*size)
            column += repeated
    return found


def _note(marks: Marks, attributes: bytes, row: int, column: int) -> None:
    if b'calcext:value-type="error"' in attributes or b"of:=NA()" in attributes:
        marks.errors.append((row, column))
    down, right = (_times(attributes, what, b"spanned") for what in (b"rows", b"columns"))
    if down * right > 1:
        marks.spans.append(((row, column), (row + down - 1, column + right - 1)))


def _times(attributes: bytes, what: bytes, how: bytes) -> int:
    for name, manner, number in _TIMES.findall(attributes):
        if (name, manner) == (what, how):
            if not number:
                raise damaged_workbook()
            return int(number)
    return 1


def _whole(attributes: bytes) -> bytes:
    """The attributes of a tag; a > inside one of them would hide the rest."""
    if attributes.count(b'"') % 2 or attributes.count(b"'") % 2:
        raise damaged_workbook()
    return attributes


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = 26 * place + letter - 64
    return place - 1
