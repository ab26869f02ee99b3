"""What the browser components share: the plotly.js file, their script texts and the message format."""

from __future__ import annotations

import json
import struct
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.components.charts import colours
from pages.components.session.door import core

HERE = Path(__file__).parent
STATIC = HERE.parents[2] / "static"


def ensure_static(folder: Path = STATIC) -> None:
    """Put what browsers fetch themselves where the server serves it (``./app/static``).

    That is plotly.js of the installed plotly package, and the module that makes files of pictures, which is large and
    seldom needed: a component's own script travels again with every message.

    Args:
        folder: served folder; its content is public.
    """
    # Without importing the package.
    plotly = Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js")))
    target = folder / plotly.name
    if not target.exists() or target.stat().st_size != plotly.stat().st_size:
        _put(plotly.read_bytes(), target)
    rule = f"const FORMULA = new RegExp({json.dumps(core.cells.FORMULA)});"
    module = f"{rule}\n{script('shared/picture_files.js')}\nexport {{ savePicture, saveTable }};\n".encode()
    target = folder / "picture_files.js"
    if not target.exists() or target.read_bytes() != module:
        _put(module, target)


def _put(content: bytes, target: Path) -> None:
    """A file that appears at once and whole, so that servers which start together do not disturb each other."""
    core.write_whole(target, content)
    target.chmod(0o644)


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


def text(*names: str) -> str:
    """Files of this folder, joined: component scripts cannot import one another.

    Returns:
        For scripts, one module; its last file holds the default export.
    """
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


def script(*names: str) -> str:
    """One module of a component that draws: the colours, what goes with them, and the files named.

    Returns:
        JavaScript.
    """
    return colours.script() + text("shared/palette.js", *names)


def style(*names: str) -> str:
    """One style sheet with the colours as variables.

    Returns:
        CSS.
    """
    return colours.style() + text(*names)


def chart_frame(name: str) -> str:
    """The frame of a chart of our own: plot, error and hover box.

    Args:
        name: class of this chart.

    Returns:
        HTML.
    """
    return text("shared/chart.html").replace('class="if-chart"', f'class="if-chart {name}"')


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
    words = json.dumps({**header, "arrays": index}, allow_nan=False).encode()
    words += b" " * (-len(words) % 4)
    return struct.pack("<I", len(words)) + words + b"".join(array.tobytes() for array in flat.values())


def is_index(value: object, count: int) -> TypeGuard[int]:
    """Whether a value from the browser is one of ``count`` indices.

    Returns:
        False for anything but a whole number in range.
    """
    return type(value) is int and 0 <= value < count


# Invisible, and out of the flow: an element of no height would still get the gap between elements.
_parcel = st.components.v2.component(
    "influence_parcel",
    html='<div class="if-parcel" hidden></div>\n',
    css=text("shared/parcel.css"),
    js=text("shared/wire.js", "shared/positions.js"),
    isolate_styles=False,
)


def send_once(message: bytes, key: str) -> None:
    """Keep a packed message in the page, under its header's ``fingerprint``, for components that refer to it.

    Args:
        message: constant for its fingerprint.
        key: of the element.
    """
    _parcel(key=key, data=message)
