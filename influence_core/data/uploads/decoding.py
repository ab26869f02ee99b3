"""Text of any usual encoding as UTF-8, and what had to be guessed for it."""

from __future__ import annotations

import codecs

from influence_core.data.dataset import DataError

STEP = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "The file is written in UTF-32."),
    (codecs.BOM_UTF32_BE, "utf-32", "The file is written in UTF-32."),
    (codecs.BOM_UTF16_LE, "utf-16", "The file is written in UTF-16."),
    (codecs.BOM_UTF16_BE, "utf-16", "The file is written in UTF-16."),
)


def as_utf8(content: bytes) -> tuple[bytes, str]:
    """Bytes of a text in UTF-8 without a mark.

    Returns:
        The bytes, and a sentence where they were something else.

    Raises:
        DataError: no text in an encoding that can be told.
    """
    for mark, encoding, note in _MARKS:
        if content.startswith(mark):
            return _decoded(content, encoding), note
    if b"\0" in content:
        encoding = _wide(content)
        return _decoded(content, encoding), "The file is written in UTF-16 without a mark."
    if _is_utf8(content):
        return content, ""
    try:
        return content.decode("cp1252").encode(), (
            "The file is not UTF-8 and was read as Windows-1252: check letters with accents."
        )
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"Expected a text in UTF-8, UTF-16 or Windows-1252, got bytes that are none of them in line {line:,}: "
            "save it as CSV in UTF-8."
        ) from None


def encoding_of(content: bytes) -> str:
    """The encoding of a text that :func:`as_utf8` takes, by which it goes to and fro byte for byte, its mark too."""
    for mark, encoding, _ in _MARKS:
        if content.startswith(mark):
            little = mark in {codecs.BOM_UTF32_LE, codecs.BOM_UTF16_LE}
            return encoding if encoding == "utf-8" else f"{encoding}-{'le' if little else 'be'}"
    if b"\0" in content:
        return _wide(content)
    return "utf-8" if _is_utf8(content) else "cp1252"


def _wide(content: bytes) -> str:
    # Every second byte of a text in western letters is NUL.
    even, odd = content[:4096:2].count(0), content[1:4096:2].count(0)
    half = len(content[:4096]) / 2
    if max(even, odd) < 0.4 * half or min(even, odd) > 0.05 * half or len(content) % 2:
        raise DataError("Expected a table as text, got NUL bytes: save it as CSV in UTF-8.")
    return "utf-16-le" if odd > even else "utf-16-be"


def _decoded(content: bytes, encoding: str) -> bytes:
    name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
    try:
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError:
        raise DataError(
            f"Expected text in {name}, as the first bytes say, got something else: save it again."
        ) from None
    if "\0" in text:
        raise DataError("Expected a table as text, got NUL bytes: save it as CSV in UTF-8.")
    return text.encode("utf-8", errors="replace")


def _is_utf8(content: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), STEP):
            decoder.decode(content[start : start + STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
