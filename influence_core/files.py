"""Files that appear at once and whole, and texts whatever wrote them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def json_text(content: bytes) -> str:
    """A JSON text in UTF-8, UTF-16 or UTF-32, with a byte-order mark or without: editors and shells write them all.

    Raises:
        ValueError: other bytes.
    """
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        raise ValueError("expected a JSON text in UTF-8 or UTF-16, got other bytes: save it again") from None


def write_whole(path: Path, content: bytes | memoryview, check: Callable[[Path], object] = lambda _: None) -> None:
    """Write a file so that a reader sees all of it or nothing, and so that it survives a crash of the machine.

    Args:
        path: of the file; its folder is made.
        content: of the file.
        check: raises where the file, still under another name, is not what it should be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        check(Path(temporary))
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
