"""The small picture of every lesson and figure: made of its own numbers by ``make.py``, kept as files."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def sketch(name: str) -> str:
    """The picture of a lesson as HTML, decoration beside its title; empty where none was made."""
    file = HERE / f"{name}.svg"
    if not file.is_file():
        return ""
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img class="if-sketch" src="data:image/svg+xml;base64,{data}" alt="">'
