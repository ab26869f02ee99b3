"""What stands around a number: a currency, a unit, or thousands and millions such as 10k, 1.5M, 3 bn, 2 Mio. €."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from influence_core.data.uploads.vocabulary import CURRENCIES, UNITS

POWERS = {
    "k": 3, "tsd": 3, "thousand": 3, "m": 6, "mn": 6, "mio": 6, "million": 6, "millions": 6, "b": 9, "bn": 9, "mrd": 9,
    "billion": 9, "billions": 9, "t": 12, "tn": 12, "trillion": 12, "lakh": 5, "lakhs": 5, "crore": 7, "crores": 7,
}  # fmt: skip
UNCLEAR = {"m", "B", "b", "T", "t"}  # metres, bytes and tonnes, but where others in the column are clear
MOST_UNITS = 8
HEMISPHERES = {"N", "S", "E", "W"}
_SIDES = "before", "behind"
_AROUND = r"^\s*(?P<before>[^0-9\s.,+()-]{0,4})\s*[+-]?[0-9][0-9.,]*(?P<behind> ?[^0-9\s.,+()/-][^0-9\s]{0,7})?\s*$"
_TAIL = re.compile(r"([A-Za-z]+)\.? ?(.*)")


@dataclass(frozen=True)
class Multiple:
    """A power of ten at the end of a number.

    Attributes:
        word: as it is written.
        power: of ten.
        rest: what follows, such as a currency.
        clear: whether it can hardly be a unit.
    """

    word: str
    power: int
    rest: str
    clear: bool


def multiple_of(tail: str, spaced: bool) -> Multiple | None:
    """What the text behind a number multiplies it by, if it may be that; 300 K with a blank is a temperature."""
    found = _TAIL.fullmatch(tail)
    if found is None or found[1].lower() not in POWERS or (found[2] and not is_currency(found[2])):
        return None
    word = found[1]
    return Multiple(word, POWERS[word.lower()], found[2], word not in UNCLEAR and not (spaced and len(word) == 1))


def several(cells: pa.Array) -> str:
    """The units of a column of numbers that have more than one, such as ``kg, lb``; "" where that is not so."""
    parts = pc.extract_regex(cells, _AROUND)
    numbered = pc.sum(pc.is_valid(parts)).as_py() or 0
    if 10 * numbered < 9 * (len(cells) - cells.null_count) or not numbered:
        return ""
    before, behind = (pc.unique(pc.drop_null(pc.struct_field(parts, side))).to_pylist() for side in _SIDES)
    found = sorted({*before, *(word.strip() for word in behind)} - {""})
    known = all(map(is_currency, before)) and all(
        word in HEMISPHERES or (is_unit(word.strip(), word[0] == " ") and (len(word) > 1 or word.islower()))
        for word in behind
        if word
    )
    return ", ".join(found) if known and 1 < len(found) <= MOST_UNITS else ""


def in_force(multiples: Sequence[Multiple], stems: set[str]) -> bool:
    """Whether a column has multiples: one of them is clear, and nothing but one currency is beside them."""
    return any(found.clear for found in multiples) and len(stems - {""}) <= 1 and all(map(is_currency, stems))


def said(multiples: Sequence[Multiple]) -> str:
    """The multiples in words."""
    words = {found.word: found.power for found in multiples}
    return ", ".join(f"{word} = {10**power:,}" for word, power in sorted(words.items(), key=lambda one: one[1]))


def is_currency(word: str) -> bool:
    """Whether a word or sign is a currency."""
    return word.lower() in CURRENCIES or all(unicodedata.category(mark) == "Sc" for mark in word)


def is_unit(word: str, spaced: bool) -> bool:
    """Whether a text behind a number may be its unit; any word may be one that stands apart."""
    if is_currency(word) or word in {"%", "‰", "°", "°C", "°F", "″", "′", '"', "'"} or word.lower() in UNITS:
        return True
    return spaced and len(word) <= 12 and word[0].isalpha() and not set(word) & set("+-<>~?!;:=()")
