"""Missing values of an upload: counted, refused, dropped with their rows, or filled in as a person chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.data.dataset import DataError
from influence_core.data.uploads.columns import Column, ColumnMapping, kind_of
from influence_core.data.uploads.limits import quoted
from influence_core.data.uploads.raw import Block, Raw

NUMBERS = frozenset({"number", "numbers", "date"})  # kinds whose gaps are filled with numbers


@dataclass(frozen=True)
class Gaps:
    """How many values are missing in the chosen columns, by what can be done about them."""

    numbers: int
    texts: int
    target: int


def gaps(columns: Sequence[Column], mapping: ColumnMapping) -> Gaps:
    """Missing values of target and features."""
    features = set(mapping.features)
    chosen = [
        (column.kind in {"number", "numbers", "date"}, column.missing) for column in columns if column.name in features
    ]
    return Gaps(
        numbers=sum(missing for number, missing in chosen if number),
        texts=sum(missing for number, missing in chosen if not number),
        target=sum(column.missing for column in columns if column.name == mapping.target),
    )


def gap_names(columns: Sequence[Column], mapping: ColumnMapping) -> tuple[list[str], list[str]]:
    """Features with missing values: those of numbers, and those of texts."""
    features = set(mapping.features)
    found = [column for column in columns if column.missing and column.name in features]
    numbers = [column.name for column in found if column.kind in NUMBERS]
    return numbers, [column.name for column in found if column.name not in numbers]


def kept_rows(raw: Raw, mapping: ColumnMapping) -> NDArray[np.bool_]:
    """Rows that stay: those without a missing value that is to be dropped.

    Returns:
        (n,) bool.

    Raises:
        DataError: a value is missing and nothing was chosen for it.
    """
    kept = np.ones(len(raw), dtype=bool)
    missing = _missing(raw, mapping.target)
    if missing.any() and mapping.target_gaps == "refuse":
        raise DataError(_refusal(mapping.target, missing, "drop the rows without a target"))
    kept &= ~missing
    for name in mapping.features:
        number = is_number(raw, name)
        choice = mapping.numbers if number else mapping.texts
        missing = _missing(raw, name)
        if missing.any() and choice == "refuse":
            advice = "choose how to fill missing values in, or leave the column out"
            raise DataError(_refusal(name, missing, advice))
        if choice == "drop":
            kept &= ~missing
    return kept


def _refusal(name: str, missing: NDArray[np.bool_], advice: str) -> str:
    return (
        f"Column {quoted(name)}: expected a value in every row, got {missing.sum():,} of {len(missing):,} missing, "
        f"the first in row {missing.argmax() + 1:,}: {advice}."
    )


def fill_block(name: str, block: Block, rows: tuple[Any, NDArray[np.int64]], choice: str) -> tuple[FloatArray, str]:
    """Numbers of a block without gaps.

    Args:
        name: of the block.
        block: the columns.
        rows: those that stay, and those among them whose median or mean fills gaps.
        choice: ``median``, ``mean`` or ``indicator``.

    Returns:
        (n, k), with ``indicator`` and gaps (n, k + 1), and what was done to gaps, "" where there were none.

    Raises:
        DataError: a column has no value at all.
    """
    kept, seen = rows
    values = block.values[kept].astype(np.float64)
    if block.pixels:
        values /= 255.0
    missing = np.isnan(values)
    if not missing.any():
        return values, ""
    empty = missing[seen].all(axis=0)
    if empty.any():
        raise DataError(f"Column {quoted(block.names[int(empty.argmax())])}: expected values, got none: leave it out.")
    middle = (np.nanmean if choice == "mean" else np.nanmedian)(values[seen], axis=0)
    filled = np.where(missing, middle, values)
    if choice != "indicator":
        return filled, choice
    marks = missing.any(axis=1, keepdims=True).astype(np.float64)
    return np.hstack([filled, marks]), f"median, and {quoted(indicator(name))} says in which rows"


def fill_column(values: pd.Series, seen: NDArray[np.int64], choice: str) -> tuple[pd.Series, str]:
    """A column without gaps.

    Args:
        values: (n,) with gaps.
        seen: rows that say what fills them.
        choice: ``median``, ``mean``, ``indicator``, ``frequent`` or ``category``.

    Returns:
        (n,), and what the gaps became, in words.

    Raises:
        DataError: there is no value to fill with.
    """
    known = values.iloc[seen].dropna()
    if not len(known) and choice != "category":
        raise DataError(f"Column {quoted(values.name)}: expected values in the training rows, got none: leave it out.")
    if choice in {"median", "mean", "indicator"}:
        number = float(known.mean() if choice == "mean" else known.median())
        what = "mean" if choice == "mean" else "median"
        beside = f", and {quoted(indicator(str(values.name)))} says where" if choice == "indicator" else ""
        return values.astype("float64").fillna(number), f"{what} {number:.6g}{beside}"
    word = str(known.mode().iloc[0]) if choice == "frequent" else "missing"
    return values.astype(object).where(values.notna(), word), word


def indicator(name: str) -> str:
    """Name of the feature that is 1 where a value of another was missing."""
    return f"{name} missing"


def is_number(raw: Raw, name: str) -> bool:
    """Whether gaps of a column are filled with numbers.

    Returns:
        True for blocks, numbers and dates.
    """
    return name in raw.blocks or kind_of(raw.frame[name]) in {"number", "date"}


def _missing(raw: Raw, name: str) -> NDArray[np.bool_]:
    """Rows in which a column or any part of a block is missing."""
    if name in raw.blocks:
        return np.asarray(_block_gaps(raw.blocks[name]).any(axis=1))
    return np.asarray(raw.frame[name].isna())


def _block_gaps(block: Block) -> NDArray[np.bool_]:
    if block.values.dtype.kind != "f":
        return np.zeros((len(block.values), 1), dtype=bool)
    return np.asarray(np.isnan(block.values))
