"""What the cells of one column mean: numbers, dates, true/false or texts, and which words among them are gaps."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api import types

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import MEGABYTE, quoted
from influence_core.data.uploads.moments import Order, moments
from influence_core.data.uploads.numerals import (
    Mark,
    Numbers,
    comma_numbers,
    numbers,
    padded,
    plain_numbers,
    points_like_groups,
)
from influence_core.data.uploads.raw import Choice, Reading
from influence_core.data.uploads.sayings import epoch, gap_words, long_numbers, sentinel, strays, style
from influence_core.data.uploads.texts import as_texts, is_text, plain, without, written_out
from influence_core.data.uploads.units import several
from influence_core.data.uploads.vocabulary import MARKERS, POSTAL, TEXT_GAPS, TRUTHS

_DATED = re.compile(r"date|datum|fecha|dato|\bday\b|time", re.IGNORECASE)
_FEW, _SOME = 10, 1_000
_PROSE = 200  # letters in a usual cell of prose
_MOST_TEXT = 64 * MEGABYTE  # of one column, once texts that repeat are written out


def read_column(cells: pd.Series, choice: Choice, hint: Mark = "", among: bool = False) -> tuple[pd.Series, Reading]:
    """One column as a person says, or as what it seems to be.

    Args:
        cells: (n,) as the file holds them.
        choice: what a person says; its name guides the guess.
        hint: the decimal mark to expect where the cells fit both.
        among: whether other columns leave no doubt of that mark, so that 1.234 may be 1234.

    Returns:
        (n,) numbers, dates or texts with gaps, and how they were read; kind ``other`` where it cannot be used.

    Raises:
        DataError: no cell is what a person says they are.
    """
    free = not choice.read_as and choice.missing is None
    if free and not is_text(cells):
        return _typed(cells)
    if written_out(cells) > _MOST_TEXT:
        return cells, Reading("text")
    texts = as_texts(cells)
    if free and _says_nothing(texts):
        return cells, Reading("other")
    if choice.read_as.startswith("number"):
        found = _number(texts, choice, hint, among)
    elif choice.read_as.startswith("date"):
        found = _date(texts, choice)
    else:
        found = None if choice.read_as == "category" else _guessed(texts, choice, hint, among)
    if found is None and choice.read_as not in {"", "category"}:
        raise DataError(
            f"Column {quoted(choice.column)}: expected {choice.read_as.partition(' ')[0].strip(',')}s, got texts such "
            f"as {quoted(pc.drop_null(texts)[0])}: choose another way to read it."
        )
    values, reading = found or _category(cells, texts, choice)
    return pd.Series(values, index=cells.index, name=cells.name), reading


def has_points(cells: pd.Series) -> bool:
    """Whether a column holds plain numbers with a decimal point for sure."""
    if not is_text(cells):
        return False
    texts, _ = without(as_texts(cells), Choice(str(cells.name)), MARKERS)
    dotted = pc.any(pc.match_substring(texts, ".")).as_py()
    return bool(dotted) and plain_numbers(texts) is not None and not points_like_groups(texts)


def _says_nothing(texts: pa.Array) -> bool:
    found = pc.unique(pc.drop_null(texts.slice(0, 100)))
    if len(found) > 2 or not {plain(word) for word in found.to_pylist()} <= MARKERS:
        return False
    words = {plain(word) for word in pc.unique(pc.drop_null(texts)).to_pylist()} - {""}
    return len(words) <= 1 and words <= MARKERS


def _typed(cells: pd.Series) -> tuple[pd.Series, Reading]:
    kind = cells.dtype
    if types.is_bool_dtype(kind):
        return cells, Reading("true/false")
    if types.is_datetime64_any_dtype(kind):
        return cells, Reading("date")
    if not types.is_numeric_dtype(kind) or types.is_complex_dtype(kind):
        return cells, Reading("other", notes=("neither numbers, texts nor dates, so it can only be left out",))
    values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    if _is_code(str(cells.name), values):
        texts = as_texts(cells).to_pandas().to_numpy()
        return pd.Series(texts, cells.index, "str", cells.name), Reading("text", notes=(_CODED,))
    return cells, Reading("number", notes=sentinel(values))


_CODED = "codes, so each is a category; read it as a number if it counts or measures"
_LONG = "whole numbers of more digits than a number keeps, so each is a category"
_ZEROS = "codes with leading zeros, so each is a category; read it as a number if it counts or measures"


def _is_code(name: str, values: NDArray[np.float64]) -> bool:
    word = re.sub(r"[^a-z]", "", name.lower().replace("code", ""))
    return (word in POSTAL or name.lower() in POSTAL) and not (values[~np.isnan(values)] % 1).any()


def _guessed(texts: pa.Array, choice: Choice, hint: Mark, among: bool) -> tuple[Any, Reading] | None:
    if texts.nbytes > (_PROSE + 9) * len(texts):
        return None
    dated = bool(_DATED.search(choice.column))
    early = _date(texts, choice, compact=True) if dated and pc.any(_dashed(texts)).as_py() else None
    return early or _number(texts, choice, hint, among) or _date(texts, choice)


def _dashed(texts: pa.Array) -> pa.Array:
    return pc.match_substring_regex(texts, r"^\s*(?:19|20)[0-9]{6}\s*$")


def _number(texts: pa.Array, choice: Choice, hint: Mark, among: bool) -> tuple[Any, Reading] | None:
    cells, values = texts, None if choice.missing else plain_numbers(texts)
    gaps: tuple[str, ...] = ()
    if values is None or np.isnan(values).sum() > texts.null_count:
        cells, gaps = without(texts, choice, MARKERS)
        values = plain_numbers(cells)
    decimal = cast("Mark", {"comma": ",", "point": "."}.get(choice.read_as.rpartition(" ")[2], ""))
    grouped = decimal != "." and (decimal == "," or (among and hint == ",")) and points_like_groups(cells)
    if values is None or grouped:
        found = _written_numbers(cells, "," if grouped else decimal, hint)
        if found is None or not (choice.read_as or _mostly(found, cells)):
            return None
    else:
        found = Numbers(values, np.zeros(len(values), dtype=bool), padded=_starts_with_zeros(values, cells))
    if choice.missing:
        found = _named_gaps(found, choice.missing)
    if np.isnan(found.values).all():
        return None
    codes = _ZEROS if found.padded else _CODED if _is_code(choice.column, found.values) else _too_long(cells, found)
    if not choice.read_as and not found.unit and codes:
        return _codes(texts, choice, codes)
    doubtful = (found.doubtful or grouped) and not decimal
    notes = (
        *style(found, cells, doubtful), *strays(found.strange, cells), *gap_words(gaps, texts),
        *long_numbers(cells, found), *sentinel(found.values), *epoch(choice.column, found.values),
    )  # fmt: skip
    return found.values, Reading("number", gaps, (), notes, "" if doubtful else found.decimal, doubtful)


def _too_long(cells: pa.Array, found: Numbers) -> str:
    """What is said of whole numbers that differ only beyond the digits that a number keeps."""
    if not (np.abs(found.values) >= 2**53).any():
        return ""
    whole = pc.all(pc.match_substring_regex(cells, r"^\s*[+-]?[0-9]+\s*$")).as_py()
    distinct = len(np.unique(found.values[~np.isnan(found.values)]))
    return _LONG if whole and len(pc.unique(pc.drop_null(cells))) > distinct else ""


def _written_numbers(cells: pa.Array, decimal: Mark, hint: Mark) -> Numbers | None:
    values = None if decimal else comma_numbers(cells)
    if values is None:
        return numbers(cells, decimal, hint)
    return Numbers(values, np.zeros(len(values), dtype=bool), ",")


def _codes(texts: pa.Array, choice: Choice, note: str) -> tuple[Any, Reading]:
    values, reading = _as_category(texts, *without(texts, choice, TEXT_GAPS))
    return values, replace(reading, kind="text", notes=(note, *reading.notes))


def _starts_with_zeros(values: NDArray[np.float64], cells: pa.Array) -> bool:
    if (np.nan_to_num(values[:_SOME], posinf=0, neginf=0) % 1).any():  # the usual case
        return False
    whole = values[np.isfinite(values)]
    return bool(len(whole) and (whole == np.floor(whole)).all() and padded(cells))


def _named_gaps(found: Numbers, words: tuple[str, ...]) -> Numbers:
    named = plain_numbers(
        pa.array([word for word in words if plain_numbers(pa.array([word])) is not None], pa.string())
    )
    gone = np.isin(found.values, named if named is not None else [])
    return replace(found, values=np.where(gone, np.nan, found.values))


def _mostly(found: Numbers, cells: pa.Array) -> bool:
    """Whether a few stray texts stand among numbers, and not numbers among texts."""
    strays, right = int(found.strange.sum()), int((~np.isnan(found.values)).sum())
    if not strays:
        return True
    share = right / (strays + right)
    kinds = len(np.unique(found.values[~np.isnan(found.values)]))
    words = len(pc.unique(cells.filter(pa.array(found.strange))))
    return share >= 0.95 or (kinds > _FEW and (share >= 0.8 or (share >= 0.5 and kinds > _FEW * words)))


def _date(texts: pa.Array, choice: Choice, compact: bool = True) -> tuple[Any, Reading] | None:
    cells, gaps = without(texts, choice, MARKERS)
    order = cast("Order", choice.read_as.partition(", ")[2])
    found = moments(cells, order, compact and bool(choice.read_as or _DATED.search(choice.column)))
    if found is None:
        return None
    notes = [f"dates, {found.order}" if found.order else "dates"]
    if found.doubtful:
        notes = [f"dates, taken as {found.order} because no day above 12 tells: choose the other if that is wrong"]
    notes += [*strays(found.strange, cells, "date"), *gap_words(gaps, texts)]
    return found.values, Reading("date", gaps, (), tuple(notes), doubtful=found.doubtful)


def _category(cells: pd.Series, texts: pa.Array, choice: Choice) -> tuple[Any, Reading]:
    left, gaps = without(texts, choice, TEXT_GAPS)
    values, reading = _as_category(texts, left, gaps)
    if not choice.read_as and (units := several(left)):
        note = f"numbers in several units ({units}), which are not converted, so each is a category"
        reading = replace(reading, notes=(note, *reading.notes))
    elif not choice.read_as and (row := _first_word_among_numbers(left)) >= 0:
        note = f"numbers beside other words such as {quoted(left[row])} in row {row + 1:,}, so each is a category"
        reading = replace(reading, notes=(note, *reading.notes))
    return cells if values is texts and isinstance(cells.dtype, pd.CategoricalDtype) else values, reading


def _first_word_among_numbers(cells: pa.Array) -> int:
    number = pc.match_substring_regex(cells, r"^\s*[+-]?[0-9][0-9.,]*\s*$")
    if (pc.sum(number).as_py() or 0) * 2 < len(cells) - cells.null_count:
        return -1
    words = pc.fill_null(pc.invert(number), False).to_numpy(zero_copy_only=False)
    return int(words.argmax()) if words.any() else -1


def _as_category(texts: pa.Array, left: pa.Array, gaps: tuple[str, ...]) -> tuple[Any, Reading]:
    trimmed = pc.utf8_trim_whitespace(left)
    low = pc.utf8_lower(trimmed)
    doubts = pc.unique(trimmed.filter(pc.is_in(low, pa.array(sorted(MARKERS), pa.large_string()))))
    notes = gap_words(gaps, texts)
    if {*pc.unique(pc.drop_null(low.slice(0, 1000))).to_pylist()} in TRUTHS:
        spelt = Counter(pc.drop_null(left).to_pylist())
        usual = {word.strip().lower(): word.strip() for word, _ in reversed(spelt.most_common())}
        if {*usual} in TRUTHS:
            if len(spelt) > 2:
                notes += (f"spellings were taken together as {' and '.join(map(quoted, sorted(usual.values())))}",)
            words = pa.array(
                [usual.get(word) for word in low.dictionary_encode().dictionary.to_pylist()], pa.large_string()
            )
            return words.take(low.dictionary_encode().indices), Reading("true/false", gaps, (), notes)
    return left, Reading("text", gaps, tuple(sorted(doubts.to_pylist())), notes)
