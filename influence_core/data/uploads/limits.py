"""What an upload may hold at most, asked before anything is read, and how a stranger's text becomes harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from influence_core.data.dataset import DataError

MEGABYTE = 2**20
BYTES = 200 * MEGABYTE
ROWS = 100_000
COLUMNS = 5_000
CELLS = 30_000_000
TEXT_CELLS = 20_000_000  # each takes room for its place, however short it is
MEMBERS = 20_000
UNPACKED = 400 * MEGABYTE
RATIO = 200
UNSUSPICIOUS = 20 * MEGABYTE  # so little is unpacked whatever its ratio
PICTURE_BYTES = 30 * MEGABYTE
PIXELS = 16_000_000
ALL_PIXELS = 300_000_000
CHUNKS = 10_000  # of one PNG; usual writers begin a new one every 8 KB
ALL_CHUNKS = 500_000
LARGEST = 1e50  # its square, summed over all rows, is still a number

NAME, LABEL, IDENTITY, HOVER = 80, 80, 2_000, 120
_SEPARATORS = {"Zl", "Zp"}
# Joiners and direction marks belong to how a word is written; what turns the text after it around does not.
_KEPT = frozenset("\u200c\u200d\u200e\u200f\u061c") | {chr(tag) for tag in range(0xE0020, 0xE0080)}
_HARM = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def at_most(what: str, limit: int, found: int, advice: str) -> None:
    """Refuse more than ``limit``.

    Raises:
        DataError: there is more.
    """
    if found > limit:
        raise DataError(f"Expected at most {limit:,} {what}, got {found:,}: {advice}.")


def counted(count: int, what: str) -> str:
    """A number and its noun, such as ``1 row`` and ``2 rows``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def were(count: int) -> str:
    """The verb after :func:`counted`."""
    return "was" if count == 1 else "were"


def plain_text(text: object, limit: int = NAME) -> str:
    """Text on one line without control marks (line ends, NUL, reversed writing direction), cut to ``limit``.

    Joiners and direction marks stay, because words that differ in them are different words.

    Returns:
        The text; markup in it is left as it is, for whoever shows it to escape.
    """
    head = str(text)[: 4 * limit]
    if not head.isascii() or not head.isprintable():
        head = "".join(_harmless(mark) for mark in head)
    words = " ".join(head.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def quoted(text: object) -> str:
    """A stranger's text inside a message.

    Returns:
        At most 40 characters in quotation marks.
    """
    return f"'{plain_text(text, 40)}'"


def harmful(text: str) -> bool:
    """Whether a text has marks that could break or turn around the line it is shown in."""
    return not text.isprintable() and _HARM.search(text) is not None


def told_apart(texts: Sequence[str]) -> tuple[list[str], int]:
    """Harmless labels, equal only where the texts differ in nothing but blanks.

    Returns:
        One label for each text, marks that cannot be shown written out where two would be equal without them; and how
        many texts differ from another in blanks only.
    """
    labels = [plain_text(text, LABEL) or "(blank)" for text in texts]
    tidy = [" ".join(text.split()) for text in texts]
    seen: dict[str, str] = {}
    for label, text in zip(labels, tidy, strict=True):
        seen[label] = text if seen.get(label, text) == text else "\0"  # no text stands for two that differ
    labels = [
        label if seen[label] != "\0" or label.endswith("…") else _spelt(text)
        for label, text in zip(labels, tidy, strict=True)
    ]
    return labels, len(texts) - len({*tidy})


def _spelt(text: str) -> str:
    return "".join(mark if _harmless(mark) == mark else f"⟨U+{ord(mark):04X}⟩" for mark in text)[:LABEL]


def _harmless(mark: str) -> str:
    if mark in _KEPT:
        return mark
    kind = unicodedata.category(mark)
    return " " if mark.isspace() or kind in _SEPARATORS else "" if kind in {"Cc", "Cf", "Cs", "Cn", "Co"} else mark
