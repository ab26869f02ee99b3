"""The cells of a column as texts, whatever they are in the file, and the words among them that count as missing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api import types

from influence_core.data.uploads.raw import Choice

_EMPTY = pa.scalar(None, pa.large_string())


def as_texts(cells: pd.Series) -> pa.Array:
    """(n,) cells as a person would write them, null where there is none; whole numbers without a point."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        codes = pa.array(cells.cat.codes.to_numpy().astype(np.int32), mask=cells.isna().to_numpy())
        return pa.array([_text(value) for value in cells.cat.categories], pa.large_string()).take(codes)
    if isinstance(cells.dtype, pd.StringDtype):
        found = pa.array(cells, pa.large_string(), from_pandas=True)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    absent = cells.isna().to_numpy()
    texts = [None if gap else _text(value) for gap, value in zip(absent, cells.astype(object), strict=True)]
    return pa.array(texts, pa.large_string())


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value)


def is_text(cells: pd.Series) -> bool:
    """Whether the cells of a column are still to be understood."""
    kind = cells.dtype
    return bool(isinstance(kind, pd.CategoricalDtype) or types.is_string_dtype(kind) or types.is_object_dtype(kind))


def written_out(cells: pd.Series) -> int:
    """Letters of a column whose repeated texts are kept once, were each written in its row."""
    if not isinstance(cells.dtype, pd.CategoricalDtype) or not len(cells.cat.categories):
        return 0
    sizes = np.array([len(str(text)) for text in cells.cat.categories])
    codes: NDArray[np.integer] = cells.cat.codes.to_numpy()
    return int(sizes[codes[codes != -1]].sum())


def plain(word: str) -> str:
    """A word as the lists of words hold it."""
    return word.strip().lower()


def without(texts: pa.Array, choice: Choice, usual: frozenset[str]) -> tuple[pa.Array, tuple[str, ...]]:
    """The cells with null for words that count as missing, and those words."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if choice.missing is None:
        hit = pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(usual), pa.large_string()))
    else:
        words = {word.strip() for word in choice.missing} | {""}
        hit = pc.is_in(trimmed, pa.array(sorted(words), pa.large_string()))
    hit = pc.and_(hit, pc.is_valid(texts))
    if not pc.any(hit).as_py():
        return texts, ()
    return pc.if_else(hit, _EMPTY, texts), tuple(sorted({*pc.unique(trimmed.filter(hit)).to_pylist()} - {""}))
