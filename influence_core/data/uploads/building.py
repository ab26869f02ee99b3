"""From a file and a mapping to a data set: missing values as chosen, texts encoded, rows in their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.data.dataset import DataError, Dataset, Table
from influence_core.data.encoding import MOST_VALUES, encode_features, encode_target
from influence_core.data.source import row_ids
from influence_core.data.uploads.columns import PART_OF, ColumnMapping, factors, kind_of
from influence_core.data.uploads.filling import fill_block, fill_column, is_number, kept_rows
from influence_core.data.uploads.limits import (
    CELLS,
    COLUMNS,
    HOVER,
    IDENTITY,
    LABEL,
    LARGEST,
    at_most,
    plain_text,
    quoted,
)
from influence_core.data.uploads.raw import Raw

FEWEST = 3  # of each class, so that two are left to train on when one is asked about


@dataclass(frozen=True, eq=False)
class Upload:
    """A data set made from a file.

    Attributes:
        table: the examples, with fixed parts where a column named them.
        mapping: what the columns were for.
        name: of the file.
        sha256: of the file.
        rows: of the file.
        filled: column to what its missing values became, in words.
        pixels: whether the features are exactly the pixels of the images.
        notes: what was understood while reading.
    """

    table: Table
    mapping: ColumnMapping
    name: str
    sha256: str
    rows: int
    filled: dict[str, str]
    pixels: bool
    notes: tuple[str, ...]


def build(raw: Raw, mapping: ColumnMapping) -> Upload:
    """The data set that the mapping makes of the file.

    Returns:
        The data set; the same file and mapping give the same one.

    Raises:
        DataError: a column cannot be used as chosen, a value is missing, or too few rows are left.
    """
    _check(raw, mapping)
    kept = np.flatnonzero(kept_rows(raw, mapping))
    if not len(kept):
        raise DataError("Expected rows without missing values, got none: fill missing values in instead of dropping.")
    whole = len(kept) == len(raw)
    frame = raw.frame if whole else raw.frame.iloc[kept].reset_index(drop=True)
    rows: Any = slice(None) if whole else kept
    parts = _parts(frame, mapping.split)
    seen = parts.get("train", np.arange(len(frame)))
    names, x, filled = _features(raw, frame, mapping, (rows, seen))
    target = frame[mapping.target]
    labels = _tidy(mapping.target, target) if mapping.task == "classification" else target
    y, classes = encode_target(mapping.target, labels, mapping.task)
    _check_rows(y, classes, parts)
    dataset = Dataset(
        x, y, _ids(frame, mapping.id, kept), names, classes, mapping.target,
        None if raw.images is None else raw.images[rows], _hover(frame, mapping.hover),
    )  # fmt: skip
    pixels = len(mapping.features) == 1 and any(raw.blocks[f].pixels for f in mapping.features if f in raw.blocks)
    table = Table(dataset, None, parts.get("train"), parts.get("test"), parts.get("validation"))
    return Upload(table, mapping, raw.name, raw.sha256, len(raw), filled, pixels, raw.notes)


def _check(raw: Raw, mapping: ColumnMapping) -> None:
    special = [name for name in (mapping.id, mapping.split, mapping.hover) if name]
    for name in (mapping.target, *special):
        if name not in raw.frame:
            raise DataError(f"Expected a single column of the file, got {quoted(name)}: choose one of its columns.")
    known = set(raw.columns)
    for name in mapping.features:
        if name not in known:
            raise DataError(f"Expected features from the columns of the file, got {quoted(name)}: choose again.")
    if mapping.target in {*mapping.features, mapping.id, mapping.split}:
        raise DataError(f"Expected {quoted(mapping.target)} in one role, got target and another: choose one.")
    if not mapping.features:
        raise DataError("Expected at least one feature, got none: choose columns to predict the target from.")
    width = sum(len(raw.blocks[name].names) if name in raw.blocks else 1 for name in mapping.features)
    at_most("features", COLUMNS, width, "leave out some columns")
    at_most("numbers in all features", CELLS, width * len(raw), "leave out some columns or rows")


def _features(
    raw: Raw, frame: pd.DataFrame, mapping: ColumnMapping, rows: tuple[Any, NDArray[np.int64]]
) -> tuple[tuple[str, ...], FloatArray, dict[str, str]]:
    # Single columns first, blocks after them; ``rows`` are those kept, and those whose mean or median fills gaps.
    filled: dict[str, str] = {}
    columns: dict[str, pd.Series] = {}
    for name in (name for name in mapping.features if name not in raw.blocks):
        values = _tidy(name, frame[name])
        if values.isna().any():
            choice = mapping.numbers if is_number(raw, name) else mapping.texts
            values, filled[name] = fill_column(values, rows[1], choice)
        columns[name] = values
    names, x = encode_features(pd.DataFrame(columns, index=frame.index))
    parts = [x] if columns else []
    for name in (name for name in mapping.features if name in raw.blocks):
        part, word = fill_block(raw.blocks[name], rows, mapping.numbers)
        filled |= {name: word} if word else {}
        names = (*names, *raw.blocks[name].names)
        parts.append(part)
    matrix = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    _check_features(names, matrix)
    return names, matrix, filled


def _check_features(names: tuple[str, ...], matrix: FloatArray) -> None:
    at_most("features", COLUMNS, len(names), "leave out some columns")
    at_most("numbers in all features", CELLS, matrix.size, "leave out some columns or rows")
    if len(set(names)) < len(names):
        raise DataError("Expected different feature names, got one twice after encoding: rename one of the columns.")
    if not max(matrix.max(), -matrix.min()) <= LARGEST:  # so that NaN is refused, too
        column = names[int(np.argmin((np.abs(matrix) <= LARGEST).all(axis=0)))]
        raise DataError(
            f"Column {quoted(column)}: expected finite numbers up to {LARGEST:g}, got infinity or a larger one: "
            "correct it, or leave the column out."
        )


def _tidy(name: str, values: pd.Series) -> pd.Series:
    """Texts made harmless; two that differ only in what is cut off would become one, which is refused."""
    if kind_of(values) != "text":
        return values
    codes, texts = factors(values)
    at_most(f"different texts in column {quoted(name)}", MOST_VALUES, len(texts), "leave it out, or group its values")
    words = [plain_text(text, LABEL) or "(blank)" for text in texts]
    cut = [word for word in words if word.endswith("…")]
    if len(set(cut)) < len(cut):
        raise DataError(
            f"Column {quoted(name)}: expected texts that differ within {LABEL} characters, got some that do not: "
            "shorten them or leave it out."
        )
    return pd.Series(np.array([*words, None], dtype=object)[codes], index=values.index, name=name, dtype=object)


def _parts(frame: pd.DataFrame, split: str) -> dict[str, NDArray[np.int64]]:
    if not split:
        return {}
    codes, words = factors(frame[split])
    parts = np.array([*(PART_OF.get(word.strip().lower(), "") for word in words), ""])[codes]
    if (parts == "").any():
        stranger = [*words, "a missing value"][codes[int((parts == "").argmax())]]
        raise DataError(
            f"Column {quoted(split)}: expected the words train, test and validation, got {quoted(stranger)}: "
            "choose no split column."
        )
    found = {name: np.flatnonzero(parts == name) for name in ("train", "test", "validation")}
    if len(found["train"]) < 2 or len(found["test"]) < 1:
        raise DataError(
            f"Column {quoted(split)}: expected at least 2 rows 'train' and 1 row 'test', got "
            f"{len(found['train'])} and {len(found['test'])}: choose no split column."
        )
    return found


def _check_rows(y: NDArray[Any], classes: tuple[str, ...], parts: dict[str, NDArray[np.int64]]) -> None:
    if not classes and not (np.abs(y) <= LARGEST).all():
        raise DataError(f"Target: expected finite numbers up to {LARGEST:g}, got infinity or a larger one: correct it.")
    least = 2 if parts else FEWEST
    if len(y) < 2 * FEWEST:
        raise DataError(f"Expected at least {2 * FEWEST} rows, got {len(y)}: upload more data.")
    counts = np.bincount(y[parts["train"]] if parts else y, minlength=len(classes)) if classes else np.array([least])
    if counts.min() < least:
        rarest = classes[int(counts.argmin())]
        raise DataError(
            f"Expected at least {least} {'training ' if parts else ''}rows of every class, got {counts.min()} of "
            f"{quoted(rarest)}: add rows, or choose regression if the target is a number."
        )


def _ids(frame: pd.DataFrame, column: str, kept: NDArray[np.int64]) -> NDArray[np.str_]:
    if not column:
        return row_ids("row", kept)
    codes, texts = factors(frame[column])
    names: NDArray[np.str_] = np.array([*(plain_text(text, IDENTITY) for text in texts), ""])[codes]
    if len(set(names.tolist())) < len(names) or (names == "").any():
        raise DataError(
            f"Column {quoted(column)}: expected another name in every row, got some twice or missing: "
            "choose no id column."
        )
    return names


def _hover(frame: pd.DataFrame, column: str) -> NDArray[np.str_] | None:
    if not column:
        return None
    codes, texts = factors(frame[column])
    said: NDArray[np.str_] = np.array([*(plain_text(text, HOVER) for text in texts), ""])[codes]
    return said
