"""Work on a large file in another process, with a bar in this page."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.components.session.door import core
from pages.components.widgets.waiting import waiting

if TYPE_CHECKING:
    from influence_core.analysis import Task

LOOK = 0.2  # seconds between two looks whether it is this page's turn
T = TypeVar("T")
_TURN = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))


def elsewhere(words: str, size: float, function: Callable[..., T], *args: object) -> T:
    """``function(*args, task)``: here for a small file, else in another process, so that no click waits for it.

    Args:
        words: of what is done, for the bar.
        size: bytes of the file.
        function: of the core, at the top level of a module.
        args: that go to the other process.
    """
    if size <= core.uploads.AT_ONCE:
        with st.spinner(f"{words} …"):
            return function(*args, core.Task())
    with waiting(f"{words}: {size / 1e6:,.0f} MB") as task, _in_turn(task):
        found: T = core.aside(function, *args, task=task)
    return found


@contextmanager
def _in_turn(task: Task) -> Generator[None]:
    """No more large files at a time than half the cores: all at once they would all come back as late as the last.

    Yields:
        Nothing.
    """
    while not _TURN.acquire(timeout=LOOK):
        task.tick()
    try:
        yield
    finally:
        _TURN.release()
