"""Waiting in tests: for something to come true, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 180.0  # seconds: many times what a busy machine needs; what has not come by then will not come


def until(
    condition: Callable[[], object],
    said: Callable[[], object] = lambda: "",
    pause: float = 0.005,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Wait for a condition; ``said`` tells what was seen instead, ``sleep`` lets others go on meanwhile."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {said()}"
        sleep(pause)
