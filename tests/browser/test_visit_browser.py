"""A visit: the first paint, the tour of a newcomer, and the browser's Back and Forward."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from pages.components.browser.tour import STEPS
from tests.browser.helpers import APP, BLOBS, coloured, explore, no_trouble, rest, tab_to

pytestmark = pytest.mark.browser
PAINTED = 15.0  # seconds; 4 are promised, which a machine that runs all the tests beside it cannot show


def test_the_first_page_of_a_fresh_server_is_painted_before_the_libraries_are_loaded(
    stranger: Any, serve: Any, tmp_path_factory: Any, record_property: Any
) -> None:
    fresh = serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path_factory.mktemp("first"))})
    tab = stranger()
    start = time.perf_counter()
    tab.goto(fresh, wait_until="commit")
    tab.get_by_role("heading", name="Influence Explorer").wait_for()
    painted = time.perf_counter() - start
    record_property("first page of a fresh server painted, seconds", f"{painted:.1f}")
    tab.get_by_text("Loading the numerical libraries").wait_for()
    assert painted < PAINTED
    tab.get_by_role("button", name="Explore").first.wait_for()
    no_trouble(tab)


def test_the_tour_is_walked_by_keyboard_and_not_shown_again(stranger: Any, app: str) -> None:
    tab = stranger()
    tab.goto(app)
    card = tab.locator(".if-tour")
    for at, step in enumerate(STEPS):
        card.get_by_text(f"{at + 1} of {len(STEPS)} · {step['title']}").wait_for()
        tab.get_by_role("heading", name=step["page"], exact=True).first.wait_for()
        tab.locator(f".if-tour-here{step['at']}").wait_for()
        rest(tab)
        tab_to(tab, "Done" if at == len(STEPS) - 1 else "Next", within=".if-tour")
        tab.keyboard.press("Enter")
    card.wait_for(state="hidden")
    for _ in range(2):  # in this session, and in a new one of the same browser
        tab.goto(app)
        tab.get_by_role("button", name="Explore").first.wait_for()
        rest(tab)
        assert not card.is_visible()
    no_trouble(tab)


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_the_tour_is_skipped_by_keyboard(stranger: Any, app: str, key: str) -> None:
    tab = stranger()
    tab.goto(app)
    card = tab.locator(".if-tour")
    card.get_by_text(f"1 of {len(STEPS)}").wait_for()
    tab_to(tab, "Skip", within=".if-tour")
    tab.keyboard.press(key)
    card.wait_for(state="hidden")
    tab.goto(f"{app}/Explore")
    tab.get_by_role("button", name="Next misclassified").wait_for()
    rest(tab)
    assert not card.is_visible()


def test_a_deep_link_shows_no_tour(stranger: Any, app: str) -> None:
    tab = stranger()
    tab.goto(f"{app}/?{BLOBS}")
    tab.get_by_role("button", name="Copy link").wait_for()
    assert tab.locator(".if-tour").count() == 0


def ask(page: Any, test: int) -> dict[int, float]:
    """Ask about a test point; return the colours of its answer."""
    page.get_by_label("Test point", exact=True).fill(str(test))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"test={test}(&|$)"))
    rest(page)
    return coloured(page, "train")


def shows(page: Any, test: int, colours: dict[int, float]) -> None:
    """Link, number box and colours are those of a test point asked about before."""
    page.wait_for_url(re.compile(rf"/Explore\?.*test={test}(&|$)"))
    page.wait_for_function(f"() => document.querySelector('.if-map')?.state?.message?.selected_test === {test}")
    rest(page)
    assert page.get_by_label("Test point", exact=True).input_value() == str(test)
    assert coloured(page, "train") == colours


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
    five = ask(page, 5)
    page.wait_for_timeout(1_100)  # within a second of a choice an older address may still be on its way
    twelve = ask(page, 12)
    assert five != twelve
    page.locator('[data-testid="stSidebar"]').get_by_role("link", name="Model").click()
    page.get_by_role("heading", name="Model", exact=True).wait_for()
    rest(page)
    page.wait_for_timeout(1_100)
    travel(page, "go_back", "Explore", 12)
    shows(page, 12, twelve)
    travel(page, "go_back", "Explore", 5)
    shows(page, 5, five)
    travel(page, "go_forward", "Explore", 12)
    shows(page, 12, twelve)
    travel(page, "go_forward", "Model", 12)
    page.get_by_role("heading", name="Model", exact=True).wait_for()
    no_trouble(page)
