"""The keyboard alone: Tab goes through every page in reading order, is seen wherever it is, and gets out again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.helpers import IMAGES, PAGES, named, no_trouble, rest, tab_to

pytestmark = pytest.mark.browser
# The focus, into shadow roots; and what an element and its surroundings look like.
TOOLS = """() => {
  window.focused = () => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return at;
  };
  const parts = ['outline', 'boxShadow', 'border', 'color', 'textDecoration', 'opacity', 'fill', 'stroke'];
  window.look = (node) => {
    const seen = [];
    for (let k = 0; node && k < 4; k++, node = node.parentElement ?? node.getRootNode().host) {
      const style = getComputedStyle(node);
      seen.push(parts.map((name) => style[name]).join());
    }
    return seen.join('\\n');
  };
  window.walked = [];
}"""
# What one Tab reached; true at the end of the round.
STEP = """() => {
  const focused = window.focused(), at = focused?.closest('canvas') ?? focused;
  if (!at || at === document.body || at === document.documentElement || at === window.walked[0]?.at) return true;
  const sidebar = !!at.closest('[data-testid="stSidebar"]');
  const box = at.getBoundingClientRect(), main = document.querySelector('[data-testid="stMain"]');
  window.walked.push({ at, focused: window.look(at), sidebar, left: box.left, width: box.width, height: box.height,
    top: box.top + (sidebar ? 0 : main.scrollTop) });
  return false;
}"""
# Now that the focus is elsewhere: what does not look different was not seen.
WALKED = """() => {
  window.focused()?.blur();
  const words = (e) => (e.getAttribute('aria-label') || e.innerText || e.title || e.value || '').trim().slice(0, 60);
  return window.walked.map(({ at, focused, ...step }) => ({ ...step, seen: focused !== window.look(at),
    index: at.tabIndex, name: `${at.tagName.toLowerCase()} ${at.getAttribute('role') ?? at.type ?? ''} ${words(at)}`,
    html: at.outerHTML.slice(0, 200) }));
}"""
# A page may have given the focus to a field already; the round begins where the document does.
BEGIN = """() => {
  const start = document.createElement('span');
  start.tabIndex = -1;
  document.body.prepend(start);
  start.focus();
}"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


# Streamlit's table paints the ring of its cell on a canvas, whose hidden cells may take the focus from it a moment
# after Tab, and Tab goes from cell to cell: one step, seen elsewhere.
TABLE = "canvas"


def tab_round(page: Any, most: int = 400) -> list[dict[str, Any]]:
    """Press Tab until the focus has gone round once; a table is one step.

    Returns:
        What was reached, in order.
    """
    page.add_style_tag(content=STILL)
    page.evaluate(TOOLS)
    page.evaluate(BEGIN)
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(STEP):
            steps = page.evaluate(WALKED)
            return [step for k, step in enumerate(steps) if not (k and step["html"] == steps[k - 1]["html"])]
    raise AssertionError(f"Tab never gets out; last: {[step['name'] for step in page.evaluate(WALKED)[-8:]]}")


def backwards(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the focus goes up without going to a column further to the right."""
    same = before["sidebar"] == after["sidebar"]
    return same and after["top"] < before["top"] - 20 and after["left"] <= before["left"] + before["width"] - 5


@pytest.mark.parametrize("name", ["", *PAGES])
def test_tab_goes_through_the_page_in_reading_order_and_is_seen(page: Any, app: str, name: str) -> None:
    page.goto(f"{app}/{name}?{IMAGES}")
    page.get_by_role("button", name="Copy link").first.wait_for(state="attached")
    rest(page)
    steps = tab_round(page)
    names = [step["name"] for step in steps]
    assert len(steps) > 10 and any(step["sidebar"] for step in steps), names
    assert [step["name"] for step in steps if not step["seen"] and not step["name"].startswith(TABLE)] == []
    assert [step["html"] for step in steps if step["index"] > 0] == []
    jumps = [(a["name"], b["name"]) for a, b in zip(steps, steps[1:], strict=False) if backwards(a, b)]
    assert jumps == []


def test_from_the_data_to_a_measured_training_point_by_keyboard_alone(page: Any, app: str) -> None:
    def type_(text: str, *keys: str) -> None:
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type(text)
        for key in keys:
            page.keyboard.press(key)

    page.goto(f"{app}/Data?v=1&data.name=blobs")
    page.get_by_role("heading", name="Data", exact=True).wait_for()
    rest(page)
    tab_to(page, "Data", within='[data-testid="stSelectbox"]')
    type_("MNIST", "Enter")
    page.wait_for_function("() => !location.search.includes('data.name')")  # the default is not in a link
    rest(page)
    tab_to(page, "Digits")
    type_("0,1,2", "Enter")
    page.wait_for_url(re.compile(r"data\.digits=0"))
    rest(page)
    tab_to(page, "Explore", within='[data-testid="stSidebar"]')
    page.keyboard.press("Enter")
    tab_to_later = page.get_by_role("button", name="Run exact leave-one-out")
    tab_to_later.wait_for()
    rest(page)
    tab_to(page, "Run exact leave-one-out")
    page.keyboard.press("Enter")
    page.get_by_text("slope =").first.wait_for()
    rest(page)
    asked = int(re.search(r"test=(\d+)", page.url)[1])  # the first one is the least certain
    tab_to(page, "", within=".if-gallery, .st-key-gallery")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"test={asked + 1}(&|$)"))
    rest(page)
    tab_to(page, "", within=".st-key-strips")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("train="))
    rest(page)
    assert page.get_by_text(re.compile(r"predicted [+−]\S+ .*nats, \w+.* measured [+−]\S+ .*nats")).count() == 1
    assert [t["count"] for t in named(page, "selected training point")] == [1]
    no_trouble(page)
