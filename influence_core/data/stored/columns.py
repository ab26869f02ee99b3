"""What the columns of a table hold, found in one pass: numbers, categories, gaps; and rows of numbers made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.compute import FloatArray
from influence_core.data.dataset import DataError

CATEGORIES = 100  # different texts of a feature; a target may have MOST_CLASSES
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")
FEW = 20  # different whole numbers that a target of classes may have
GAP = "(missing)"


@dataclass(eq=False)
class Census:
    """One column while it is looked at.

    Attributes:
        name: of it.
        limit: most different values that are kept apart.
        rows: seen so far.
        numbers: cells that are numbers.
        gaps: cells that say nothing.
        texts: different values with their counts, None above the limit.
        stray: the first cell that is neither, with its row.
        total: sum of the numbers.
    """

    name: str
    limit: int = CATEGORIES
    rows: int = 0
    numbers: int = 0
    gaps: int = 0
    texts: dict[str, int] | None = field(default_factory=dict)
    stray: tuple[int, str] | None = None
    total: float = 0.0

    def look(self, cells: pd.Series) -> None:
        """Take in the next cells."""
        texts, numbers, gaps = read(cells)
        known = np.isfinite(numbers)
        stray = ~known & ~gaps
        if self.stray is None and stray.any():
            first = int(stray.argmax())
            self.stray = (self.rows + first + 1, str(texts[first]))
        self.rows, self.numbers, self.gaps = (
            self.rows + len(cells),
            self.numbers + int(known.sum()),
            self.gaps + int(gaps.sum()),
        )
        self.total += float(numbers[known].sum())
        if self.texts is not None:
            values, counts = np.unique(texts[~gaps].astype(str), return_counts=True)
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                self.texts[value] = self.texts.get(value, 0) + count
            if len(self.texts) > self.limit:
                self.texts = None

    @property
    def numeric(self) -> bool:
        """Whether every cell that says something is a number."""
        return self.stray is None and self.numbers > 0

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names where it is a target of classes: texts, or few whole numbers with three rows each; else none."""
        if self.texts is None or (self.numeric and not self._few()):
            return ()
        if self.numeric:  # 1 and 1.0 are one class
            return tuple(str(value) for value in sorted({int(float(text)) for text in self.texts}))
        return tuple(sorted(self.texts))

    def _few(self) -> bool:
        values = self.texts or {}
        return len(values) <= FEW and all(float(text).is_integer() and count >= 3 for text, count in values.items())


def read(cells: pd.Series) -> tuple[NDArray[np.object_], FloatArray, NDArray[np.bool_]]:
    """Cells as texts, as numbers (NaN where they are none) and whether they are gaps."""
    stripped = cells.astype(str).str.strip().to_numpy(dtype=object)
    gaps = cells.isna().to_numpy() | np.isin(stripped.astype(str), MISSING)
    numbers = pd.to_numeric(pd.Series(stripped), errors="coerce").to_numpy(dtype=np.float64)
    return stripped, np.where(gaps, np.nan, numbers), gaps


@dataclass(frozen=True, eq=False)
class Feature:
    """One column as numbers: itself and whether it was missing, or one 0/1 column per category."""

    name: str
    categories: tuple[str, ...] = ()
    gaps: bool = False
    fill: float = 0.0

    @property
    def note(self) -> str:
        """What was made of its gaps, for people; empty where it has none."""
        if GAP in self.categories:
            return f"Column {self.name!r}: missing cells are a category of their own, {GAP}."
        said = f"Column {self.name!r}: missing cells get the mean, {self.fill:.6g}, and {self.name!r} missing is 1."
        return said if self.gaps else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of numbers."""
        if self.categories:
            return tuple(f"{self.name}={category}" for category in self.categories)
        return (self.name, f"{self.name} missing") if self.gaps else (self.name,)

    def encode(self, cells: pd.Series) -> FloatArray:
        """(b, k) numbers."""
        texts, numbers, gaps = read(cells)
        if self.categories:
            texts = np.where(gaps, GAP, texts)
            return np.stack([texts == category for category in self.categories], 1).astype(np.float64)
        values = np.where(gaps, self.fill, numbers)[:, None]
        return np.hstack([values, gaps[:, None].astype(np.float64)]) if self.gaps else values


def feature_of(column: Census, fill: bool) -> Feature:
    """What a column becomes.

    Raises:
        DataError: it is neither numbers nor categories, with the row and the cure.
    """
    if column.numeric:
        if column.gaps and not fill:
            raise DataError(
                f"Column {column.name!r}: {column.gaps} cells are missing. Fill them with the mean, and say so in a "
                f"column of its own, by --fill, or leave the column out by --drop {column.name!r}."
            )
        return Feature(column.name, gaps=bool(column.gaps), fill=column.total / max(1, column.numbers))
    row, text = column.stray or (1, "")
    if column.numbers > 0.8 * (column.rows - column.gaps):
        raise DataError(
            f"Column {column.name!r}, row {row}: expected a number as in most rows, got {text[:40]!r}. Correct the "
            f"cell, or leave the column out by --drop {column.name!r}."
        )
    if column.texts is None:
        raise DataError(
            f"Column {column.name!r}: more than {column.limit} different texts (row {row}: {text[:40]!r}), too many "
            f"for categories. Leave it out by --drop {column.name!r}, or take it for names by --id {column.name!r}."
        )
    if not column.texts:
        raise DataError(f"Column {column.name!r} is empty: leave it out by --drop {column.name!r}.")
    return Feature(column.name, (*sorted(column.texts), *([GAP] if column.gaps else [])))


def looked_at(chunks: Iterable[pd.DataFrame], limits: Mapping[str, int]) -> dict[str, Census]:
    """Every column of a table, in one pass.

    Raises:
        DataError: names that repeat, or no rows.
    """
    found: dict[str, Census] = {}
    for chunk in chunks:
        names = [str(name) for name in chunk.columns]
        if not found:
            if len({*names}) < len(names):
                raise DataError("Two columns have the same name: rename one.")
            found = {name: Census(name, limits.get(name, CATEGORIES)) for name in names}
        for name, (_, cells) in zip(names, chunk.items(), strict=True):
            found[name].look(cells)
    if not found or not next(iter(found.values())).rows:
        raise DataError("Expected a header and rows, got none.")
    return found


def targets(cells: pd.Series, classes: tuple[str, ...], name: str, start: int) -> NDArray[Any]:
    """y: class indices, or numbers.

    Raises:
        DataError: a cell without a target.
    """
    texts, numbers, gaps = read(cells)
    if gaps.any():
        row = start + int(gaps.argmax()) + 1
        raise DataError(f"Column {name!r}, row {row}: the target is missing. Leave the row out of the file.")
    if not classes:
        return numbers
    order = {text: k for k, text in enumerate(classes)}
    return np.array([order[text] if text in order else order[str(int(float(text)))] for text in texts], dtype=np.int64)
