"""Who is in front of the page: an account where one is configured, otherwise a name that is asked once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import streamlit as st

from pages.components.browser.keep_name import keep_name
from pages.components.frame import login
from pages.components.session import cached
from pages.components.session.door import annotating

if TYPE_CHECKING:
    from influence_core.annotations.people import Source

COOKIE = "influence_annotator"  # a courtesy, no proof of who it is
PERSON = "review.person"
ASK = "review.ask"  # the name, although the browser remembers one


@dataclass(frozen=True)
class Person:
    """One who answers cards.

    Attributes:
        name: as it is stored with every answer.
        source: ``oidc`` for an account, ``name`` for a name that was typed.
        lead: whether queues, agreement and the log are theirs to see.
    """

    name: str
    source: Source
    lead: bool


def person() -> Person | None:
    """Who this is, if known; the log says once a session who came, and how that is known.

    Returns:
        None until a usable name was given.
    """
    found: Person | None = st.session_state.get(PERSON)
    if found is None:
        remembered = "" if st.session_state.get(ASK) else _cookie()
        found = _account() if login.accounts() else _enter(remembered, "name") if remembered else None
        st.session_state[PERSON] = found
    if found is not None and found.source == "name":
        keep_name(COOKIE, found.name)
    return found


def _cookie() -> str:
    found = st.context.cookies.get(COOKIE, "")
    return unquote(found) if isinstance(found, str) else ""  # a run without a browser has something else


def _account() -> Person | None:
    user = st.user.to_dict()
    # An address that the provider has not verified may be anybody's, a lead's too.
    email = None if user.get("email_verified") is False else user.get("email")
    return _enter(str(email or user.get("sub") or ""), "oidc")


def _enter(name: str, source: Source) -> Person | None:
    """Note who came.

    Returns:
        None for a name that cannot be stored.
    """
    try:
        kept = annotating.login(cached.store(), name, source)
    except annotating.AnnotationError:
        return None
    return Person(kept, source, annotating.role(kept, source) == "lead")


def take_name(name: str) -> str | None:
    """Use a name that was typed.

    Returns:
        What is wrong with it, or None.
    """
    try:
        kept = annotating.login(cached.store(), name, "name")
    except annotating.AnnotationError as error:
        return str(error)
    st.session_state[PERSON] = Person(kept, "name", annotating.role(kept, "name") == "lead")
    return None


def leave() -> None:
    """Somebody else sits down: the name is asked again."""
    st.session_state.pop(PERSON, None)
    st.session_state[ASK] = True
