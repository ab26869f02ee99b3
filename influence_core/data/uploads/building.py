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
from influence_core.data.texts import no_words
from influence_core.data.uploads.columns import (
    PART_OF,
    ColumnMapping,
    describe_columns,
    factors,
    kind_of,
    row_names,
)
from influence_core.data.uploads.filling import fill_block, fill_column, indicator, kept_rows
from influence_core.data.uploads.guessing import LEAST, left_out
from influence_core.data.uploads.limits import (
    CELLS,
    COLUMNS,
    HOVER,
    IDENTITY,
    LABEL,
    LARGEST,
    at_most,
    harmful,
    plain_text,
    quoted,
    told_apart,
)
from influence_core.data.uploads.moments import parts
from influence_core.data.uploads.prose import texts_of
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.understanding import reread
from influence_core.data.words import WordFeatures


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
    raw = reread(raw, mapping.readings)
    _check(raw, mapping)
    kept = np.flatnonzero(kept_rows(raw, mapping))
    if not len(kept):
        raise DataError("Expected rows without missing values, got none: fill missing values in instead of dropping.")
    whole = len(kept) == len(raw)
    frame = raw.frame if whole else raw.frame.iloc[kept].reset_index(drop=True)
    rows: Any = slice(None) if whole else kept
    fixed = _parts(frame, mapping.split)
    seen = fixed.get("train", np.arange(len(frame)))
    texts = texts_of(raw, mapping.prose, kept) if mapping.prose else None
    if texts is None:
        names, x, filled, notes = _features(raw, frame, mapping, (rows, seen))
    else:
        names, x, filled, notes = (), no_words(len(kept)), {}, ()
    labels = frame[mapping.target]
    if mapping.task == "classification":
        labels, said = _tidy(mapping.target, labels)
        notes = (*said, *notes)
    y, classes = encode_target(mapping.target, labels, mapping.task)
    _check_rows(y, classes, fixed)
    dataset = Dataset(
        x, y, _ids(raw, mapping.id, kept), names, classes, mapping.target,
        None if raw.images is None else raw.images[rows], _hover(frame, mapping.hover), texts,
    )  # fmt: skip
    pixels = len(mapping.features) == 1 and any(raw.blocks[f].pixels for f in mapping.features if f in raw.blocks)
    words = None if texts is None else WordFeatures()
    table = Table(dataset, None, fixed.get("train"), fixed.get("test"), fixed.get("validation"), words)
    notes = (*raw.notes, *notes, *left_out(raw, describe_columns(raw, frozenset(mapping.features)), mapping))
    return Upload(table, mapping, raw.name, raw.sha256, len(raw), filled, pixels, notes)


def label_codes(raw: Raw, mapping: ColumnMapping) -> NDArray[np.int64]:
    """(rows of the file,) class that each row is given in :func:`build`, −1 where it was dropped."""
    raw = reread(raw, mapping.readings)
    kept, codes = np.flatnonzero(kept_rows(raw, mapping)), np.full(len(raw), -1)
    labels, _ = _tidy(mapping.target, raw.frame[mapping.target].iloc[kept])
    codes[kept] = encode_target(mapping.target, labels, "classification")[0]
    return codes


def _check(raw: Raw, mapping: ColumnMapping) -> None:
    special = [name for name in (mapping.id, mapping.split, mapping.hover) if name]
    for name in (mapping.target, *special):
        if name not in raw.frame:
            raise DataError(f"Expected a single column of the file, got {quoted(name)}: choose one of its columns.")
    if kind_of(raw.frame[mapping.target]) in {"date", "other"}:
        raise DataError(
            f"Target {quoted(mapping.target)}: expected numbers or classes, got dates or something else: "
            "choose another target, or read the column as a category."
        )
    known = set(raw.columns)
    for name in mapping.features:
        if name not in known:
            raise DataError(f"Expected features from the columns of the file, got {quoted(name)}: choose again.")
    for name in mapping.prose:
        if name not in raw.frame:
            raise DataError(f"Expected texts from a column of the file, got {quoted(name)}: choose again.")
    if mapping.target in {*mapping.features, *mapping.prose, mapping.id, mapping.split}:
        raise DataError(f"Expected {quoted(mapping.target)} in one role, got target and another: choose one.")
    if mapping.prose and mapping.features:
        raise DataError("Expected texts or other columns as features, got both: leave out one or the other.")
    if not mapping.features and not mapping.prose:
        raise DataError("Expected at least one feature, got none: choose columns to predict the target from.")
    width = sum(len(raw.blocks[name].names) if name in raw.blocks else 1 for name in mapping.features)
    at_most("features", COLUMNS, width, "leave out some columns")
    at_most("numbers in all features", CELLS, width * len(raw), "leave out some columns or rows")


def _features(
    raw: Raw, frame: pd.DataFrame, mapping: ColumnMapping, rows: tuple[Any, NDArray[np.int64]]
) -> tuple[tuple[str, ...], FloatArray, dict[str, str], tuple[str, ...]]:
    # Single columns first, blocks after them; ``rows`` are those kept, and those whose mean or median fills gaps.
    filled: dict[str, str] = {}
    columns: dict[str, pd.Series] = {}
    notes: list[str] = []
    for name in (name for name in mapping.features if name not in raw.blocks):
        values, said = _tidy(name, frame[name])
        notes += said
        for part, numbers in (parts(name, values) if kind_of(values) == "date" else {name: values}).items():
            _put(columns, filled, numbers.rename(part), mapping, rows[1])
    names, x = encode_features(pd.DataFrame(columns, index=frame.index))
    matrices = [x] if columns else []
    for name in (name for name in mapping.features if name in raw.blocks):
        block, word = fill_block(name, raw.blocks[name], rows, mapping.numbers)
        filled |= {name: word} if word else {}
        own = raw.blocks[name].names
        names = (*names, *own, *([indicator(name)] if block.shape[1] > len(own) else []))
        matrices.append(block)
    matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices, axis=1)
    _check_features(names, matrix)
    return names, matrix, filled, tuple(notes)


def _put(
    columns: dict[str, pd.Series],
    filled: dict[str, str],
    values: pd.Series,
    mapping: ColumnMapping,
    seen: NDArray[np.int64],
) -> None:
    """One more column without gaps, and what says where they were."""
    name, missing = str(values.name), values.isna()
    if not missing.any():
        columns[name] = values
        return
    number = kind_of(values) == "number"
    columns[name], filled[name] = fill_column(values, seen, mapping.numbers if number else mapping.texts)
    if number and mapping.numbers == "indicator":
        marks = missing.astype("float64")
        if not any(marks.equals(other) for key, other in columns.items() if key.endswith(indicator(""))):
            columns[indicator(name)] = marks


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


def _tidy(name: str, values: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Texts made harmless, with a note; two that differ only in what is cut off would become one, which is refused."""
    if kind_of(values) != "text":
        return values, ()
    codes, texts = factors(values)
    at_most(f"different texts in column {quoted(name)}", MOST_VALUES, len(texts), "leave it out, or group its values")
    words, alike = told_apart(texts)
    cut = [word for word in words if word.endswith("…")]
    if len(set(cut)) < len(cut):
        raise DataError(
            f"Column {quoted(name)}: expected texts that differ within {LABEL} characters, got some that do not: "
            "shorten them or leave it out."
        )
    said = f"{quoted(name)}: {alike:,} texts differ from others in blanks only, and were taken for the same."
    tidy = np.array([*words, None], dtype=object)[codes]
    return pd.Series(tidy, index=values.index, name=name, dtype=object), (said,) if alike else ()


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
    least = 2 if parts else LEAST
    if len(y) < 2 * LEAST:
        raise DataError(f"Expected at least {2 * LEAST} rows, got {len(y)}: upload more data.")
    counts = np.bincount(y[parts["train"]] if parts else y, minlength=len(classes)) if classes else np.array([least])
    if counts.min() < least:
        rarest = classes[int(counts.argmin())]
        raise DataError(
            f"Expected at least {least} {'training ' if parts else ''}rows of every class, got {counts.min()} of "
            f"{quoted(rarest)}: add rows, count it as a missing value, or choose regression if the target is a number."
        )


def _ids(raw: Raw, column: str, kept: NDArray[np.int64]) -> NDArray[np.str_]:
    if not column:
        return np.array([f"row {row + 1}" for row in kept])  # as people count, the first below the header
    names = row_names(raw, column)
    bad = next((row for row, name in enumerate(names) if harmful(name)), None)
    if bad is not None:
        raise DataError(
            f"Column {quoted(column)}: expected names on one line, without marks that turn the writing around, got "
            f"others in row {bad + 1:,}: choose another id column or none."
        )
    longest = max(map(len, names), default=0)
    at_most(f"characters in a name of column {quoted(column)}", IDENTITY, longest, "choose another id column or none")
    at_most(f"characters in column {quoted(column)}", 2 * CELLS, longest * len(names), "choose another id column")
    if len(set(names)) < len(names) or "" in names:
        raise DataError(
            f"Column {quoted(column)}: expected another name in every row, got some twice or missing: "
            "choose no id column."
        )
    found: NDArray[np.str_] = np.array(names)[kept]
    return found


def _hover(frame: pd.DataFrame, column: str) -> NDArray[np.str_] | None:
    if not column:
        return None
    codes, texts = factors(frame[column])
    said: NDArray[np.str_] = np.array([*(plain_text(text, HOVER) for text in texts), ""])[codes]
    return said
