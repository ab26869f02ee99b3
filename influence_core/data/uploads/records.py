"""JSON: one record a line (JSON lines), a list of records, or columns by name as data frames are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import COLUMNS, ROWS, at_most, quoted
from influence_core.data.uploads.raw import Block, Raw, column_names
from influence_core.data.uploads.typed import TEXT, column_of

CELLS = 5_000_000  # each is an object of its own while it is read
Record = dict[str, Any]
_FORMS = 'records such as {"x": 1, "label": "a"}, one a line or in a list'


def read_records(content: bytes) -> Raw:
    """Records with the same keys; objects inside become columns ``outer.inner``, lists of numbers become blocks.

    Returns:
        The table; keys that a record lacks are missing values.  No JSON, no records or too many are a ``DataError``.
    """
    text = content.decode("utf-8-sig", errors="replace")
    records, index, notes = _records(text)
    at_most("rows", ROWS, len(records), "take a random part of the rows")
    columns: dict[str, list[Any]] = {}
    for row, record in enumerate(_flat(record) for record in records):
        for key, value in record.items():
            column = columns.setdefault(key, [])
            column += [None] * (row - len(column))
            column.append(value)
        at_most("columns", COLUMNS, len(columns), "leave out some columns")
    at_most("cells", CELLS, len(records) * len(columns), "leave out some columns or rows")
    for column in columns.values():
        column += [None] * (len(records) - len(column))
    return _raw(columns, index, notes)


def is_records(text: str) -> bool:
    """Whether a text starts like JSON that may hold records, and not like a table whose first name has a bracket."""
    line = text.lstrip().split("\n", 1)[0].strip()
    if not line.startswith(("{", "[")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return bool(line in {"{", "["} or line.startswith(('{"', "[{", "[[", '{ "', "[ {")))
    return True


def _records(text: str) -> tuple[list[Record], list[str], list[str]]:
    try:
        return _document(json.loads(text))
    except RecursionError:
        raise DataError(f"Expected {_FORMS}, got objects within objects too deep: flatten them.") from None
    except json.JSONDecodeError:
        return _lines(text), [], []


def _lines(text: str) -> list[Record]:
    records: list[Record] = []
    for place, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise DataError(
                f"Expected {_FORMS}, got something else in line {place:,}, {quoted(line)}: mend or leave out that line."
            )
        records.append(record)
        at_most("rows", ROWS, len(records), "take a random part of the rows")
    return records


def _document(found: Any) -> tuple[list[Record], list[str], list[str]]:
    if isinstance(found, dict) and set(found) >= {"columns", "data"} and isinstance(found["data"], list):
        names, rows = found["columns"], found["data"]
        if isinstance(names, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return [dict(zip(map(str, names), row, strict=True)) for row in rows], [], []
    inside = [key for key, value in found.items() if _is_list_of(value, dict)] if isinstance(found, dict) else []
    if len(inside) == 1:
        return found[inside[0]], [], [f"The records under {quoted(inside[0])} were read."]
    if _is_list_of(found, dict):
        return found, [], []
    if _is_list_of(found, list) and len({len(row) for row in found}) == 1:
        note = "The rows have no names, so the columns were numbered."
        return [{f"column {k}": value for k, value in enumerate(row, 1)} for row in found], [], [note]
    if isinstance(found, dict) and found:
        return _by_column(found)
    raise DataError(f"Expected {_FORMS}, got other JSON: save the table as JSON lines or CSV.")


def _by_column(found: Record) -> tuple[list[Record], list[str], list[str]]:
    # {"x": [1, 2], …} or, as pandas writes by default, {"x": {"0": 1, "1": 2}, …}; or one object for each row.
    values = list(found.values())
    if _is_list_of(values, dict) and values[0] and all(value.keys() == values[0].keys() for value in values):
        inner, outer = list(values[0]), list(found)
        if not _counts(inner) and (_counts(outer) or len(outer) > len(inner)):
            return values, [] if _counts(outer) else outer, []
        rows = [{name: column[key] for name, column in found.items()} for key in inner]
        return rows, [] if _counts(inner) else inner, []
    if _is_list_of(values, list) and len({len(value) for value in values}) == 1 and values[0]:
        return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)], [], []
    if not any(isinstance(value, list | dict) for value in values):
        return [found], [], []
    raise DataError(f"Expected {_FORMS}, got one object with other contents: save the table as JSON lines or CSV.")


def _counts(keys: list[str]) -> bool:
    return keys == [str(k) for k in range(len(keys))]


def _is_list_of(found: Any, kind: type) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(entry, kind) for entry in found)


def _flat(record: Record) -> Record:
    if not any(isinstance(value, dict) for value in record.values()):
        return record
    found: Record = {}
    for key, value in record.items():
        inner = value.items() if isinstance(value, dict) else ()
        found |= {f"{key}.{name}": part for name, part in inner} or {key: None if isinstance(value, dict) else value}
    return found


def _raw(columns: dict[str, list[Any]], index: Sequence[str], notes: list[str]) -> Raw:
    names, named = column_names(list(columns))
    singles: dict[str, pd.Series] = {"index": pd.Series(index)} if index and "index" not in names else {}
    blocks, left_out, said = {}, [], [*notes, *named]
    for name, cells in zip(names, columns.values(), strict=True):
        nested = [isinstance(cell, list | dict) for cell in cells]
        if all(nested) and cells:
            matrix = _matrix(cells)
            if matrix is None:
                left_out.append(name)
            else:
                blocks[name] = Block(matrix, tuple(f"{name}[{k}]" for k in range(matrix.shape[1])))
        elif any(nested):
            left_out.append(name)
        else:
            singles[name], note = column_of(name, cells)
            said += [note] if note else []
    if left_out:
        said.append(f"Lists and objects of unequal shape were left out: {', '.join(map(quoted, left_out[:5]))}.")
    if len(singles) + len(blocks) < 2:
        raise DataError(
            f"Expected at least 2 columns of numbers or texts, got {len(singles) + len(blocks)}: "
            "flatten what lies deeper."
        )
    frame = pd.DataFrame(singles, index=pd.RangeIndex(len(next(iter(columns.values())))))
    given = {"index": TEXT} if index and "index" not in names else {}
    return Raw(frame, blocks, notes=tuple(said), index="".join(given), readings=given)


def _matrix(cells: Iterable[Any]) -> np.ndarray | None:
    try:
        matrix = np.array(list(cells), dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if matrix.ndim != 2 or not matrix.shape[1]:
        return None
    at_most("numbers in each list", COLUMNS, matrix.shape[1], "make the lists shorter")
    return matrix
