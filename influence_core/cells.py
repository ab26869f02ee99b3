"""Cells that a spreadsheet would run: made harmless with an apostrophe in exports, and read back as they were.

A cell that starts with = + - @, a tab or a line break is a formula for Excel and LibreOffice (OWASP, CSV injection);
their full-width forms are too in some languages.  An apostrophe in front makes it text.  Plain numbers stay numbers.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001 - the full-width forms are meant
_NUMBER = re.compile(r"'*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def neutral(text: str) -> str:
    """The text with one apostrophe more, where a spreadsheet might run it or where it looks as if this had been done.

    Returns:
        A text that no spreadsheet runs.
    """
    return f"'{text}" if _risky(text) else text


def restored(text: str) -> str:
    """Inverse of :func:`neutral`, for every text.

    Returns:
        The original text.
    """
    return text[1:] if text.startswith("'") and _risky(text) else text


def _risky(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
