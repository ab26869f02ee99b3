"""Who is in front of the page: an account where one is configured, otherwise a name that is asked once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pages.components import cached
from pages.components.assets import text

COOKIE = "influence_annotator"  # a courtesy, no proof of who it is
PERSON = "review.person"
ASK = "review.ask"  # the name, although the browser remembers one

_keep_name = st.components.v2.component(
    "influence_keep_name",
    html='<div class="if-keep-name" hidden></div>\n',
    js=text("review/keep_name.js"),
)


_way_back = st.components.v2.component(
    "influence_way_back",
    html='<div class="if-way-back" hidden></div>\n',
    js=text("review/way_back.js"),
)


@dataclass(frozen=True)
class Person:
    """One who answers cards.

    Attributes:
        name: as it is stored with every answer.
        source: ``oidc`` for an account, ``name`` for a name that was typed.
        lead: whether queues, agreement and the log are theirs to see.
    """

    name: str
    source: str
    lead: bool


def accounts() -> bool:
    """Whether an OIDC provider is configured in the secrets, so that everybody needs an account.

    Returns:
        False without a secrets file.
    """
    try:
        return "auth" in st.secrets
    except (StreamlitSecretNotFoundError, FileNotFoundError):
        return False


def require_login() -> None:
    """Nothing of any page without an account, where accounts are configured."""
    if not accounts():
        return
    known = bool(getattr(st.user, "is_logged_in", False))
    _way_back(key="way-back", data={"known": known})
    if known:
        return
    st.title("Influence Explorer", anchor=False)
    st.markdown("This server is for people with an account.")
    if st.button("Log in", type="primary", icon=":material/login:", key="log-in"):
        st.login()
    st.stop()


def person() -> Person | None:
    """Who this is, if known; the log says once a session who came, and how that is known.

    Returns:
        None until a usable name was given.
    """
    found: Person | None = st.session_state.get(PERSON)
    if found is None:
        remembered = "" if st.session_state.get(ASK) else _cookie()
        found = _account() if accounts() else _enter(remembered, "name") if remembered else None
        st.session_state[PERSON] = found
    if found is not None and found.source == "name":
        _keep_name(key="keep-name", data={"cookie": COOKIE, "name": found.name})
    return found


def _cookie() -> str:
    found = st.context.cookies.get(COOKIE, "")
    return unquote(found) if isinstance(found, str) else ""  # a run without a browser has something else


def _account() -> Person | None:
    user = st.user.to_dict()
    # An address that the provider has not verified may be anybody's, a lead's too.
    email = None if user.get("email_verified") is False else user.get("email")
    return _enter(str(email or user.get("sub") or ""), "oidc")


def _enter(name: str, source: str) -> Person | None:
    """Note who came.

    Returns:
        None for a name that cannot be stored.
    """
    core = cached.annotations()
    try:
        kept = core.login(cached.store(), name, source)
    except core.AnnotationError:
        return None
    return Person(kept, source, core.role(kept, source) == "lead")


def take_name(name: str) -> str | None:
    """Use a name that was typed.

    Returns:
        What is wrong with it, or None.
    """
    core = cached.annotations()
    try:
        kept = core.login(cached.store(), name, "name")
    except core.AnnotationError as error:
        return str(error)
    st.session_state[PERSON] = Person(kept, "name", core.role(kept, "name") == "lead")
    return None


def leave() -> None:
    """Somebody else sits down: the name is asked again."""
    st.session_state.pop(PERSON, None)
    st.session_state[ASK] = True
