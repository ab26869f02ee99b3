"""The door to the core: its modules by name, imported when first used, and known to editor and type checker.

Whatever a page takes from the core at run time goes through here, so that its title is painted before torch is there.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import influence_core.analysis as core
    import influence_core.annotations as annotating
    import influence_core.reviewing as reviewing
    import influence_core.streamed as streaming
    import influence_core.teaching as teaching
    import influence_core.teaching.figures as figures

__all__ = ["annotating", "core", "figures", "opened", "reviewing", "streaming", "teaching", "was_opened"]

SWITCH = 1e-3  # seconds a thread may keep the interpreter while others wait: the usual 5 ms add up over many messages
CORE = "influence_core.analysis"
_OPEN: dict[str, ModuleType] = {}
_LOCK = threading.Lock()  # sessions that arrive while the core is imported wait here, so that imports never race


def opened(name: str = CORE) -> ModuleType:
    """A module of the core, in a thread that is ready to compute: every rerun is a thread."""
    if name not in _OPEN:
        with _LOCK:
            importlib.import_module("plotly.graph_objects")  # in one fixed order: numpy, pandas and plotly before torch
            _OPEN[CORE] = importlib.import_module(CORE)
            _OPEN[name] = importlib.import_module(name)
            importlib.import_module("influence_core.compute.products").blas.keep_few()  # many pages compute at once
            gc.collect()
            gc.freeze()
            sys.setswitchinterval(SWITCH)
    _OPEN[CORE].settle()
    return _OPEN[name]


def was_opened(name: str) -> bool:
    """Whether a module has been asked for already."""
    return name in sys.modules


class _Lazy:
    """A module that is imported when one of its names is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(opened(self._name), attribute)


if not TYPE_CHECKING:
    core = _Lazy(CORE)
    annotating = _Lazy("influence_core.annotations")
    reviewing = _Lazy("influence_core.reviewing")
    streaming = _Lazy("influence_core.streamed")
    teaching = _Lazy("influence_core.teaching")
    figures = _Lazy("influence_core.teaching.figures")
