"""JSON records and LibSVM lines written again with some labels changed, some left out, and all else as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influence_core.data.uploads.columns import row_names
from influence_core.data.uploads.raw import Raw

Edit = Callable[[Mapping[int, int], NDArray[np.bool_]], bytes]
_BLANK, _LABEL = re.compile(r"[ \t\r\n]*"), re.compile(r"^[ \t]*([^ \t\r\n#]+)[^\r\n]*(?:\r\n|\n|\Z)", re.MULTILINE)
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class _Part:
    """One record: where it lies, and where its label does."""

    start: int
    end: int
    field: int
    stop: int


def records_editor(content: bytes, raw: Raw, target: str) -> Edit | None:
    """Of records in a list or one after the other; None for other JSON, or where a record lacks the label."""
    try:
        text = content.decode()
        parts = _records(text, target)
    except (ValueError, IndexError):
        return None
    if len(parts) != len(raw):
        return None
    told = [json.loads(text[part.field : part.stop]) for part in parts]
    names = row_names(raw, target)
    if any(isinstance(value, str) and value != name for value, name in zip(told, names, strict=True)):
        return None
    return _editor(text, parts)


def lines_editor(content: bytes, raw: Raw) -> Edit | None:
    """Of LibSVM text, whose lines begin with their labels."""
    text = content.decode(errors="surrogateescape")
    found = [match for match in _LABEL.finditer(text) if match[1]]
    parts = [_Part(match.start(), match.end(), *match.span(1)) for match in found]
    if [float(match[1]) for match in found] != raw.frame.iloc[:, 0].tolist():
        return None
    return _editor(text, parts)


def _editor(text: str, parts: list[_Part]) -> Edit:
    """What stands between two records goes with the first of them, unless none follows."""

    def edit(changes: Mapping[int, int], stays: NDArray[np.bool_]) -> bytes:
        kept = np.flatnonzero(stays).tolist()
        pieces = [text[: parts[0].start]]
        for row in kept:
            part = parts[row]
            label = parts[changes.get(row, row)]
            pieces += [text[part.start : part.field], text[label.field : label.stop], text[part.stop : part.end]]
            if row != kept[-1]:
                pieces.append(text[part.end : parts[row + 1].start])
        return "".join([*pieces, text[parts[-1].end :]]).encode(errors="surrogateescape")

    return edit


def _records(text: str, key: str) -> list[_Part]:
    at, parts = _skipped(text, int(text.startswith("\ufeff"))), list[_Part]()
    listed = text[at] == "["
    at = _skipped(text, at + listed)
    while at < len(text) and text[at] == "{":
        _, end = _DECODER.raw_decode(text, at)
        parts.append(_Part(at, end, *_span(text, at, key)))
        at = _skipped(text, end)
        if listed and text[at] == ",":
            at = _skipped(text, at + 1)
    if _skipped(text, at + listed) != len(text):
        raise ValueError("other JSON than records")
    return parts


def _span(text: str, at: int, key: str) -> tuple[int, int]:
    """Where the value of a key of the object at ``at`` lies; of equal keys the last one counts."""
    found, at = None, _skipped(text, at + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        start = _skipped(text, _skipped(text, at) + 1)
        _, at = _DECODER.raw_decode(text, start)
        found = (start, at) if name == key else found
        at = _skipped(text, at)
        at = _skipped(text, at + (text[at] == ","))
    if found is None:
        raise ValueError("a record without the label")
    return found


def _skipped(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
