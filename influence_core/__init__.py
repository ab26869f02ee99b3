"""Which training points shaped a prediction: the core, free of any interface library.

``influence_core.wrap`` brings a model of one's own; it is looked up when first asked for, because importing the
package alone must stay cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from influence_core.version import __version__

if TYPE_CHECKING:
    from influence_core.wrapping import wrap

__all__ = ["__version__", "wrap"]


def __getattr__(name: str) -> Any:
    if name == "wrap":
        return importlib.import_module("influence_core.wrapping").wrap
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
