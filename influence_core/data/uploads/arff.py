"""ARFF, the tables of Weka and OpenML: attributes declared above the data, ``?`` for what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import CELLS, ROWS, at_most, quoted
from influence_core.data.uploads.raw import Raw, column_names
from influence_core.data.uploads.typed import TEXT

# A quoted text with backslashes before quotes, or anything up to a comma; then a comma or the end.
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_VALUE = re.compile(rf"\s*({_QUOTED}|[^,\t'\"]*?)\s*(,|\t|$)")
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(.*)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
_NUMERIC = {"numeric", "real", "integer"}


@dataclass(frozen=True)
class Attribute:
    """A declared column: ``kind`` is number, text, date or nominal; a nominal one has the ``values`` it may take."""

    name: str
    kind: str
    values: tuple[str, ...] = ()


def read_arff(content: bytes) -> Raw:
    """The table; nominal attributes are categories even where they are digits.

    Returns:
        One column per attribute; data that are not as declared, sparse or with tables inside are a ``DataError``.
    """
    text = content.decode("utf-8-sig", errors="replace")
    if "\ufffd" in text:
        text = content.decode("cp1252", errors="replace")
    lines = enumerate(text.splitlines(), 1)
    attributes = [*_attributes(lines)]
    names, notes = column_names([attribute.name for attribute in attributes])
    at_most("cells", CELLS, len(attributes) * text.count("\n"), "leave out some columns or rows")
    rows, places = [], []
    for place, line in lines:
        if line.strip() and not line.lstrip().startswith("%"):
            rows.append(_row(line.strip(), place, len(attributes)))
            places.append(place)
            at_most("rows", ROWS, len(rows), "take a random part of the rows")
    cells = zip(*rows, strict=True) if rows else [()] * len(attributes)
    columns = [_column(a, values, places) for a, values in zip(attributes, cells, strict=True)]
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)))
    readings = {name: TEXT for name, attribute in zip(names, attributes, strict=True) if attribute.kind == "nominal"}
    return Raw(frame, notes=(f"An ARFF file with {len(names)} declared attributes.", *notes), readings=readings)


def is_arff(text: str) -> bool:
    """Whether the first line that is no comment declares a relation or an attribute."""
    lines = (line.strip().lower() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("%")), "")
    return first.startswith(("@relation", "@attribute"))


def _attributes(lines: Iterator[tuple[int, str]]) -> Iterator[Attribute]:
    for place, line in lines:
        words = line.strip()
        if words.lower().startswith("@data"):
            return
        if words.lower().startswith("@attribute"):
            found = _ATTRIBUTE.match(words)
            if found is None:
                raise _unknown(place, words)
            yield _attribute(_plain(found[1]), found[2].strip(), place)
    raise DataError("Expected a line @data above the rows of an ARFF file, got none: save it again.")


def _attribute(name: str, kind: str, place: int) -> Attribute:
    word = kind.split(maxsplit=1)[0].lower() if kind else ""
    if word in _NUMERIC:
        return Attribute(name, "number")
    if kind.startswith("{") and "}" in kind:
        return Attribute(name, "nominal", tuple(_values(kind[1 : kind.rindex("}")], place)))
    if word in {"string", "date"}:
        return Attribute(name, "text" if word == "string" else "date")
    raise DataError(
        f"Line {place:,}: expected an attribute that is numeric, nominal, string or date, got {quoted(kind)}: "
        "leave it out, or save the table as CSV."
    )


def _row(line: str, place: int, width: int) -> list[str | None]:
    if line.startswith("{"):
        raise DataError(
            f"Line {place:,}: expected a value for every attribute, got a sparse row: convert the file with Weka's "
            "SparseToNonSparse, or save it as CSV."
        )
    values = (
        [*_values(line, place)]
        if "'" in line or '"' in line
        else [*map(str.strip, line.split("," if "," in line else "\t"))]
    )
    if len(values) != width:
        raise DataError(f"Line {place:,}: expected {width} values as declared, got {len(values)}: mend that line.")
    return [None if value == "?" else value for value in values]


def _values(line: str, place: int) -> Iterator[str]:
    start = 0
    while start <= len(line):
        found = _VALUE.match(line, start)
        if found is None:
            raise _unknown(place, line)
        yield _plain(found[1])
        if not found[2]:
            return
        start = found.end()


def _plain(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value[:1] in {"'", '"'} and value[-1:] == value[0] else value


def _column(attribute: Attribute, values: tuple[str | None, ...], places: list[int]) -> pd.Series:
    if attribute.kind == "number":
        return _numbers(attribute, values, places)
    if attribute.kind == "date":
        dates = pd.to_datetime(pd.Series(values, dtype=object), errors="coerce", format="ISO8601")
        return dates if dates.notna().any() else pd.Series(values, dtype=object)
    if attribute.kind == "nominal":
        _check_declared(attribute, values, places)
    return pd.Series(values, dtype=object)


def _numbers(attribute: Attribute, values: tuple[str | None, ...], places: list[int]) -> pd.Series:
    try:
        numbers = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    except ValueError:
        place, value = next((p, v) for p, v in zip(places, values, strict=True) if v is not None and not _is_number(v))
        raise DataError(
            f"Column {quoted(attribute.name)}: expected numbers as declared, got {quoted(value)} in line {place:,}: "
            "correct it, or write ? for a missing value."
        ) from None
    whole = len(numbers) > 0 and bool((numbers == np.round(numbers)).all() and (np.abs(numbers) < 2**53).all())
    return pd.Series(numbers.astype(np.int64) if whole else numbers)


def _check_declared(attribute: Attribute, values: tuple[str | None, ...], places: list[int]) -> None:
    known = {None, *attribute.values}
    for place, value in zip(places, values, strict=True):
        if value not in known:
            raise DataError(
                f"Column {quoted(attribute.name)}: expected one of its {len(attribute.values)} declared values, got "
                f"{quoted(value)} in line {place:,}: correct it, or declare it."
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown(place: int, line: str) -> DataError:
    return DataError(
        f"Line {place:,}: expected ARFF with quotation marks in pairs, got {quoted(line)}: mend that line."
    )
