"""How few must leave, in a real browser: asked, found, ringed on the map, and in a link that anybody can open."""

import re
from typing import Any

import numpy as np
import pytest

from influence_core.analysis import FlipQuestion, Problem, fragility
from influence_core.settings import from_query
from tests.browser.helpers import BLOBS, explore, no_trouble, push, rest
from tests.browser.test_accessibility import OVERFLOW, violations

pytestmark = pytest.mark.browser
TITLE = "How few must leave"


def fragile() -> tuple[int, fragility.Fragility]:
    """The test point nearest to the line, and its answer."""
    settings, _ = from_query(dict(part.split("=") for part in BLOBS.split("&")))
    problem = Problem(settings)
    test = int(np.argmin(np.abs(problem.predictions[:, 1] - 0.5)))
    return test, fragility.fragility(problem, FlipQuestion(test, fragility.wants(problem, test)[0]))


def test_a_set_is_found_and_leaves_together(page: Any, app: str, stranger: Any) -> None:
    test, answer = fragile()
    explore(page, app, f"{BLOBS}&test={test}")
    push(page, page.get_by_text(TITLE))
    page.wait_for_url(re.compile("flip=(flip|right)"))
    page.get_by_text(answer.sentence[:60]).wait_for()
    assert page.get_by_text("minimal").count() == 0
    rest(page)
    assert not violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    push(page, page.get_by_role("button", name="Let this set leave together"))
    page.wait_for_url(re.compile("group="))
    page.get_by_text(f"{len(answer.turned.rows)} of 160 training points leave").wait_for()
    no_trouble(page)
    other = stranger()
    other.goto(page.url)
    other.get_by_text(answer.sentence[:60]).wait_for()
    no_trouble(other)


def test_the_keyboard_opens_the_panel(page: Any, app: str) -> None:
    test, answer = fragile()
    explore(page, app, f"{BLOBS}&test={test}")
    page.locator("summary", has_text=TITLE).focus()
    page.keyboard.press("Enter")
    page.get_by_text(answer.sentence[:60]).wait_for()
    no_trouble(page)
