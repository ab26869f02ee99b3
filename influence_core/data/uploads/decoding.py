"""Text of any usual encoding as UTF-8, and what had to be guessed for it."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from influence_core.data.dataset import DataError

STEP, NEW_LINE = 2**20, b"\n"
SAMPLE, ENOUGH = 2**16, 8  # bytes that a guess is made of, and the fewest letters beyond ASCII for one
ENCODINGS = {
    "utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16, big end first", "cp1252": "Windows-1252 (Western)",
    "cp1250": "Windows-1250 (Central Europe)", "iso8859-2": "ISO 8859-2 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)", "koi8-r": "KOI8-R (Cyrillic)", "cp866": "DOS 866 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)", "cp1254": "Windows-1254 (Turkish)", "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)", "cp932": "Shift-JIS (Japanese)", "euc_jp": "EUC-JP (Japanese)",
    "gb18030": "GBK or GB 18030 (Chinese)", "cp950": "Big5 (Chinese)", "cp949": "EUC-KR (Korean)",
    "mac_roman": "Mac Roman", "cp850": "DOS 850 (Western)", "cp437": "DOS 437",
}  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# Western words have letters beyond ASCII one by one; others consist of them.
_FOREIGN = ("cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "cp949")
_SIDE_BY_SIDE = re.compile(rb"[\x80-\xff]{2,}|(?:[\x81-\x9f][\x40-\xfe]){2,}")
_BEYOND = re.compile(rb"[\x80-\xff]")
_ALIAS = {"koi8_r": "koi8-r", "big5": "cp950", "big5hkscs": "cp950", "shift_jis": "cp932", "euc_kr": "cp949"}


def as_utf8(content: bytes, asked: str = "") -> tuple[bytes, str]:
    """Bytes of a text in UTF-8 without a mark.

    Args:
        content: of the file.
        asked: the encoding that a person chose; "" to guess it.

    Returns:
        The bytes, and a sentence where they were something else.

    Raises:
        DataError: no text in an encoding that can be told, or in the one that was chosen.
    """
    encoding = asked or encoding_of(content)
    title = titled(encoding)
    marked = any(content.startswith(mark) for mark, _ in _MARKS)
    if encoding == "utf-8" and not marked and (not asked or _is_utf8(content)):
        return content, ""
    if (fault := _fault(content, encoding)) >= 0:
        line = content.count(NEW_LINE, 0, fault) + 1
        raise DataError(
            f"Expected text in {title}, as was chosen, got bytes that are none in line {line:,}: choose another "
            "encoding." if asked else
            f"Expected text in {title}, as the first bytes say, got something else: save it again."
        )  # fmt: skip
    text = content.decode(encoding)
    if "\0" in text:
        raise DataError("Expected a table as text, got NUL bytes: save it as CSV in UTF-8, or choose its encoding.")
    return text.removeprefix("\ufeff").encode("utf-8", errors="replace"), _said(encoding, asked, marked)


def encoding_of(content: bytes) -> str:
    """The encoding of a text that :func:`as_utf8` takes, by which it goes to and fro byte for byte, its mark too."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return _wide(content)
    if _is_utf8(content):
        return "utf-8"
    if _nearly_utf8(content):
        line = content.count(NEW_LINE, 0, _fault(content, "utf-8")) + 1
        raise DataError(
            f"Expected text in UTF-8, as most letters beyond ASCII are, got bytes that are none in line {line:,}: mend "
            "that line, or choose another encoding."
        )
    return _legacy(content)


def titled(encoding: str) -> str:
    """An encoding in the words of a person."""
    return ENCODINGS.get(encoding, encoding.upper().removesuffix("-LE").removesuffix("-BE")).partition(",")[0]


def _said(encoding: str, asked: str, marked: bool) -> str:
    if encoding == "utf-8":
        return ""
    if asked:
        return f"The file was read as {titled(encoding)}, as was chosen."
    if encoding.startswith("utf"):
        return f"The file is written in {titled(encoding)}{'' if marked else ' without a mark'}."
    return (
        f"The file is not UTF-8 and was read as {titled(encoding)}: check letters with accents, and choose another "
        "encoding if they are wrong."
    )


def _wide(content: bytes) -> str:
    # Every second byte of a text in western letters is NUL.
    even, odd = content[:4096:2].count(0), content[1:4096:2].count(0)
    half = len(content[:4096]) / 2
    if max(even, odd) < 0.4 * half or min(even, odd) > 0.05 * half or len(content) % 2:
        raise DataError("Expected a table as text, got NUL bytes: save it as CSV in UTF-8, or choose its encoding.")
    return "utf-16-le" if odd > even else "utf-16-be"


def _legacy(content: bytes) -> str:
    """Windows-1252, but where letters beyond ASCII stand side by side as in no Western word."""
    told = b"\n".join(line for line in content[: 4 * STEP].splitlines() if _BEYOND.search(line))[:SAMPLE]
    beyond = len(_BEYOND.findall(told))
    if beyond >= ENOUGH and sum(map(len, _SIDE_BY_SIDE.findall(told))) >= beyond / 2:
        found = from_bytes(told, cp_isolation=[*_FOREIGN, "cp1252"], threshold=0.5).best()
        name = "" if found is None else _ALIAS.get(found.encoding, found.encoding)
        if name and _fault(content, name) < 0:
            return name
    fault = _fault(content, "cp1252")
    if fault < 0:
        return "cp1252"
    raise DataError(
        "Expected a text in UTF-8, UTF-16 or Windows-1252, got bytes that are none of them in line "
        f"{content.count(NEW_LINE, 0, fault) + 1:,}: choose its encoding, or save it as CSV in UTF-8."
    )


def _fault(content: bytes, encoding: str) -> int:
    """Place of the first byte that the encoding does not have; -1 for none."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return -1


def _nearly_utf8(content: bytes) -> bool:
    """Whether a few bytes spoil a text whose letters beyond ASCII are else in UTF-8, which no other encoding does."""
    text = content[: 4 * STEP].decode("utf-8", errors="replace")
    bad, beyond = text.count("\ufffd"), sum(not mark.isascii() for mark in text)
    return beyond - bad >= max(ENOUGH, 10 * bad)


def _is_utf8(content: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), STEP):
            decoder.decode(content[start : start + STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
