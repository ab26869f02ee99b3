"""Work on a large file in another process, with a bar in this page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from pages.components.session.door import core
from pages.components.widgets.waiting import waiting

T = TypeVar("T")


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
    with waiting(f"{words}: {size / 1e6:,.0f} MB") as task:
        found: T = core.aside(function, *args, task=task)
    return found
