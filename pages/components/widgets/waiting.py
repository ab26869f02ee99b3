"""A bar while another process computes what this page waits for; whoever goes on elsewhere stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.analysis import Task

EVERY = 0.5  # seconds between two looks of the page


@contextmanager
def waiting(words: str) -> Generator[Task]:
    """A bar for as long as the block takes.

    Args:
        words: of what is done.

    Yields:
        The task of the work; its processes are those of this machine.
    """
    bar, begun, share, looked = st.empty(), time.monotonic(), [0.0], [-math.inf]

    def report(done: float, total: float) -> None:
        share[0] = min(done / total, 1.0)

    def look() -> None:
        now = time.monotonic()
        if now - looked[0] >= EVERY:  # a new run of this page, such as another file, ends this one and the process here
            looked[0] = now
            bar.progress(share[0], text=f"{words}, {now - begun:.0f} s")

    try:
        yield core.Task(report=report, turn=look, workers=core.local())
    except Exception:
        bar.empty()
        raise
    bar.empty()
