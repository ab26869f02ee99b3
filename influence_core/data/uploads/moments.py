"""Dates as people write them: year, day or month first, month names, times of day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Order = Literal["", "day first", "month first"]

_TIME = (
    r"(?:[T, ]+(?P<h>[0-9]{1,2}):(?P<i>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,][0-9]+)?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_DAY = r"^(?:\pL{2,9}\.?,? +)?"  # a weekday may stand in front
_NAME, _TH = r"(?P<name>\pL{3,9})\.?", r"(?:st|nd|rd|th|\.)?"
_PATTERNS = (
    r"^(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})" + _TIME,
    _DAY + r"(?P<a>[0-9]{1,2})(?P<sep>[-/.]) ?(?P<b>[0-9]{1,2})[-/.] ?(?P<y>[0-9]{4})" + _TIME,
    r"^(?P<a>[0-9]{2})(?P<sep>[-/.])(?P<b>[0-9]{2})[-/.](?P<y>[0-9]{2})" + _TIME,
    r"^(?P<a>[0-9]{1,2})(?P<sep>/)(?P<b>[0-9]{1,2})/(?P<y>[0-9]{2})" + _TIME,
    _DAY + r"(?P<d>[0-9]{1,2})" + _TH + r"[ -]*" + _NAME + r"[ ,-]*(?P<y>[0-9]{4}|[0-9]{2})" + _TIME,
    _DAY + _NAME + r"[ -]+(?P<d>[0-9]{1,2})" + _TH + r",?[ -]+(?P<y>[0-9]{4})" + _TIME,
    r"^(?P<y>[0-9]{4})[-/](?P<m>[0-9]{1,2})$",
    r"^(?P<h>[0-9]{1,2}):(?P<i>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,][0-9]+)?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?$",
)
_COMPACT = r"^(?P<y>(?:19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})$"
_MONTHS = {
    start: month
    for month, starts in enumerate(
        ("jan jän ene", "feb fév fev", "mar mär mrz", "apr avr abr", "may mai mag", "jun jui", "jul", "aug aoû ago",
         "sep set", "oct okt ott out", "nov", "dec dez déc dic"), 1,
    )
    for start in starts.split()
} | {"juil": 7, "juin": 6}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Moments:
    """A column read as dates.

    Attributes:
        values: (n,) datetime64[us], NaT where a cell is missing or no date.
        strange: (n,) cells that are neither a date nor missing.
        order: which of day and month comes first, where both are numbers.
        doubtful: whether the cells fit both orders.
    """

    values: NDArray[np.datetime64]
    strange: NDArray[np.bool_]
    order: Order = ""
    doubtful: bool = False


def moments(texts: pa.Array, forced: Order = "", compact: bool = False) -> Moments | None:
    """A column of dates.

    Args:
        texts: (n,) cells, null where missing.
        forced: the order that a person chose.
        compact: whether eight digits may be a date.

    Returns:
        The dates; None where fewer than half of the cells are one.
    """
    cells = pc.utf8_trim_whitespace(texts)
    sample = cells.filter(pc.is_valid(cells)).slice(0, 1000)
    patterns = (*_PATTERNS, _COMPACT) if compact else _PATTERNS
    counts = {pattern: pc.sum(pc.match_substring_regex(sample, pattern)).as_py() or 0 for pattern in patterns}
    if not len(sample) or sum(counts.values()) < len(sample) / 2:
        return None
    present = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    values = np.full(len(cells), np.datetime64("NaT", "us"))
    order, doubtful = forced, False
    for pattern in sorted(patterns, key=lambda pattern: -counts[pattern])[:3]:  # two programs may have written it
        if counts[pattern]:
            fields = _fields(pc.extract_regex(cells, pattern))
            if "a" in fields:
                order, doubtful = _order(fields, order)
            values = np.where(np.isnat(values), _values(fields, order), values)
    strange = present & np.isnat(values)
    found = Moments(values, strange, order, doubtful)
    return found if (present & ~strange).sum() >= present.sum() / 2 else None


def parts(name: str, values: pd.Series) -> dict[str, pd.Series]:
    """A column of dates as numbers: those of year, month, day, weekday (Monday is 0), hour and minute that vary.

    Returns:
        Feature name to (n,) float64 with NaN where the date is missing; the year where nothing varies.
    """
    when = values.dt
    found = {
        "year": when.year, "month": when.month, "day": when.day, "weekday": when.day_of_week, "hour": when.hour,
        "minute": when.minute,
    }  # fmt: skip
    varying = {part: numbers for part, numbers in found.items() if numbers.nunique() > 1} or {"year": when.year}
    return {f"{name} {part}": numbers.astype("float64") for part, numbers in varying.items()}


def _fields(found: pa.Array) -> dict[str, NDArray[np.int64]]:
    # Numbers, -1 where a field is not there.
    fields: dict[str, NDArray[np.int64]] = {}
    for field in found.type:
        column = pc.fill_null(pc.struct_field(found, field.name), "")
        if field.name in {"name", "sep", "p"}:
            coded = column.dictionary_encode()
            known = np.array([_word(field.name, word) for word in coded.dictionary.to_pylist()], dtype=np.int64)
            name = "m" if field.name == "name" else field.name
            fields[name] = known[coded.indices.to_numpy(zero_copy_only=False)]
        else:
            digits = pc.if_else(pc.equal(column, ""), "-1", column)
            fields[field.name] = pc.cast(digits, pa.int64()).to_numpy(zero_copy_only=False)
    return fields


def _word(field: str, word: str) -> int:
    word = word.lower()
    if field == "name":
        return _MONTHS.get(word[:4], _MONTHS.get(word[:3], -1))
    return {"": -1, "a": 0, "p": 12}.get(word[:1], -1) if field == "p" else {".": 1}.get(word, 0)


def _order(fields: dict[str, NDArray[np.int64]], forced: Order) -> tuple[Order, bool]:
    if forced:
        return forced, False
    found = {order: _values(fields, order) for order in ("day first", "month first")}
    valid = {order: int((~np.isnat(values)).sum()) for order, values in found.items()}
    if valid["day first"] != valid["month first"]:
        return ("day first" if valid["day first"] > valid["month first"] else "month first"), False
    if fields["sep"].max() == 1:  # with points the day comes first everywhere
        return "day first", False
    same = bool((found["day first"] == found["month first"])[~np.isnat(found["day first"])].all())
    if _sorted(found["day first"]) != _sorted(found["month first"]):
        return ("day first" if _sorted(found["day first"]) else "month first"), not same
    return "month first", not same


def _sorted(values: NDArray[np.datetime64]) -> bool:
    steps = np.diff(values[~np.isnat(values)]).astype(np.int64)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _values(fields: dict[str, NDArray[np.int64]], order: str) -> NDArray[np.datetime64]:
    first, second = ("d", "m") if order == "day first" else ("m", "d")
    given = {**fields, first: fields["a"], second: fields["b"]} if "a" in fields else fields
    n = len(next(iter(given.values())))
    year, month, day = (given.get(key, np.full(n, low)) for key, low in (("y", 1970), ("m", 1), ("d", 1)))
    year = np.where((year >= 0) & (year < 100), year + np.where(year < 69, 2000, 1900), year)
    hour, minute, second_ = (np.maximum(given.get(key, np.zeros(n, np.int64)), 0) for key in ("h", "i", "s"))
    half = given.get("p", np.full(n, -1))
    hour = np.where(half >= 0, hour % 12 + half, hour)
    good = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second_ < 60)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(good, day - 1, 0)
    good &= days.astype("datetime64[M]") == months  # no 31st of February
    seconds = hour * 3600 + minute * 60 + second_
    when = days.astype("datetime64[us]") + (seconds * 1_000_000).astype("timedelta64[us]")
    return np.where(good, when, np.datetime64("NaT", "us"))
