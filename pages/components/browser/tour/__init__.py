"""Three short cards for a newcomer, beside the page and never over it; the browser remembers who has seen them."""

from __future__ import annotations

from pages.components.browser.bridge import component

STEPS = [
    {
        "page": "Influence Explorer",
        "at": ".st-key-preset-mnist",
        "title": "Pick a problem",
        "words": "Each card is data with a model. This button opens the first: handwritten 1s and 7s.",
    },
    {
        "page": "Explore",
        "at": ".st-key-map",
        "title": "Click a test point",
        "words": "Every training point takes the colour of its influence on the test point you clicked.",
    },
    {
        "page": "Explore",
        "at": ".st-key-loo-scatter",
        "title": "Check the truth",
        "words": "Each dot is a real refit without one training point. On the dashed line the prediction is exact.",
    },
]

_tour = component("tour", '<section class="if-tour" aria-label="Tour" hidden></section>\n', isolated=False)


def tour(page: str) -> None:
    """Show the card of this page's step, unless this browser has seen or skipped the tour.

    Args:
        page: title of the page; steps belong to pages.
    """
    _tour(key="tour", data={"page": page, "steps": STEPS})
