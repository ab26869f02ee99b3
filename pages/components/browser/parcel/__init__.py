"""Invisible: keeps what does not change in the page, so that a click does not send it again."""

from __future__ import annotations

from pages.components.browser.bridge import component

_parcel = component("parcel", '<div class="if-parcel" hidden></div>\n', isolated=False)


def send_once(message: bytes, key: str) -> None:
    """Keep a packed message in the page, under its header's ``fingerprint``, for components that refer to it.

    Args:
        message: constant for its fingerprint.
        key: of the element.
    """
    _parcel(key=key, data=message)
