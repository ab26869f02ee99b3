"""axe-core on every page, light and dark, desktop and tablet; and nothing sticks out."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.helpers import IMAGES, PAGES, rest

pytestmark = pytest.mark.browser
WIDTHS = (1280, 820)

# Streamlit's own markup, which cannot be changed from here: rule, the element it lies in, and why it may stay.
THEIRS = (
    ("scrollable-region-focusable", "[data-testid=stTable]", "its frame takes no tabindex; a table twin follows it"),
    ("color-contrast", "[data-testid=stSlider]", "dark: no colour is readable on the page and under a button's white"),
)
INSIDE = "([target, frame]) => !!document.querySelector(target)?.closest(frame)"


def violations(page: Any) -> list[str]:
    """Serious and critical findings, those of Streamlit's own markup left out; and controls that no mouse reaches."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"covered: {text}" for text in page.evaluate(COVERED)] + [
        f"{rule['id']}: {node['html'][:200]} {node['any'][0]['message'] if node['any'] else ''}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
        if not any(rule["id"] == name and inside(page, node["target"][0], frame) for name, frame, _ in THEIRS)
    ]


def inside(page: Any, target: Any, frame: str) -> bool:
    """Whether axe's target lies in a frame of Streamlit's; inside our components (a list) it never does."""
    return isinstance(target, str) and bool(page.evaluate(INSIDE, [target, frame]))


# What a mouse meets at the middle of a control on screen belongs to it: nothing invisible lies above.
COVERED = """() => [...document.querySelectorAll("[data-testid=stMain] :is(button, a[href], input)")].filter((node) => {
  const box = node.getBoundingClientRect(), [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false; // comes with the mouse
  if (box.width < 8 || box.height < 8 || x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) return false;
  const top = document.elementFromPoint(x, y), label = node.closest('label');
  return top && !node.contains(top) && !top.contains(node) && !label?.contains(top);
}).map((node) => node.outerHTML.slice(0, 160))"""
OVERFLOW = """() => { const main = document.querySelector('[data-testid="stMain"]');
  return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth); }"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_violation_or_sticks_out(page: Any, app: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    found = []
    for name in ("", *PAGES, "Lessons?lesson=damping"):
        page.set_viewport_size({"width": WIDTHS[0], "height": 1000})
        page.goto(f"{app}/{name}{'&' if '?' in name else '?'}{IMAGES}")
        page.get_by_role("button", name="Copy link").first.wait_for(state="attached")
        rest(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1000})
            rest(page)
            found += [f"{name or 'Home'} {width}: {text}" for text in violations(page)]
            if (more := page.evaluate(OVERFLOW)) > 0:
                found.append(f"{name or 'Home'} {width}: {more} pixels stick out to the right")
    assert not found, "\n".join(found)
