"""A table of labels beside pictures: joined by the names of the files, with or without folders and endings."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import quoted

ENOUGH = 0.5  # of the rows or of the pictures must be found for a column to hold their names


@dataclass(frozen=True, eq=False)
class Beside:
    """Rows of a table for pictures.

    Attributes:
        name: of the table.
        table: the rows, one for each picture that has one, without the column of names.
        kept: places of these pictures.
        notes: what was joined, and what has no partner.
    """

    name: str
    table: pd.DataFrame
    kept: list[int]
    notes: tuple[str, ...]


def joined(paths: Sequence[PurePosixPath], tables: Sequence[tuple[str, pd.DataFrame]]) -> Beside | None:
    """The table that names most of the pictures, if there is one.

    Returns:
        None where no column of any table holds names of these pictures; one that it names twice is a ``DataError``.
    """
    best = max(
        ((_found(paths, frame[column], key), -order, name, frame, column, key)
         for name, frame in tables if "submission" not in name.lower()  # labels to be filled in, of a contest
         for column in frame.columns for order, key in enumerate(_KEYS)),
        key=lambda found: found[:2], default=None,
    )  # fmt: skip
    if best is None or not best[0]:
        return None
    _, _, name, frame, column, key = best
    rows = _rows(name, frame[column], key)
    keys = [key(str(path)) for path in paths]
    kept = [k for k, word in enumerate(keys) if word in rows]
    table = frame.drop(columns=column).iloc[[rows[keys[k]] for k in kept]].reset_index(drop=True)
    known = {*keys}
    without_row = [str(paths[k]) for k, word in enumerate(keys) if word not in rows]
    without_picture = [str(frame[column].iloc[row]) for word, row in rows.items() if word not in known]
    notes = (
        f"{len(kept):,} pictures were joined with the rows of {quoted(name)} by the column {quoted(column)}.",
        _lonely("Pictures without a row", without_row),
        _lonely("Rows without a picture", without_picture),
    )
    return Beside(name, table, kept, tuple(note for note in notes if note))


def _rows(name: str, values: pd.Series, key: Callable[[str], str]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, value in enumerate(values.tolist()):
        if pd.isna(value):
            continue
        word = key(str(value))
        if word in rows:
            raise DataError(
                f"Expected one row for each picture in {quoted(name)}, got a second one for {quoted(value)} in row "
                f"{row + 1:,}: keep one of them."
            )
        rows[word] = row
    return rows


def _found(paths: Sequence[PurePosixPath], values: pd.Series, key: Callable[[str], str]) -> int:
    """How many pictures a column names; 0 where they are fewer than half of it and of the pictures."""
    names = {key(str(path)) for path in paths}
    words = {key(str(value)) for value in values.dropna().tolist()}
    found = len(words & names)
    if len(names) < len(paths) or found < 2:  # pictures of one name in several folders
        return 0
    return found if found >= ENOUGH * min(len(words), len(names)) else 0


def _lonely(what: str, names: list[str]) -> str:
    return f"{what} were left out: {len(names):,}, the first {', '.join(map(quoted, names[:3]))}." if names else ""


def _path(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).replace("\\", "/").removeprefix("./")


def _file(name: str) -> str:
    return _path(name).rpartition("/")[2]


def _folder_and_file(name: str) -> str:
    return "/".join(_path(name).split("/")[-2:])


def _stem(name: str) -> str:
    head, dot, tail = _file(name).lower().rpartition(".")
    return head if dot and len(tail) <= 4 and not tail.isdigit() else _file(name).lower()


def _number(name: str) -> str:
    stem = _stem(name).removesuffix(".0")
    return (stem.lstrip("0") or "0") if stem.isdigit() else stem


_KEYS: tuple[Callable[[str], str], ...] = (_path, _folder_and_file, _file, _stem, _number)
