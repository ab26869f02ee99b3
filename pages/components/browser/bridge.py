"""What the browser components share: the modules and plotly.js that browsers fetch, and the message format."""

from __future__ import annotations

import json
import os
import struct
from hashlib import blake2b
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from influence_core import cells
from influence_core.files import write_whole
from pages.components.charts import colours

HERE = Path(__file__).parent
STATIC = HERE.parents[2] / "static"
PLOTLY = Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js")))  # without importing it
OLD = 946_684_800  # the year 2000
LIBRARY = f"plotly-{version('plotly')}.min.js"


def _modules() -> dict[str, bytes]:
    """What browsers import: scripts, frames and style sheets as modules of one string, and what only Python knows."""
    made = {file: file.read_text(encoding="utf-8") for file in HERE.glob("*/*.js")}
    for file in (*HERE.glob("*/*.html"), *HERE.glob("*/*.css")):
        words = (colours.style() if file.suffix == ".css" else "") + file.read_text(encoding="utf-8")
        made[file.with_name(f"{file.name}.js")] = f"export default {json.dumps(words)};\n"
    made[HERE / "shared" / "colours.js"] = colours.script()
    made[HERE / "shared" / "formula.js"] = f"export const FORMULA = new RegExp({json.dumps(cells.FORMULA)});\n"
    made[HERE / "shared" / "library.js"] = f"export const LIBRARY = '../../{LIBRARY}';\n"
    return {file.relative_to(HERE).as_posix(): made[file].encode() for file in sorted(made)}


MODULES = _modules()
STARTER = (HERE / "starter.js").read_text(encoding="utf-8")
# Another name whenever anything changes: a browser may keep what it has for ever, and never mixes two versions.
FOLDER = f"browser-{blake2b(repr(MODULES).encode(), digest_size=6).hexdigest()}"


def ensure_static(folder: Path = STATIC) -> None:
    """Put what browsers fetch themselves where the server serves it (``./app/static``): modules and plotly.js.

    Files of other versions stay: another server may be serving them.

    Args:
        folder: served folder; its content is public.
    """
    for name, content in MODULES.items():
        target = folder / FOLDER / name
        if not target.exists() or target.stat().st_size != len(content):
            _put(content, target)
    target = folder / LIBRARY
    if not target.exists() or target.stat().st_size != PLOTLY.stat().st_size:
        _put(PLOTLY.read_bytes(), target)


def _put(content: bytes, target: Path) -> None:
    """A file that appears at once and whole, so that servers which start together do not disturb each other.

    It looks old: Streamlit lets no age be set, and browsers keep a file for a tenth of the age it has.
    """
    write_whole(target, content)
    target.chmod(0o644)
    os.utime(target, (OLD, OLD))


def favicon() -> Image.Image:
    """The page icon as pixels: named icons would be fetched from elsewhere, and this app works offline.

    Returns:
        A disc, half helpful blue, half harmful vermillion.
    """
    row, column = np.mgrid[:64, :64] - 31.5
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[row**2 + column**2 < 30**2] = (*bytes.fromhex(colours.HARMFUL[1:]), 255)
    picture[(row**2 + column**2 < 30**2) & (column > 0)] = (*bytes.fromhex(colours.HELPFUL[1:]), 255)
    return Image.fromarray(picture)


def component(name: str, html: str, isolated: bool = True) -> Any:
    """Register a component: what the browser gets with every message is its frame and a script of two lines.

    Args:
        name: of its folder, which holds ``component.js``.
        html: its frame.
        isolated: whether its style sheet sees nothing but the component.

    Returns:
        The function that mounts it.
    """
    return st.components.v2.component(
        f"influence_{name}", html=html, js=starter(f"{name}/component.js"), isolate_styles=isolated
    )


def starter(module: str) -> str:
    """The script that imports a module and calls its default export, or says in the frame that it did not come.

    ``start.js`` tells what the turn is for, that it counts.

    Args:
        module: its path.

    Returns:
        JavaScript.
    """
    return STARTER.replace("ADDRESS", f"./app/static/{FOLDER}/{module}")


def pack(header: dict[str, Any], **arrays: NDArray[Any]) -> bytes:
    """Header and numbers as raw bytes, the cheapest message a component takes; ``wire.js`` reads it.

    Args:
        header: anything JSON can hold.
        arrays: by name; floats travel as float32 and everything else as int32.

    Returns:
        Length of the JSON text (uint32), the text padded to four bytes, then the arrays in the order of the text.
    """
    flat = {
        name: np.ascontiguousarray(array, "<f4" if array.dtype.kind == "f" else "<i4") for name, array in arrays.items()
    }
    index = [[name, array.dtype.kind, array.size] for name, array in flat.items()]
    text = json.dumps({**header, "arrays": index}, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    words = text.encode()
    words += b" " * (-len(words) % 4)
    return struct.pack("<I", len(words)) + words + b"".join(array.tobytes() for array in flat.values())


def named(values: NDArray[Any]) -> str:
    """A name of numbers by their content, under which one component leaves them to another."""
    return blake2b(np.ascontiguousarray(values, "<f4").tobytes(), digest_size=6).hexdigest()


def is_index(value: object, count: int) -> TypeGuard[int]:
    """Whether a value from the browser is one of ``count`` indices.

    Returns:
        False for anything but a whole number in range.
    """
    return type(value) is int and 0 <= value < count
