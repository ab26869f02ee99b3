"""A visit: the first paint, the sentence for a newcomer, and the browser's Back and Forward."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from pages.components.session.state import IN_FLIGHT
from tests.browser.helpers import APP, BLOBS, ask, click, coloured, explore, no_trouble, push, rest

pytestmark = pytest.mark.browser
LATE = 1000 * (IN_FLIGHT + 0.1)  # ms after which an older address is no longer taken for one that was on its way
# Whether the heading was ever there while the libraries were still being loaded.
BEFORE = """new MutationObserver(() => {
  const text = document.body?.innerText ?? '';
  window.before ||= !!document.querySelector('h1') && text.includes('Loading the numerical libraries');
}).observe(document, { subtree: true, childList: true, characterData: true });"""


def test_the_first_page_of_a_fresh_server_is_painted_before_the_libraries_are_loaded(
    stranger: Any, serve: Any, tmp_path_factory: Any, record_property: Any
) -> None:
    fresh = serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path_factory.mktemp("first"))})
    tab = stranger()
    tab.add_init_script(BEFORE)
    start = time.perf_counter()
    tab.goto(fresh, wait_until="commit")
    tab.get_by_role("heading", name="Influence Explorer").wait_for()
    # Four seconds are promised, which a machine that runs all the tests beside it cannot show.
    record_property("first page of a fresh server painted, seconds", f"{time.perf_counter() - start:.1f}")
    tab.get_by_role("button", name="Explore 1 and 7").wait_for()
    assert tab.evaluate("window.before")
    no_trouble(tab)


def test_one_sentence_says_what_a_click_does_until_the_first_click(stranger: Any, app: str) -> None:
    tab = stranger()
    explore(tab, app, BLOBS)
    said = tab.get_by_text("Click an outlined point")
    said.wait_for()
    click(tab, "test", 5)
    tab.wait_for_url(re.compile("test=5"))
    said.wait_for(state="detached")
    no_trouble(tab)


def shows(page: Any, test: int, colours: dict[int, float]) -> None:
    """Link, number box and colours are those of a test point asked about before."""
    page.wait_for_url(re.compile(rf"/Explore\?.*test={test}(&|$)"))
    page.wait_for_function(f"() => document.querySelector('.if-map')?.state?.message?.selected_test === {test}")
    rest(page)
    assert page.get_by_label("Test point", exact=True).input_value() == str(test)
    assert coloured(page, "train") == pytest.approx(colours, abs=1e-4)


def travel(page: Any, way: str, name: str, test: int) -> None:
    """Go back or forward to a page and a test point; Streamlit may enter a page twice, without and with choices."""
    for _ in range(2):
        getattr(page, way)()
        rest(page)
        if re.search(rf"/{name}\?.*test={test}(&|$)", page.url):
            return
    raise AssertionError(f"{way} came to {page.url}.")


def test_back_and_forward_restore_pages_and_test_points(page: Any, app: str) -> None:
    explore(page, app, BLOBS + "&test=0")
    ask(page, 5)
    five = coloured(page, "train")
    page.wait_for_timeout(LATE)
    ask(page, 12)
    twelve = coloured(page, "train")
    assert five != twelve
    push(page, page.locator('[data-testid="stSidebar"]').get_by_role("link", name="Model"))
    page.get_by_role("heading", name="Model", exact=True).wait_for()
    rest(page)
    page.wait_for_timeout(LATE)
    travel(page, "go_back", "Explore", 12)
    shows(page, 12, twelve)
    travel(page, "go_back", "Explore", 5)
    shows(page, 5, five)
    travel(page, "go_forward", "Explore", 12)
    shows(page, 12, twelve)
    travel(page, "go_forward", "Model", 12)
    page.get_by_role("heading", name="Model", exact=True).wait_for()
    no_trouble(page)
