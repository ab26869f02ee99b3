"""Results that all sessions share, bounded in bytes together; what nobody uses any more goes back to the machine."""

from __future__ import annotations

import gc
import inspect
import logging
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import streamlit as st
from streamlit import runtime

from pages.components.session.door import core

if TYPE_CHECKING:
    from influence_core.compute.keeping import Kept

log = logging.getLogger("influence_explorer")
SHARE, MOST = 1 / 8, 2 * 2**30  # of the machine's memory, and bytes, for everything that is kept
IDLE = 16 * 2**20  # bytes that stay when nobody is here
EVERY, PAUSE = 10.0, 1.0  # seconds between two looks, and between weighings that a click waits for
QUIET = {1, 4, 16, 64}  # looks after the last browser left: what sessions held ends minutes later than they do
P = ParamSpec("P")
T = TypeVar("T")
_LEFT: list[Callable[[], object]] = []  # called when the last browser has left


def kept(function: Callable[P, T]) -> Callable[P, T]:
    """Like ``st.cache_resource``, bounded in bytes with all that is kept; "_" keeps an argument out of the key."""
    counted = [not name.startswith("_") for name in inspect.signature(function).parameters]

    @wraps(function)
    def found(*args: P.args, **more: P.kwargs) -> T:
        key = (
            function.__module__,
            function.__qualname__,
            *(a for a, is_key in zip(args, counted, strict=True) if is_key),
        )
        result: T = shelf().get(key, lambda: function(*args, **more))
        return result

    return found


def when_all_left(call: Callable[[], object]) -> None:
    """What else gives memory back when the last browser has left."""
    _LEFT.append(call)


@st.cache_resource(show_spinner=False)
def shelf() -> Kept:
    """The one cache of this server, and the thread that looks after it."""
    made = core.keeping.Kept(min(MOST, SHARE * core.keeping.physical()), IDLE, pause=PAUSE)
    threading.Thread(target=_look_after, args=(weakref.ref(made),), name="influence-memory", daemon=True).start()
    return made


def _look_after(shelved: weakref.ref[Kept]) -> None:
    """While people are here, what they compute may stay; when the last one has left, it goes and the machine has it.

    It ends when the cache is cleared.
    """
    pause, quiet = threading.Event(), 0
    while not pause.wait(EVERY):
        try:
            if (made := shelved()) is None:
                return
            here = sessions()
            quiet = 0 if here else quiet + 1
            went = made.fit(made.room if here else made.idle)
            del made
            forget_sessions()
            if quiet in QUIET:
                core.end_idle()
                for call in _LEFT:
                    call()
                gc.collect()  # sessions are circles
            if went or quiet in QUIET:
                core.keeping.give_back()
        except Exception:  # a look that fails is followed by another one
            log.exception("the look after memory failed")


def sessions() -> int:
    """Browsers that are here; 1 where that cannot be told, as in a test without a server."""
    with suppress(Exception):
        if runtime.exists():
            return int(runtime.get_instance()._session_mgr.num_active_sessions())  # noqa: SLF001 - nothing public says it
    return 1


def forget_sessions() -> None:
    """What a browser that will not come back has left goes: Streamlit itself looks only when another one leaves."""
    with suppress(Exception):  # nothing public does it
        running: Any = runtime.get_instance()
        stored = running._session_mgr._session_storage._cache  # noqa: SLF001
        running._get_async_objs().eventloop.call_soon_threadsafe(_expire, stored)  # noqa: SLF001


def _expire(stored: Any) -> None:
    """Sessions whose time is over end now: left to the collection of garbage, the one that was served last stays."""
    for _, ended in stored.expire():
        ended.session.shutdown()
