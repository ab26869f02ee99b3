"""A button that puts the address of this view on the clipboard; the address bar holds every choice."""

from __future__ import annotations

from pages.components.browser.bridge import component

_copy_link = component("copy_link", '<div class="if-copy-link"></div>\n')


def copy_link(key: str) -> None:
    """Draw the button; nothing comes back from the browser.

    Args:
        key: of the element.
    """
    _copy_link(key=key)


def copy_lesson_link(key: str, hide: str) -> None:
    """The same for a link that leaves out parts of the page; always of the newest address.

    Args:
        key: of the element.
        hide: what ``View.hide`` will be.
    """
    words = "Opens this very view on Explore, without what is chosen above."
    _copy_link(key=key, data={"hide": hide, "label": "Copy lesson link", "words": words})
