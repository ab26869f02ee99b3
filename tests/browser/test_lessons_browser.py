"""Every lesson link on a freshly started server, in two tabs: its chart is drawn, and nothing went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest

from pages.components.lessons import LESSONS
from pages.components.lessons.parts.kinds import Lesson
from tests.browser.helpers import no_trouble, profile, push, rest
from tests.browser.test_upload_browser import DRAWN as MAP
from tests.browser.test_upload_browser import choose, drawn, use_and_explore

pytestmark = pytest.mark.browser
# Figures that take many seconds with their defaults are asked for with less.
QUICK = {
    "figure-b": "runs:2",
    "figure-c": "steps:200",
    "figure-e": "draws:6",
    "figure-h": "seeds:2,data:digits",
    "figure-i": "tests:1",
}
DRAWN = "() => [...document.querySelectorAll('.st-key-lesson .js-plotly-plot')].some((p) => p._fullData?.length > 0)"
TITLE = "<img src=x onerror=window.harmed=1> Who?"
WALK = list(LESSONS)
READ = {"shortcut", "trigger"}  # a text stands below the chart and is read, so that these scroll


def link(app: str, name: str) -> str:
    return f"{app}/Lessons?{urlencode({'lesson': name} | ({'tune': QUICK[name]} if name in QUICK else {}))}"


@pytest.mark.parametrize("name", WALK)
def test_a_lesson_link_shows_its_chart(tabs: list[Any], app: str, name: str) -> None:
    """Meanwhile the next link opens in another tab: the server computes while this one is looked at."""
    at, entry = WALK.index(name), LESSONS[name]
    tab = tabs[at % 2]
    if tab.url != link(app, name):
        tab.goto(link(app, name), wait_until="commit")
    if at + 1 < len(WALK):
        tabs[(at + 1) % 2].goto(link(app, WALK[at + 1]), wait_until="commit")
    tab.wait_for_function(DRAWN)
    if isinstance(entry, Lesson):
        if name not in READ:
            fits(tab)
        for step in entry.text.steps[1:]:
            push(tab, tab.get_by_role("button", name="Next"))
            tab.get_by_role("heading", name=step.title, exact=True).wait_for()
            tab.wait_for_function(DRAWN)
            if name not in READ:
                fits(tab)
    no_trouble(tab)
    assert tab.locator('[data-testid="stAlertContentError"]').count() == 0


def fits(tab: Any) -> None:
    """A step is seen as a whole on a projector, without scrolling."""
    tab.wait_for_function("() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight <= innerHeight")


@pytest.fixture(scope="module")
def tabs(browser: Any) -> Iterator[list[Any]]:
    """Two pages for all links, as large as a projector's; an uncaught error in them fails the walk."""
    context = profile(browser, viewport={"width": 1280, "height": 720})
    pages, errors = [context.new_page(), context.new_page()], list[str]()
    for page in pages:
        page.on("pageerror", lambda error: errors.append(str(error)))
    yield pages
    context.close()
    assert not errors


@pytest.fixture
def tab(tabs: list[Any]) -> Any:
    return tabs[0]


def follow(page: Any, app: str, query: str) -> None:
    """Open a link; the browser keeps its files, the server starts a session of its own."""
    page.goto(f"{app}/Lessons?{query}", wait_until="domcontentloaded")


def test_predict_then_reveal_by_keyboard(tab: Any, app: str) -> None:
    follow(tab, app, "lesson=leverage&step=2")
    tab.wait_for_function(DRAWN)
    rest(tab)
    tab.get_by_role("radio").first.focus()
    tab.keyboard.press("Space")
    rest(tab)
    tab.get_by_role("button", name="Reveal").focus()
    tab.keyboard.press("Enter")
    tab.get_by_text("At high leverage").wait_for()
    tab.get_by_text("Right.").wait_for()
    rest(tab)
    fits(tab)
    tab.get_by_role("button", name="Next").focus()
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name="One Newton step").wait_for()
    assert "step=3" in tab.url


def test_a_copied_lesson_link_hides_what_it_should_and_says_what_it_asks(tab: Any, app: str) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app)
    tab.goto(f"{app}/Explore?v=1&data.name=blobs&data.n=120&model.l2=0.1&test=2&lesson=leverage&step=1")
    tab.get_by_text("Make this a lesson link").wait_for()
    push(tab, tab.get_by_text("Make this a lesson link"))
    for label, words in (("Title", TITLE), ("Question", "What does **it** do? www.example.org")):
        tab.get_by_label(label, exact=True).fill(words)
        tab.keyboard.press("Enter")
        rest(tab)
    push(tab, tab.get_by_text("For a projector"))
    rest(tab)
    push(tab, tab.get_by_role("button", name="Copy lesson link"))
    tab.get_by_text("Copied.").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    assert "lesson=" not in link and "test=2" in link and "present=1" in link
    tab.goto(link)
    tab.get_by_role("heading", name=TITLE, exact=True).wait_for()
    tab.get_by_text("What does **it** do? www.example.org", exact=True).wait_for()
    rest(tab)
    assert tab.evaluate("window.harmed") is None and tab.locator("a[href*='example.org']").count() == 0
    assert not tab.locator('[data-testid="stSidebar"]').is_visible()
    push(tab, tab.get_by_role("button", name="Leave the presentation"))
    tab.get_by_role("button", name="Show everything").wait_for()
    assert tab.locator('[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]').count() == 0
    no_trouble(tab)


def test_own_data_are_still_there_after_a_lesson(tab: Any, app: str) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(90, 2)), columns=["size", "weight"])
    table["species"] = np.where(table["size"] + random.normal(size=90) > 0, "ant", "bee")
    choose(tab, app, "insects.csv", table.to_csv(index=False).encode())
    use_and_explore(tab)
    own = drawn(tab)
    sidebar = tab.locator('[data-testid="stSidebar"]')
    push(tab, sidebar.get_by_role("link", name="Lessons"))
    push(tab, tab.get_by_role("button", name="Open lesson 1", exact=True))
    tab.wait_for_function(DRAWN)
    sidebar.get_by_role("button", name="Back to your problem: insects.csv").wait_for()
    push(tab, sidebar.get_by_role("link", name="Explore"))
    tab.wait_for_url("**/Explore**")
    tab.wait_for_function(MAP)
    rest(tab)
    assert drawn(tab) == own and "data.name=upload" in tab.url and "lesson=" not in tab.url
    no_trouble(tab)


def test_a_finished_lesson_has_a_tick_in_this_browser(tab: Any, app: str) -> None:
    follow(tab, app, f"lesson=leverage&step={len(LESSONS['leverage'].text.steps)}")
    tab.wait_for_function(DRAWN)
    push(tab, tab.get_by_role("button", name="Reveal"))
    tab.wait_for_function("() => localStorage.getItem('influence-lessons-done')?.includes('leverage')")
    tab.goto(f"{app}/Lessons")
    tab.get_by_text("Lesson 4 · ").get_by_text("done").wait_for()
    lines = tab.get_by_text(re.compile(r"^Lesson \d+ · ")).all_inner_texts()
    assert ["done" in line for line in lines].count(True) == 1
    no_trouble(tab)
