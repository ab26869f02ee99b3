"""Numbers and names as a person reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIGITS = 3
PLAIN = (-2, 3)  # powers of ten of the largest number that need no factor
POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Form:
    """How the numbers of one view are written: one factor for all of them, three digits, a sign and a real minus.

    Attributes:
        power: of ten, by which every number is divided.
        unit: of the numbers as they are.
    """

    power: int
    unit: str

    @property
    def scaled_unit(self) -> str:
        """Unit of the numbers as they are written, ``10⁻⁴ nats``."""
        if not self.power:
            return self.unit
        factor = f"10{str(self.power).translate(POWERS)}"
        return f"{factor} {self.unit}" if not self.unit.startswith("a ranking") else f"{self.unit}, times {factor}"

    def scale(self, values: Floats) -> Floats:
        """The numbers, divided by the factor."""
        return np.asarray(values, dtype=np.float64) / 10.0**self.power

    def text(self, value: float) -> str:
        """One number, without its unit: ``+2.39`` or ``−0.00412``."""
        return signed(float(value) / 10.0**self.power)


def form_of(values: Floats, unit: str) -> Form:
    """The form in which the largest number has one digit before the point, or none at all needs a factor."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max(initial=0.0))
    power = math.floor(math.log10(largest)) if largest else 0
    return Form(0 if PLAIN[0] <= power < PLAIN[1] else power, unit)


def signed(score: float) -> str:
    """A score in words for people: three digits and no exponent, always with its sign, and a real minus.

    Returns:
        For example ``+0.0123``, ``−0.00000410`` or ``0``.
    """
    if score == 0 or not math.isfinite(score):
        return "0" if score == 0 else "–"
    power = math.floor(math.log10(abs(float(f"{score:.{DIGITS - 1}e}"))))
    digits = f"{abs(round(score, DIGITS - 1 - power)):,.{max(DIGITS - 1 - power, 0)}f}"
    return f"{'−' if score < 0 else '+'}{digits}"


def plain_markdown(text: str) -> str:
    """Text without Markdown meaning: file names, labels and links may hold anything."""
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+!|<>$~:" else mark for mark in text)


def counted(count: int, what: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
