"""Other packages: entries that they bring to registries through entry points, and those the core can do without."""

from __future__ import annotations

import importlib
import logging
from importlib.metadata import entry_points
from typing import Any

log = logging.getLogger(__name__)


class MissingPackageError(ImportError):
    """A package that only some questions need is not installed; the message says how to install it."""


def optional(module: str, extra: str) -> Any:
    """A module of a package that only some questions need, imported when one of them is asked.

    Args:
        module: its name.
        extra: the extra of this package that brings it.

    Raises:
        MissingPackageError: it is not installed, or broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"This needs the package {module}, which could not be imported ({error}): "
            f"pip install 'influence-explorer[{extra}]'."
        ) from error


def join(group: str, registry: dict[str, Any], kind: type) -> list[str]:
    """Add what installed packages offer under ``group`` to a registry, built-in names first.

    An entry point names an object of ``kind``, or one whose ``entry`` is of that kind.  What cannot be loaded, or has
    a name that is taken, is left out with a warning in the log: a broken package must not stop the app.  Code is
    imported, nothing is unpickled.
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
