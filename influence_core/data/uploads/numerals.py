"""Numbers as people write them: either decimal mark, groups of thousands, units, brackets, one rule per column."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from influence_core.data.uploads.units import Multiple, in_force, is_currency, is_unit, multiple_of, said

Mark = Literal["", ".", ","]

PROBE = 100
MOST_SHAPES = 5_000  # a column of prose has more, a column of numbers never
GROUPS = {",": "commas", ".": "points", " ": "spaces", "'": "apostrophes", "_": "underscores"}
_NOTHING = pa.scalar("", pa.large_string())
_LOOSE = r"^[^0-9]{0,8}[0-9][0-9.,' _]*(?:[eE][+-]?[0-9]+)?[^0-9]{0,14}$"
_POINTS_LIKE_GROUPS = r"^[+-]?(?:[0-9]{1,3}|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)$"
_TELLING = r"^[+-]?(?:0|[0-9]{4,})?,|,(?:[0-9]{1,2}|[0-9]{4,})(?:[eE][+-]?[0-9]+)?$"  # 0,5 but not 1,500
_PADDED = r"^[+-]?0[0-9]+$"
_BODY = r"(?P<body>[0-9][0-9.,' _]*|[.,][0-9]+)(?P<exponent>[eE][+-]?[0-9]+)?"
_SHAPE = re.compile(
    r"(?P<open>\(?) ?(?P<sign>[+-]?) ?(?P<prefix>[^0-9+\-()]*?) ?(?P<inner>[(+-]?)"
    r"(?P<body>[09][09.,' _]*|[.,][09]+)(?P<exponent>[eE][+-]?[09]+)?(?P<tail>[^09]*)"
)
_WIDE = 0xFEE0  # from a letter to its form as wide as a Chinese character
_UNIFIED = str.maketrans({"−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "’": "'"})


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers.

    Attributes:
        values: (n,) float64, NaN where a cell is missing or no number.
        strange: (n,) cells that are neither a number nor missing.
        decimal: the decimal mark in force, "" where nothing but digits was found.
        doubtful: whether the cells fit both marks, so that the choice is a guess.
        groups: signs between thousands, in words.
        unit: what was left out around the numbers.
        padded: whether whole numbers start with zeros, as codes do.
        multiples: signs such as k and M at their end, in words.
    """

    values: NDArray[np.float64]
    strange: NDArray[np.bool_]
    decimal: Mark = ""
    doubtful: bool = False
    groups: str = ""
    unit: str = ""
    padded: bool = False
    multiples: str = ""


@dataclass(frozen=True)
class _Shape:
    """A way to write a number, digits being 9, a leading zero 0: its sign, unit, and (group, decimal) readings.

    Attributes:
        negative: whether it is.
        unit: what stands around the digits.
        readings: pairs of the sign between thousands and the decimal mark.
        multiple: what the end of the unit may multiply it by, and what is left of the unit then.
    """

    negative: bool
    unit: str
    readings: frozenset[tuple[str, str]]
    multiple: tuple[Multiple, str] | None = None


def plain_numbers(texts: pa.Array) -> NDArray[np.float64] | None:
    """Cells that a program wrote, such as ``-1.5e-3``, to the last bit.

    Returns:
        (n,) numbers, NaN where a cell is empty; None if any cell is something else.
    """
    try:
        pc.cast(texts.slice(0, PROBE), pa.float64())  # to fail costs more the more cells there are
        found: NDArray[np.float64] = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return found


def comma_numbers(texts: pa.Array) -> NDArray[np.float64] | None:
    """Cells that a program wrote with a decimal comma.

    Returns:
        (n,) numbers, NaN where a cell is null; None if any cell is something else, or none tells that it is no group.
    """
    if pc.any(pc.match_substring(texts, ".")).as_py() or not pc.any(pc.match_substring(texts, ",")).as_py():
        return None
    telling = pc.match_substring_regex(texts, _TELLING)
    return plain_numbers(pc.replace_substring(texts, ",", ".")) if pc.any(telling).as_py() else None


def padded(texts: pa.Array) -> bool:
    """Whether a whole number starts with a zero too many, such as ``007``."""
    return bool(pc.any(pc.match_substring_regex(texts, _PADDED)).as_py())


def points_like_groups(texts: pa.Array) -> bool:
    """Whether every point of these plain numbers could stand between thousands, as in ``1.234``."""
    dotted = pc.any(pc.match_substring(texts, ".")).as_py()
    return bool(dotted and pc.all(pc.match_substring_regex(texts, _POINTS_LIKE_GROUPS)).as_py())


def numbers(texts: pa.Array, forced: Mark = "", hint: Mark = "") -> Numbers | None:
    """A column of cells that are not all plain.

    Args:
        texts: (n,) cells, null where missing.
        forced: the decimal mark that a person chose.
        hint: the mark of the other columns, where these cells do not tell.

    Returns:
        The numbers with what was understood; None where hardly a cell looks like one.
    """
    cells = _unified(texts)
    loose = pc.fill_null(pc.match_substring_regex(cells, _LOOSE), False)
    places = np.flatnonzero(loose.to_numpy(zero_copy_only=False))
    present = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    if not len(places) or (not forced and len(places) < present.sum() / 2):
        return None
    written = cells.take(pa.array(places))
    coded = _shapes(written).dictionary_encode()
    shapes = [_shape(str(shape)) for shape in coded.dictionary.to_pylist()[:MOST_SHAPES]]
    shapes, multiples = _multiplied(shapes)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(shapes))[: len(shapes)]
    unit, units = _unit(shapes, counts)
    decimal, doubtful = _decimal(shapes, counts, units, hint)
    decimal = forced or decimal
    reading = [_reading(shape, decimal, units) for shape in shapes]
    fits = np.array([*(found is not None for found in reading), False])[np.minimum(codes, len(shapes))]
    values, strange = np.full(len(texts), np.nan), present.copy()
    negative = np.array([*(shape is not None and shape.negative for shape in shapes), False])[codes[fits]]
    values[places[fits]] = _values(written.filter(pa.array(fits)), decimal, negative, _powers(shapes, codes[fits]))
    strange[places[fits]] = False
    used = sorted({found[0] for found in reading if found and found[0]})
    marked = any(found and found[1] for found in reading)
    return Numbers(
        values, strange, decimal if marked or set(used) & {",", "."} else "", doubtful and not forced,
        " and ".join(GROUPS[sign] for sign in used), unit,
        not marked and not used and padded(written.filter(pa.array(fits))), multiples,
    )  # fmt: skip


def _unified(texts: pa.Array) -> pa.Array:
    # Blanks of every width, signs and digits of every script, in the characters that programs use.
    cells = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^'\s*([^']*?)\s*'?$", r"\1")
    if not pc.any(pc.invert(pc.string_is_ascii(cells))).as_py():
        return cells
    coded = cells.dictionary_encode()
    words = [_ascii(word) for word in coded.dictionary.to_pylist()]
    return pa.array(words, pa.large_string()).take(coded.indices)


def _ascii(word: str) -> str:
    if word.isascii():
        return word
    marks = (str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in word.translate(_UNIFIED))
    return "".join(chr(ord(mark) - _WIDE) if "！" <= mark <= "～" else mark for mark in marks).strip()


def _shapes(written: pa.Array) -> pa.Array:
    # Every digit a 9, but a zero before a separator or another digit stays one.
    whole = pa.concat_arrays([written])
    valid, offsets, data = whole.buffers()
    letters = np.frombuffer(data, dtype=np.uint8).copy() if data else np.empty(0, dtype=np.uint8)
    letters[(letters >= ord("0")) & (letters <= ord("9"))] = ord("9")
    buffers = [valid, offsets, pa.py_buffer(letters)]
    shapes = pa.Array.from_buffers(pa.large_string(), len(whole), buffers, offset=whole.offset)
    zero = pc.match_substring_regex(written, "^[^0-9]*0[0-9.,' _]")
    if not pc.any(zero).as_py():
        return shapes
    return pc.if_else(zero, pc.replace_substring(shapes, "9", "0", max_replacements=1), shapes)


def _shape(shape: str) -> _Shape | None:
    found = _SHAPE.fullmatch(shape)
    if found is None:
        return None
    body, tail, spaced = found["body"].rstrip(" _'"), found["tail"].strip(), found["body"].endswith(" ")
    spaced |= found["tail"].startswith(" ")
    if body[-1] in ".," and tail.startswith("-"):  # 5,- is a price
        tail = tail.lstrip("-").strip()
    brackets = "(" in {found["open"], found["inner"]}
    behind = not brackets and tail.endswith("-")
    tail = tail.removesuffix("-" if behind else ")" if brackets else "").strip()
    if brackets != found["tail"].rstrip().endswith(")"):
        return None
    prefix = found["prefix"].strip()
    ends = None if found["exponent"] else multiple_of(tail, spaced)
    if (prefix and not is_currency(prefix)) or (tail and not ends and not is_unit(tail, spaced)):
        return None
    minus = [found["sign"], found["inner"], "-" if behind else "", "-" if brackets else ""].count("-")
    readings = frozenset(_readings(body))
    multiple = None if ends is None else (ends, prefix + ends.rest)
    return _Shape(minus == 1, prefix + tail, readings, multiple) if readings and minus <= 1 else None


def _multiplied(shapes: list[_Shape | None]) -> tuple[list[_Shape | None], str]:
    """The shapes with multiples apart from their units where the column has any, and what these are."""
    known = [shape for shape in shapes if shape is not None]
    found = [shape.multiple[0] for shape in known if shape.multiple]
    if not in_force(found, {shape.multiple[1] if shape.multiple else shape.unit for shape in known}):
        return [shape and replace(shape, multiple=None) for shape in shapes], ""
    return [replace(s, unit=s.multiple[1]) if s and s.multiple else s for s in shapes], said(found)


def _powers(shapes: list[_Shape | None], codes: NDArray[np.integer]) -> pa.Array | None:
    """Exponents to be written behind the numbers, None for none."""
    powers = [f"e{shape.multiple[0].power}" if shape and shape.multiple else "" for shape in shapes]
    return pa.array(powers, pa.large_string()).take(pa.array(codes)) if any(powers) else None


def _readings(body: str) -> list[tuple[str, str]]:
    found = []
    for decimal in ("", ".", ","):
        if decimal and body.count(decimal) != 1:
            continue
        whole, _, part = body.partition(decimal) if decimal else (body, "", "")
        groups = {mark for mark in whole if mark not in "09"}
        if part.strip("09") or len(groups) > 1:
            continue
        group = "".join(groups)
        if not group or (group != decimal and _is_grouped(whole.split(group), group)):
            found.append((group, decimal))
    return found


def _is_grouped(parts: list[str], group: str) -> bool:
    first, *middle, last = parts
    if not 1 <= len(first) <= 3 or first.startswith("0") or len(last) != 3:
        return False
    threes = all(len(part) == 3 for part in middle)
    lakhs = group == "," and len(first) <= 2 and all(len(part) == 2 for part in middle)  # 12,34,567
    return threes or lakhs


def _unit(shapes: list[_Shape | None], counts: NDArray[Any]) -> tuple[str, frozenset[str]]:
    # One unit, which some cells may leave out; but 0.13 beside 13% is no per cent.
    found: Counter[str] = Counter()
    for shape, count in zip(shapes, counts, strict=True):
        if shape is not None:
            found[shape.unit] += int(count)
    bare = found.pop("", 0)
    if not found:
        return "", frozenset({""})
    unit, count = found.most_common(1)[0]
    if len(found) > 1 or "%" in unit or "‰" in unit:
        unit = unit if count > bare else ""
        return unit, frozenset({unit})
    return unit, frozenset({unit, ""})


def _reading(shape: _Shape | None, decimal: str, units: frozenset[str]) -> tuple[str, str] | None:
    if shape is None or shape.unit not in units:
        return None
    return next((r for r in shape.readings if r[1] in {"", decimal} and r[0] != decimal), None)


def _decimal(shapes: list[_Shape | None], counts: NDArray[Any], units: frozenset[str], hint: Mark) -> tuple[Mark, bool]:
    """The mark that more cells fit, and whether both fit all of them alike."""
    points, commas, differs = 0, 0, False
    for shape, count in zip(shapes, counts, strict=True):
        point, comma = _reading(shape, ".", units), _reading(shape, ",", units)
        points += int(count) * (point is not None)
        commas += int(count) * (comma is not None)
        differs |= point != comma
    if points != commas:
        return "." if points > commas else ",", False
    return hint or ".", differs


def _values(
    written: pa.Array, decimal: Mark, negative: NDArray[np.bool_], powers: pa.Array | None
) -> NDArray[np.float64]:
    parts = pc.extract_regex(written, _BODY)
    group = r"[' _.]" if decimal == "," else r"[' _,]"
    body = pc.replace_substring_regex(pc.struct_field(parts, "body"), group, "")
    if decimal == ",":
        body = pc.replace_substring(body, ",", ".")
    ends = [pc.struct_field(parts, "exponent"), *([] if powers is None else [powers])]
    whole = pc.binary_join_element_wise(body, *ends, _NOTHING)
    values: NDArray[np.float64] = pc.cast(whole, pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(negative, -values, values)
