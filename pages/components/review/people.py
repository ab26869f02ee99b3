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
from pages.components.session.words import plain_markdown

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


def _enter(name: str, source: Source, key: str = "") -> Person | None:
    """Note who came.

    Returns:
        None for a name that cannot be stored.
    """
    try:
        kept = annotating.login(cached.store(), name, source, key)
    except annotating.AnnotationError:
        return None
    return Person(kept, source, annotating.role(kept, source, key) == "lead")


def take_name(name: str, key: str = "") -> str | None:
    """Use a name that was typed, and the key of the leads where there is one.

    Returns:
        What is wrong with it, or None.
    """
    try:
        kept = annotating.login(cached.store(), name, "name", key)
    except annotating.AnnotationError as error:
        return str(error)
    lead = annotating.role(kept, "name", key) == "lead"
    if key and not lead:
        return "Expected the key of the leads and the name of one, got another: leave the key empty to answer cards."
    st.session_state[PERSON] = Person(kept, "name", lead)
    return None


def leave() -> None:
    """Somebody else sits down: the name is asked again."""
    st.session_state.pop(PERSON, None)
    st.session_state[ASK] = True


def key_field(key: str) -> str:
    """Where a lead shows that they are one; annotators leave it empty.

    Returns:
        What was typed; nothing where no key is configured.
    """
    if not annotating.asks_for_key():
        return ""
    return st.text_input("Key of the leads (annotators leave this empty)", type="password", key=key)


def prove(key: str) -> None:
    """Somebody who is known by name shows the key; a callback."""
    found: Person = st.session_state[PERSON]
    trouble = take_name(found.name, st.session_state.get(key, ""))
    if trouble:
        st.toast(plain_markdown(trouble), icon=":material/lock:")
