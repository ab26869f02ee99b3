"""A zip of pictures as a stream of rows: classes and parts from its folders, pixels at one size, a few at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import DAMAGE, left_behind, unpack
from influence_core.data.uploads.folders import Layout, layout_of
from influence_core.data.uploads.gallery import is_picture
from influence_core.data.uploads.limits import PICTURE_BYTES, quoted
from influence_core.data.uploads.pictures import AS_THEY_ARE, SIDE, header_of, pixels_of

AT_ONCE = 1_000  # pictures in memory


class PictureStream:
    """The pictures of an archive in the order of their names, so that packing them again changes nothing.

    Args:
        path: of the archive; one that is damaged or has no classes is a ``DataError``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir() and is_picture(m.filename)]
        except DAMAGE:
            raise DataError(f"{path.name}: expected a zip archive, got a damaged or cut one.") from None
        members = sorted((m for m in members if not left_behind(m.filename)), key=lambda member: member.filename)
        self.layout: Layout = layout_of([PurePosixPath(m.filename) for m in members])
        self.members = [members[k] for k in self.layout.kept]
        self.names = tuple(sorted({*self.layout.classes}))
        if len(self.names) < 2:
            raise DataError(f"{path.name}: expected pictures in at least two folders, one per class.")
        if large := [m.filename for m in self.members if m.file_size > PICTURE_BYTES]:
            raise DataError(f"Expected pictures of at most 30 MB, got {quoted(large[0])}: make it smaller.")
        self.size = self._size()
        self.grey = all((images == images[..., :1]).all() for images, _ in self._coloured(0))

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and perhaps 3 colours."""
        return (*self.size[::-1], *(() if self.grey else (3,)))

    @property
    def y(self) -> NDArray[np.int64]:
        """(n,) class indices."""
        return np.searchsorted(np.array(self.names), self.layout.classes).astype(np.int64)

    @property
    def test(self) -> NDArray[np.bool_] | None:
        """(n,) pictures in a folder of tests; None where no folder says so."""
        found = np.array([part == "test" for part in self.layout.parts])
        return found if found.any() else None

    def chunks(self, first: int) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """Pictures from a chunk on.

        Yields:
            Their places, and pixels (b, h, w) or (b, h, w, 3).
        """
        for images, rows in self._coloured(first):
            yield rows, np.ascontiguousarray(images[..., 0]) if self.grey else images

    def _coloured(self, first: int) -> Iterator[tuple[NDArray[np.uint8], slice]]:
        for start in range(first * AT_ONCE, len(self.members), AT_ONCE):
            rows = slice(start, min(len(self.members), start + AT_ONCE))
            yield np.stack([pixels_of(name, raw, self.size) for name, raw in self._read(rows)]), rows

    def _read(self, rows: slice) -> Iterator[tuple[str, bytes]]:
        with zipfile.ZipFile(self.path) as archive:
            for member in self.members[rows]:
                yield member.filename, unpack(archive, member)

    def _size(self) -> tuple[int, int]:
        found = {(h.width, h.height) for h in (header_of(name, raw) for name, raw in self._read(slice(None)))}
        only: Any = next(iter(found))
        return only if len(found) == 1 and max(only) <= AS_THEY_ARE else (SIDE, SIDE)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was understood, for people."""
        kind = "grey" if self.grey else "in colour (RGB)"
        said = f"{len(self.members):,} pictures, {kind}, {self.size[0]} x {self.size[1]} pixels; classes are folders."
        trained = "Pictures for validation are trained on." if "validation" in self.layout.parts else ""
        return tuple(note for note in (said, self.layout.lost, self.layout.choice, self.layout.split, trained) if note)
