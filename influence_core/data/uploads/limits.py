"""What an upload may hold at most, asked before anything is read, and how a stranger's text becomes harmless."""

from __future__ import annotations

import unicodedata

from influence_core.data.dataset import DataError

MEGABYTE = 2**20
BYTES = 200 * MEGABYTE
ROWS = 100_000
COLUMNS = 5_000
CELLS = 30_000_000
MEMBERS = 20_000
UNPACKED = 400 * MEGABYTE
RATIO = 200
UNSUSPICIOUS = 20 * MEGABYTE  # so little is unpacked whatever its ratio
PICTURE_BYTES = 30 * MEGABYTE
PIXELS = 16_000_000
ALL_PIXELS = 400_000_000
LARGEST = 1e50  # its square, summed over all rows, is still a number

NAME, LABEL, IDENTITY, HOVER = 80, 80, 60, 120
_SEPARATORS = {"Zl", "Zp"}


def at_most(what: str, limit: int, found: int, advice: str) -> None:
    """Refuse more than ``limit``.

    Raises:
        DataError: there is more.
    """
    if found > limit:
        raise DataError(f"Expected at most {limit:,} {what}, got {found:,}: {advice}.")


def plain_text(text: object, limit: int = NAME) -> str:
    """Text on one line without control marks (line ends, NUL, reversed writing direction), cut to ``limit``.

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


def _harmless(mark: str) -> str:
    kind = unicodedata.category(mark)
    return " " if mark.isspace() or kind in _SEPARATORS else "" if kind in {"Cc", "Cf", "Cs", "Cn", "Co"} else mark
