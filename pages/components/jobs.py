"""The queue of this server behind Streamlit's cache, and whose jobs this session's are."""

from __future__ import annotations

import atexit
import uuid
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import cached

if TYPE_CHECKING:
    from influence_core.analysis import Queue


@st.cache_resource(show_spinner=False)
def jobs() -> Queue:
    """The one queue of this server: ``submit(key, work, owner=…, cost=seconds)``, ``get(key)``, ``stop(job)``.

    Returns:
        The queue.
    """
    queue: Queue = cached.core().Queue()
    atexit.register(queue.close)
    return queue


def owner() -> str:
    """Whose time the jobs of this browser session use; says nothing about who it is.

    Returns:
        The same text for the whole session.
    """
    name: str = st.session_state.setdefault("owner", uuid.uuid4().hex)
    return name
