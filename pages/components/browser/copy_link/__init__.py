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


def copy_lesson_link(key: str, look: dict[str, str]) -> None:
    """The same for a link that says, or leaves out, other things than this page; always of the newest address.

    Args:
        key: of the element.
        look: parts of the view by their names in a link; an empty one is not in the link.
    """
    words = "Opens this very view on Explore, as it is chosen above."
    _copy_link(key=key, data={"look": look, "label": "Copy lesson link", "words": words})
