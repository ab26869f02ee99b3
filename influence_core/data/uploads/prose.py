"""Columns of texts whose words become the features, and folders of text files."""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.texts import MOST_CHARACTERS, MOST_TEXTS
from influence_core.data.uploads.archive import unpack
from influence_core.data.uploads.columns import Column, row_names
from influence_core.data.uploads.decoding import as_utf8
from influence_core.data.uploads.folders import layout_of
from influence_core.data.uploads.limits import at_most, quoted
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.typed import TEXT

LONG, WORDS = 20, 3  # mean characters and words from which different texts are prose
LOOKED_AT = 200
STRAY = 0.2  # of the bytes of a file may be NUL in a text whose letters are no two bytes each
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
# Line ends and tabs belong to a text; marks that cannot be shown, or turn the writing after them around, do not.
_HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_prose(raw: Raw, column: Column) -> bool:
    """Whether a column looks like texts to be read: long ones of several words, mostly different."""
    if column.kind != "text" or column.name not in raw.frame or 2 * column.distinct < min(len(raw), 20_000):
        return False
    some = [str(text) for text in raw.frame[column.name].dropna().head(LOOKED_AT)]
    if not some or not np.mean([len(text) for text in some]) >= LONG:
        return False
    return bool(np.mean([len(text[:2_000].split()) for text in some]) >= WORDS)


def texts_of(raw: Raw, columns: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """The texts of some rows, several columns one under the other; missing ones are empty.

    Returns:
        (number of rows,) str without marks that cannot be shown.

    Raises:
        DataError: too many, or one that is too long.
    """
    at_most("texts", MOST_TEXTS, len(rows), "upload a part of them")
    cells = [row_names(raw, name) for name in columns]
    found = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        text = "\n".join(part[row] for part in cells if part[row])
        if len(text) > MOST_CHARACTERS:
            raise DataError(
                f"Expected texts of at most {MOST_CHARACTERS:,} characters, got {len(text):,} in row {row + 1:,}: cut "
                "that text, or divide it into several rows."
            )
        found[place] = _HARM.sub(" ", text)
    return found


def is_text_folders(members: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether an archive holds text files in folders, which tell their classes."""
    paths = [PurePosixPath(member.filename) for member in _texts(members)]
    return len(paths) > 1 and len({path.parent for path in paths}) > 1


def read_texts(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> Raw:
    """Text files with their classes and parts from folders, paths as ids.

    Raises:
        DataError: the folders tell no classes, or a text is too long.
    """
    chosen = _texts(members)
    at_most("texts", MOST_TEXTS, len(chosen), "upload a part of them")
    layout = layout_of([PurePosixPath(member.filename) for member in chosen])
    if len(set(layout.classes)) < 2:
        raise DataError(
            "Expected texts in at least 2 folders, one per class, got one class: put the texts of each class into a "
            "folder of its name."
        )
    for k in layout.kept:
        if chosen[k].file_size > 4 * MOST_CHARACTERS:
            raise DataError(
                f"Expected texts of at most {MOST_CHARACTERS:,} characters, got {quoted(chosen[k].filename)} with "
                f"{chosen[k].file_size:,} bytes: cut that text, or divide it into several files."
            )
    frame = pd.DataFrame(
        {
            "text": [_decoded(chosen[k].filename, unpack(archive, chosen[k])) for k in layout.kept],
            "class": layout.classes,
            "file": [chosen[k].filename for k in layout.kept],
        }
    )
    if layout.parts:
        frame["split"] = layout.parts
    notes = tuple(note for note in (layout.lost, layout.choice, layout.split) if note)
    readings = {str(name): TEXT for name in frame.columns}
    return Raw(frame, notes=notes, index="file", target="class", readings=readings)


def _decoded(name: str, content: bytes) -> str:
    """A file as text; a stray NUL is a blank."""
    stray = content.count(0) < STRAY * len(content) and not content.startswith(_WIDE)
    try:
        return as_utf8(content.replace(b"\0", b" ") if stray else content)[0].decode("utf-8", "replace")
    except DataError:
        raise DataError(
            f"Expected text in {quoted(name)}, got bytes that are none: save it in UTF-8, or leave it out."
        ) from None


def _texts(members: Sequence[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    return [member for member in members if PurePosixPath(member.filename).suffix.lower() == ".txt"]
