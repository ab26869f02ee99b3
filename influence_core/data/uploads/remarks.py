"""What libraries write beside the columns of an Arrow table: the index of a data frame, the names of classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from influence_core.data.uploads.limits import NAME, plain_text


def data_frame_index(metadata: Mapping[bytes, bytes], names: list[str]) -> list[str]:
    """The columns in which pandas kept the names of the rows; none where it only counted them."""
    given = _json(metadata.get(b"pandas")).get("index_columns", [])
    return [name for name in given if isinstance(name, str) and name in names] if isinstance(given, list) else []


def class_labels(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Names of numbered classes, as the library ``datasets`` writes them."""
    info = _json(metadata.get(b"huggingface")).get("info")
    features = info.get("features") if isinstance(info, dict) else None
    found = {}
    for name, feature in features.items() if isinstance(features, dict) else ():
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, list) and feature.get("_type") == "ClassLabel" and names:
            found[str(name)] = tuple(plain_text(word, NAME) for word in names)
    return found


def _json(text: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
