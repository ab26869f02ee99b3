"""Home in a browser: a click recolours the map and changes the card; removing is one press, by keyboard too."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.helpers import COLOURED, READY, click, coloured, no_trouble, push, rest

pytestmark = pytest.mark.browser


def test_the_first_screen_blames_removes_and_recolours(page: Any, app: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(app)
    page.wait_for_function(READY)
    page.wait_for_function(COLOURED)
    rest(page)
    blamed = page.get_by_role("heading", name=re.compile("was read as a"))
    for shown in (blamed, page.get_by_role("button", name="Remove and refit"), page.locator(".if-map")):
        box = shown.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    before = coloured(page, "train")
    page.get_by_role("button", name="Remove and refit").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Without these three it is read as a")).wait_for()
    rest(page)
    assert coloured(page, "train") == before
    push(page, page.get_by_role("button", name="Put them back"))
    blamed.wait_for()
    click(page, "test", 5)
    page.wait_for_function("() => document.querySelector('.if-map')?.state?.message?.selected_test === 5")
    rest(page)
    assert coloured(page, "train") != before
    no_trouble(page)
