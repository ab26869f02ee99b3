"""Pictures of strangers: format and size are read from the header before a pixel is decoded; all get one size."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, features

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import ALL_CHUNKS, ALL_PIXELS, CELLS, CHUNKS, PIXELS, at_most, quoted

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", *(("AVIF",) if features.check("avif") else ()))
ENDINGS = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm",
    *({".avif"} & {f".{kind.lower()}" for kind in FORMATS}),
}  # fmt: skip
SIDE = 28
AS_THEY_ARE = 32  # pictures of one size up to this many pixels a side are not resized
_TURNED = {5, 6, 7, 8}  # orientations that swap width and height
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, EOFError, IndexError, KeyError, OverflowError, MemoryError,
           struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning)  # fmt: skip

Load = Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Pictures:
    """n pictures of one size, (n, h, w) or (n, h, w, 3) uint8, and what was done to them."""

    images: NDArray[np.uint8]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Header:
    """What the head of a picture says: its upright size, and what will be done to it."""

    width: int
    height: int
    frames: bool
    turned: bool
    deep: bool


def decode(sources: Sequence[tuple[str, Load]]) -> Pictures:
    """Pictures of one size: as they are where all are equal and small, else 28 x 28; grey where none has colour.

    Args:
        sources: a name for messages and what gives the encoded bytes, for each picture.

    Returns:
        The pictures; one that is damaged, of another format or too large is a ``DataError``.
    """
    headers, pixels, chunks = [], 0, 0
    for name, load in sources:
        content = load()
        chunks += _chunks(name, content)
        at_most("parts in all PNG files", ALL_CHUNKS, chunks, "save the pictures again")
        header = header_of(name, content)
        headers.append(header)
        pixels += header.width * header.height
        at_most("pixels in all pictures", ALL_PIXELS, pixels, "make the pictures smaller or take a part of them")
    sizes = [(header.width, header.height) for header in headers]
    same = len(set(sizes)) == 1 and max(sizes[0]) <= AS_THEY_ARE
    size = sizes[0] if same else (SIDE, SIDE)
    at_most("pixels after resizing", CELLS, 3 * len(sources) * size[0] * size[1], "take a part of the pictures")
    images = np.stack([pixels_of(name, load(), size) for name, load in sources])
    grey = bool((images == images[..., :1]).all())
    what = f"{len(sources):,} pictures, {'grey' if grey else 'in colour (RGB)'}, "
    done = "as they are" if same else f"{_sizes(sizes)}, stretched to one size"
    notes = (
        f"{what}{done}: {size[0]} x {size[1]} pixels.",
        _counted(headers, "frames", "Animated pictures and those of several pages are represented by their first"),
        _counted(headers, "turned", "Pictures were turned upright, as their camera noted"),
        _counted(headers, "deep", "Pictures of more than 8 bits were scaled to 8"),
    )
    return Pictures(np.ascontiguousarray(images[..., 0]) if grey else images, tuple(note for note in notes if note))


def _chunks(name: str, content: bytes) -> int:
    """Number of parts that a PNG is written in: each takes the library longer than its bytes."""
    if not content.startswith(b"\x89PNG"):
        return 0
    at, count = 8, 0
    while at + 8 <= len(content):
        at, count = at + 12 + struct.unpack_from(">I", content, at)[0], count + 1
        at_most(f"parts in the PNG file {quoted(name)}", CHUNKS, count, "save it again")
    return count


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    widths, heights = zip(*sizes, strict=True)
    if len(set(sizes)) == 1:
        return f"{widths[0]:,} x {heights[0]:,}"
    return f"from {min(widths):,} x {min(heights):,} to {max(widths):,} x {max(heights):,}"


def _counted(headers: Sequence[_Header], what: str, words: str) -> str:
    count = sum(getattr(header, what) for header in headers)
    return f"{words}: {count:,}." if count else ""


def header_of(name: str, content: bytes) -> _Header:
    """What the head of a picture says, no pixel decoded; one that is no picture, or too large, is a ``DataError``."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = _size(image)
            turn = _turn(image)
            frames = _has_frames(image)
            deep = image.mode.startswith(("I", "F"))
    except Image.DecompressionBombError:
        width, height, turn, frames, deep = PIXELS, PIXELS, 1, False, False
    except _DAMAGE:
        raise _damaged(name, content) from None
    if width * height > PIXELS:
        raise DataError(f"Expected pictures of at most {PIXELS:,} pixels, got more in {quoted(name)}: make it smaller.")
    return _Header(*((height, width) if turn in _TURNED else (width, height)), frames, turn != 1, deep)


def _size(image: Image.Image) -> tuple[int, int]:
    # Some versions of Pillow give the size of a TIFF before it is turned.
    turn = image.getexif().get(ExifTags.Base.Orientation, 1) if image.format == "TIFF" else 1
    if turn in _TURNED:
        tags = image.getexif()
        return int(tags[ExifTags.Base.ImageLength]), int(tags[ExifTags.Base.ImageWidth])
    return image.size


def _turn(image: Image.Image) -> int:
    # Pillow would decode a PNG to find what stands behind its pixels, and turns a TIFF itself.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DAMAGE:
        return 1
    return turn if turn in range(2, 9) else 1


def _has_frames(image: Image.Image) -> bool:
    if image.format != "TIFF":
        return bool(getattr(image, "is_animated", False))
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def pixels_of(name: str, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture, upright on white, at some width and height, (h, w, 3)."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("RGB", (4 * max(size), 4 * max(size)))
            upright = image if _turn(image) == 1 else ImageOps.exif_transpose(image)
            visible = _on_white(upright)
            return np.asarray(visible if visible.size == size else visible.resize(size, Image.Resampling.BOX))
    except _DAMAGE:
        raise _damaged(name, content) from None


def _on_white(image: ImageFile.ImageFile | Image.Image) -> Image.Image:
    # Transparent parts become white; sixteen bits of grey become eight.
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    elif image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        most = values.max(initial=0)
        top = 65_535.0 if most > 255 else 1.0 if image.mode == "F" and most <= 1 else 255.0
        image = Image.fromarray(np.clip(255 * values / top, 0, 255).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _damaged(name: str, content: bytes) -> DataError:
    kinds = ", ".join(kind.lower() for kind in FORMATS)
    if content[4:8] == b"ftyp" and content[8:12] not in {b"avif", b"avis"}:
        return DataError(
            f"Expected a picture ({kinds}), got HEIC or another in {quoted(name)}: save it as JPEG or PNG."
        )
    return DataError(f"Expected a picture ({kinds}), got damaged or other content in {quoted(name)}: save it again.")
