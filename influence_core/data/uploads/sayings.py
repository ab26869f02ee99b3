"""What a person is told of the cells of a column, to follow its name and a colon."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from influence_core.data.uploads.limits import counted, quoted
from influence_core.data.uploads.numerals import Numbers

EPOCH = 631_152_000.0, 4_102_444_800.0  # 1990 to 2100
_TIMED = re.compile(r"time|date|epoch|stamp|created|updated|_at$|^ts$", re.IGNORECASE)
_NEGATIVE = r"^[^0-9]*\(.*\)\s*$|[-\x{2212}]\s*$"
SENTINELS = (-999.0, -9999.0, -99999.0, -99.0, 9999.0, 99999.0, -1e30)


def sentinel(values: NDArray[np.float64]) -> tuple[str, ...]:
    """A note on a number that stands far from all others and often means a gap."""
    ends = float(np.fmin.reduce(values, initial=np.inf)), float(np.fmax.reduce(values, initial=-np.inf))
    for sentinel in SENTINELS if {*ends} & {*SENTINELS, -np.inf, np.inf} else ():
        found = values == sentinel
        count = int(found.sum())
        others = values[~found & np.isfinite(values)]
        if count and len(others):
            gap = others.min() - sentinel if sentinel < 0 else sentinel - others.max()
            if gap > max(np.ptp(others), abs(sentinel) / 2):
                where = f"{sentinel:.0f} stands in {counted(count, 'row')}, far from all other values"
                return (f"{where}; count it as missing if it means that",)
    return ()


def epoch(name: str, values: NDArray[np.float64]) -> tuple[str, ...]:
    """A note on numbers that may be times: whole, named so, and of this century in seconds or thousandths."""
    present = values[np.isfinite(values)]
    if not _TIMED.search(name) or not len(present) or (present % 1).any():
        return ()
    low, high = float(present.min()), float(present.max())
    for unit, size in (("seconds", 1.0), ("milliseconds", 1e3)):
        if EPOCH[0] * size <= low and high <= EPOCH[1] * size:
            return (f"by their size {unit} since 1970, used as plain numbers",)
    return ()


def style(found: Numbers, cells: pa.Array, doubtful: bool) -> tuple[str, ...]:
    """How the numbers are written."""
    signs = [
        "a decimal comma" if found.decimal == "," else "",
        f"{found.groups} between thousands" if found.groups else "",
    ]
    notes = [f"numbers with {' and '.join(sign for sign in signs if sign)}"] if any(signs) else []
    for pattern, values, what in (
        (_NEGATIVE, found.values < 0, "brackets around a number, or a minus behind it, make it negative"),
        (r"^\s*['’]", np.isfinite(found.values), "apostrophes around numbers were left out"),
    ):  # fmt: skip
        such = pc.fill_null(pc.match_substring_regex(cells, pattern), False).to_numpy(zero_copy_only=False) & values
        if such.any():
            row = int(such.argmax())
            notes.append(f"{what}: {quoted(cells[row])} = {found.values[row]:.12g}")
    if found.unit:
        notes.append(f"numbers in {found.unit}, which was left out: {example(found, cells)}")
    if found.multiples:
        notes.append(f"numbers with {found.multiples} behind them, which was multiplied out: {example(found, cells)}")
    if doubtful:
        notes.append(
            f"both decimal marks fit, so {example(found, cells)} is a guess: read the column another way if it is wrong"
        )
    return tuple(notes)


def example(found: Numbers, cells: pa.Array) -> str:
    """The first cell that is not digits alone, and the number that it is."""
    marked = pc.fill_null(pc.match_substring_regex(cells, "[^0-9+-]"), False).to_numpy(zero_copy_only=False)
    row = int(np.argmax(marked & ~np.isnan(found.values)))
    return f"{quoted(cells[row])} = {found.values[row]:.12g}"


def strays(strange: NDArray[np.bool_], cells: pa.Array, what: str = "number") -> tuple[str, ...]:
    """Cells that are no numbers or dates, the first of them with its row."""
    if not strange.any():
        return ()
    number = Counter(cells.filter(pa.array(strange)).to_pylist())
    first, row = str(cells[int(strange.argmax())]), int(strange.argmax()) + 1
    if len(number) == 1:
        times = f"in {number[first]:,} rows, first in row {row:,}," if number[first] > 1 else f"in row {row:,}"
        return (f"{quoted(first)} {times} is no {what} and counts as missing",)
    return (f"{strange.sum():,} cells are no {what}s and count as missing, first {quoted(first)} in row {row:,}",)


def gap_words(gaps: tuple[str, ...], texts: pa.Array) -> tuple[str, ...]:
    """Words that count as missing, each with its first row."""
    trimmed = pc.utf8_trim_whitespace(texts)
    notes = []
    for word in gaps[:4]:
        hit = pc.fill_null(pc.equal(trimmed, word), False).to_numpy(zero_copy_only=False)
        where = f"first in row {hit.argmax() + 1:,}" if hit.sum() > 1 else f"in row {hit.argmax() + 1:,}"
        notes.append(
            f"{quoted(word)} counts as missing ({hit.sum():,} times, {where})"
            if hit.sum() > 1
            else f"{quoted(word)} counts as missing ({where})"
        )
    return tuple(notes)


def long_numbers(cells: pa.Array, found: Numbers) -> tuple[str, ...]:
    """Whole numbers that are longer than a floating-point number keeps."""
    large = np.abs(found.values[np.isfinite(found.values)])
    if not (large >= 2**53).any() or not pc.any(pc.match_substring_regex(cells, "[0-9]{17}")).as_py():
        return ()
    return ("very long numbers; 16 digits of them are kept",)
