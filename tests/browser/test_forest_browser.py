"""What a random forest leans on, in a real browser: opened by keyboard, grown again, and in a link for anybody."""

import re
from typing import Any

import pytest

from tests.browser.helpers import explore, no_trouble, pick_row, push, rest
from tests.browser.test_accessibility import OVERFLOW, violations

pytestmark = pytest.mark.browser
IRIS = "v=1&data.name=iris&data.classes=3&data.test_fraction=0.5&model.name=softmax&model.l2=0.1&test=3"
TITLE = "What would a random forest lean on?"


def test_the_rows_are_told_grown_again_and_picked(page: Any, app: str, stranger: Any) -> None:
    explore(page, app, IRIS)
    page.locator("summary", has_text=TITLE).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("forest=100x5"))
    page.get_by_text(re.compile("^Forest: probability of")).wait_for()
    rest(page)
    assert not violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    table = page.get_by_test_id("stExpander").filter(has_text=TITLE).get_by_test_id("stDataFrame").first
    pick_row(page, table, 2)
    page.wait_for_url(re.compile("train="))
    push(page, page.get_by_role("button", name="Regrow without each of the 20"))
    page.get_by_text(re.compile("^Trees that grow again, against these")).wait_for()
    no_trouble(page)
    other = stranger()
    other.goto(page.url)
    other.get_by_text(re.compile("^Trees that grow again, against these")).wait_for()
    no_trouble(other)
