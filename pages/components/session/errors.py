"""What nobody foresaw: a number for the person on the page, and the rest under that number for the log."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from pages.components.session import cached
from pages.components.session.words import plain_markdown

log = logging.getLogger("influence_explorer")


def number_of(error: BaseException) -> str:
    """Put an error into the log, once, with the settings of the session that meets it; its number there."""
    number: str | None = getattr(error, "number", None)
    if number is None:
        number = uuid.uuid4().hex[:8]
        vars(error)["number"] = number
        log.error("error %s with settings %s", number, st.session_state.get("settings"), exc_info=error)
    return number


def report(error: BaseException) -> str:
    """An error in words, nothing of it but its number."""
    return (
        f"This did not work, for a reason nobody foresaw. The server's log has it as {number_of(error)}: whoever runs "
        "this server can look it up."
    )


def safely(callback: Callable[..., object]) -> Callable[..., None]:
    """A widget's callback whose errors become words.

    Callbacks run before the page, outside of its net: without this an error would empty the page, and the log would
    hold no number.  The page is drawn as it was, and the words stay until they are read.
    """

    @wraps(callback)
    def run(*args: Any, **more: Any) -> None:
        try:
            callback(*args, **more)
        except Exception as error:  # noqa: BLE001 - the last net of callbacks
            expected = isinstance(error, cached.expected_errors())
            words = plain_markdown(str(error)) if expected else report(error)
            st.toast(words, icon=":material/warning:", duration="infinite")

    return run
