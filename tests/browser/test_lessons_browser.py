"""Every lesson link on a freshly started server, in two tabs: its chart is drawn, and nothing went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from pages.components.lessons import LESSONS
from pages.components.lessons.parts.kinds import Lesson
from tests.browser.helpers import no_trouble, profile, push, rest

pytestmark = pytest.mark.browser
# Figures that take many seconds with their defaults are asked for with less; B needs data that a fresh server lacks.
QUICK = {"figure-c": "steps:200", "figure-e": "draws:6", "figure-h": "seeds:2,data:digits", "figure-i": "tests:1"}
MISSING = {"figure-b": "Forest fires"}
DRAWN = "() => [...document.querySelectorAll('.st-key-lesson .js-plotly-plot')].some((p) => p._fullData?.length > 0)"


WALK = [name for name in LESSONS if name not in MISSING]


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
        fits(tab)
        for step in entry.text.steps[1:]:
            push(tab, tab.get_by_role("button", name="Next"))
            tab.get_by_role("heading", name=step.title, exact=True).wait_for()
            tab.wait_for_function(DRAWN)
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
    follow(tab, app, "lesson=leverage&step=1")
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
    assert "step=2" in tab.url


def test_a_figure_without_its_data_says_what_to_do(tab: Any, app: str) -> None:
    follow(tab, app, "lesson=figure-b")
    tab.get_by_text("Figure B").first.wait_for()
    tab.get_by_text("Try again").or_(tab.locator('[data-testid="stAlert"]').first).first.wait_for()
    no_trouble(tab)


def test_a_copied_lesson_link_hides_what_it_should(tab: Any, app: str) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app)
    tab.goto(f"{app}/Explore?v=1&data.name=blobs&data.n=120&model.l2=0.1&test=2&lesson=leverage&step=1")
    tab.get_by_text("Make this a lesson link").wait_for()
    push(tab, tab.get_by_text("Make this a lesson link"))
    push(tab, tab.get_by_role("button", name="Copy lesson link"))
    tab.get_by_text("Copied.").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    assert "lesson=" not in link and "test=2" in link
    tab.goto(link)
    tab.get_by_role("button", name="Show everything").wait_for()
    rest(tab)
    assert tab.get_by_text("Watch the").count() == 0
    assert tab.locator('[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]').count() == 0
    no_trouble(tab)
