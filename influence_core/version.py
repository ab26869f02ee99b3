"""The version of this package, written here only, and those of the packages that its numbers rest on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.2.0"
_PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "cleanlab", "sqlalchemy", "pandas", "pyarrow")


def versions() -> dict[str, str]:
    """What every manifest says about the programs behind its numbers.

    Returns:
        Versions of this package, of Python and of what is installed beside them, by name.
    """
    found = {"influence-explorer": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an installation without metadata
            found[name] = "unknown"
    return found
