"""Streamlit on a busy server: words kept in order, options read without waiting, sessions that end without a trace.

Streamlit sends what a run says from its event loop.  A request that finds the run ended, but its last words still
waiting in that loop, begins a new run at once; and the words of a run that is not the current one are thrown away.  A
poll that meets the end of a click would so take away the answer.  Here the new run begins behind the words that wait:
the loop keeps their order.

It also reads its options under one lock, hundreds of times a run: a thread that loses the interpreter while it has the
lock stops all others.  A dictionary is read without.

Its loop remembers the last session it has sent to while nobody is there, and a session what its widgets and fragments
were made with: here one that ended holds nothing.

The C library gives each thread of a page a heap of its own, up to eight for each core, and keeps what is free between
two things that stay.  Two heaps serve all threads, which take the interpreter in turn anyway; it is told so here and
not where the core gives memory back, because the core is imported after the first threads have begun.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import wraps
from importlib import import_module
from typing import Any

MARK = "_influence"
ARENA_MAX, HEAPS = -8, 2  # M_ARENA_MAX of glibc's malloc.h


def settle() -> None:
    """Once per server; nothing public does it, and a Streamlit that has other names goes on without it."""
    with suppress(ImportError, AttributeError):
        _keep_order()
    with suppress(ImportError, AttributeError):
        _read_freely()
    with suppress(ImportError, AttributeError):
        _let_go()
    with suppress(OSError, AttributeError):
        _few_heaps()


def _keep_order() -> None:
    sessions = import_module("streamlit.runtime.app_session")
    create = sessions.AppSession._create_scriptrunner  # noqa: SLF001
    if hasattr(create, MARK):
        return

    def behind(session: Any, data: Any) -> None:
        ended = session._scriptrunner  # noqa: SLF001
        if ended is None:
            create(session, data)
            return

        def begin() -> None:
            now = session._scriptrunner  # noqa: SLF001
            if session._state is sessions.AppSessionState.SHUTDOWN_REQUESTED:  # noqa: SLF001
                return
            if now is None or now is ended or not now.request_rerun(data):
                create(session, data)

        session._event_loop.call_soon_threadsafe(begin)  # noqa: SLF001

    setattr(behind, MARK, True)
    sessions.AppSession._create_scriptrunner = behind  # noqa: SLF001


def _read_freely() -> None:
    config: Any = import_module("streamlit.config")
    locked = config.get_option
    own = locked.__module__ == config.__name__  # a test of a page puts another one in its place for a while
    if not own or hasattr(locked, MARK) or config._config_options is None:  # noqa: SLF001
        return

    @wraps(locked)
    def get_option(key: str) -> Any:
        found = (config._config_options or {}).get(key)  # noqa: SLF001
        return locked(key) if found is None else found.value

    setattr(get_option, MARK, True)
    config.get_option = get_option


def _let_go() -> None:
    session: Any = import_module("streamlit.runtime.app_session").AppSession
    shutdown = session.shutdown
    if hasattr(shutdown, MARK):
        return

    @wraps(shutdown)
    def emptied(ended: Any) -> None:
        shutdown(ended)
        with suppress(AttributeError, TypeError):  # as a Streamlit with other names, where it ends as it did
            for name in ("_session_state", "_fragment_storage"):  # a run that still ends has the old ones
                setattr(ended, name, type(getattr(ended, name))())

    setattr(emptied, MARK, True)
    session.shutdown = emptied


def _few_heaps() -> None:
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        ctypes.CDLL("libc.so.6").mallopt(ARENA_MAX, HEAPS)
