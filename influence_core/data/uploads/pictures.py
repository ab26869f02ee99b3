"""Pictures of strangers: format and size are read from the header before a pixel is decoded; all get one size."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFile

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import NESTED, open_archive, unpack
from influence_core.data.uploads.arrays import pixel_block
from influence_core.data.uploads.limits import (
    ALL_PIXELS,
    CELLS,
    NAME,
    PICTURE_BYTES,
    PIXELS,
    at_most,
    plain_text,
    quoted,
)
from influence_core.data.uploads.raw import Raw

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
ENDINGS = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
SIDE = 28
AS_THEY_ARE = 32  # pictures of one size up to this many pixels a side are not resized
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, EOFError, IndexError, KeyError, OverflowError, MemoryError,
           struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning)  # fmt: skip

Load = Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Pictures:
    """n pictures of one size, (n, h, w) or (n, h, w, 3) uint8, and what was done to them."""

    images: NDArray[np.uint8]
    notes: tuple[str, ...]


def read_pictures(content: bytes) -> Raw:
    """A zip archive with one folder of pictures per class; folders train and test above them fix the split.

    Returns:
        Pixels as features, folder names as classes, file names as ids.

    Raises:
        DataError: no two classes of pictures, or an archive or picture that is damaged, nested or too large.
    """
    archive, members = open_archive(content)
    nested = [m.filename for m in members if PurePosixPath(m.filename).suffix.lower() in NESTED]
    if nested:
        raise DataError(f"Expected pictures in folders, got the archive {quoted(nested[0])} inside: unpack it first.")
    chosen = [m for m in members if PurePosixPath(m.filename).suffix.lower() in ENDINGS]
    paths = [PurePosixPath(m.filename) for m in chosen]
    folders = [path.parent.name for path in paths]
    if len(set(folders)) < 2 or "" in folders:
        kinds = ", ".join(kind.lower() for kind in FORMATS)
        raise DataError(
            f"Expected at least 2 folders, one per class, with pictures ({kinds}), got {len(set(folders) - {''})}: "
            "put the pictures of each class into a folder of its name."
        )
    for member in chosen:
        if member.file_size > PICTURE_BYTES:
            raise DataError(f"Expected pictures of at most 30 MB, got {quoted(member.filename)}: make it smaller.")
    found = decode([(str(path), lambda m=m: unpack(archive, m)) for path, m in zip(paths, chosen, strict=True)])  # type: ignore[misc]
    columns = {"class": folders, "file": [plain_text(_tail(path), NAME) for path in paths]}
    parts = [path.parent.parent.name.lower() for path in paths]
    if all(part in PARTS for part in parts):
        columns["split"] = parts
    other = len(members) - len(chosen)
    left_out = (f"{other} files that are no pictures were left out.",) if other else ()
    return Raw(pd.DataFrame(columns), {"pixels": pixel_block(found.images)}, found.images, (*found.notes, *left_out))


def decode(sources: Sequence[tuple[str, Load]]) -> Pictures:
    """Pictures of one size: as they are where all are equal and small, else 28 x 28; grey where none has colour.

    Args:
        sources: a name for messages and what gives the encoded bytes, for each picture.

    Returns:
        The pictures; one that is damaged, of another format or too large is a ``DataError``.
    """
    sizes, frames, pixels = [], 0, 0
    for name, load in sources:
        width, height, more = _header(name, load())
        sizes.append((width, height))
        frames += more
        pixels += width * height
        at_most("pixels in all pictures", ALL_PIXELS, pixels, "make the pictures smaller or take a part of them")
    same = len(set(sizes)) == 1 and max(sizes[0]) <= AS_THEY_ARE
    size = sizes[0] if same else (SIDE, SIDE)
    at_most("pixels after resizing", CELLS, 3 * len(sources) * size[0] * size[1], "take a part of the pictures")
    images = np.stack([_pixels(name, load(), size) for name, load in sources])
    grey = bool((images == images[..., :1]).all())
    what = f"{len(sources):,} pictures, {'grey' if grey else 'in colour (RGB)'}, "
    done = "as they are" if same else "stretched to one size"
    notes = [f"{what}{done}: {size[0]} x {size[1]} pixels."]
    notes += [f"{frames} animated pictures are represented by their first frame."] if frames else []
    return Pictures(np.ascontiguousarray(images[..., 0]) if grey else images, tuple(notes))


def _header(name: str, content: bytes) -> tuple[int, int, int]:
    # Width, height, and 1 for a picture with several frames.
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            frames = int(image.format == "GIF" and content.count(b"\x21\xf9\x04") > 1)
    except Image.DecompressionBombError:
        width, height, frames = PIXELS, PIXELS, 0
    except _DAMAGE:
        raise _damaged(name) from None
    if width * height > PIXELS:
        raise DataError(f"Expected pictures of at most {PIXELS:,} pixels, got more in {quoted(name)}: make it smaller.")
    return width, height, frames


def _pixels(name: str, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("RGB", (4 * size[0], 4 * size[1]))
            visible = _on_white(image)
            return np.asarray(visible if visible.size == size else visible.resize(size, Image.Resampling.BOX))
    except _DAMAGE:
        raise _damaged(name) from None


def _on_white(image: ImageFile.ImageFile | Image.Image) -> Image.Image:
    # Transparent parts become white; sixteen bits of grey become eight.
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        top = 65_535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        image = Image.fromarray(np.clip(255 * values / top, 0, 255).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _damaged(name: str) -> DataError:
    kinds = ", ".join(kind.lower() for kind in FORMATS)
    return DataError(f"Expected a picture ({kinds}), got damaged or other content in {quoted(name)}: save it again.")


def _tail(path: PurePosixPath) -> str:
    return "/".join(path.parts[-2:])
