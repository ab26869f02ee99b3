"""An account where one is configured: nothing of any page without it."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pages.components.browser.way_back import way_back


def accounts() -> bool:
    """Whether an OIDC provider is configured in the secrets, so that everybody needs an account."""
    try:
        return "auth" in st.secrets
    except (StreamlitSecretNotFoundError, FileNotFoundError):
        return False


def require_login() -> None:
    """Nothing of any page without an account, where accounts are configured."""
    if not accounts():
        return
    known = bool(getattr(st.user, "is_logged_in", False))
    way_back(known)
    if known:
        return
    st.title("Influence Explorer", anchor=False)
    st.markdown("This server is for people with an account.")
    if st.button("Log in", type="primary", icon=":material/login:", key="log-in"):
        st.login()
    st.stop()
