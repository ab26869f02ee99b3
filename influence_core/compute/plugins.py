"""Registry entries that installed packages bring through entry points: code is imported, nothing is unpickled."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import Any

log = logging.getLogger(__name__)


def join(group: str, registry: dict[str, Any], kind: type) -> list[str]:
    """Add what installed packages offer under ``group`` to a registry, built-in names first.

    An entry point names an object of ``kind``, or one whose ``entry`` is of that kind.  What cannot be loaded, or has
    a name that is taken, is left out with a warning in the log: a broken package must not stop the app.

    Returns:
        The names that were added.
    """
    added = []
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        try:
            found = point.load()
            found = found if isinstance(found, kind) else found.entry
        except Exception:
            log.warning("%s: %s from %s could not be loaded", group, point.name, point.value, exc_info=True)
            continue
        if not isinstance(found, kind) or point.name in registry:
            log.warning("%s: %s is no %s or its name is taken", group, point.name, kind.__name__)
            continue
        registry[point.name] = found
        added.append(point.name)
    return added
