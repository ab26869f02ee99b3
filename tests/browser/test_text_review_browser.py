"""Texts under review in a real browser: tinted words, evidence in the same colours, answers by keyboard."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers import APP, no_trouble, push, rest
from tests.browser.test_accessibility import OVERFLOW, violations
from tests.browser.test_review_browser import NEEDS_REVIEW, on_card, press

pytestmark = pytest.mark.browser
LINK = (
    "v=1&data.name=spam_assassin&data.words=300&data.validation_fraction=0.1&data.test_fraction=0.5"
    "&data.flip_fraction=0.1&model.l2=0.01"
)


def test_texts_are_reviewed_by_keyboard(stranger: Any, serve: Any, tmp_path: Path) -> None:
    address = serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path), "INFLUENCE_DB_URL": ""})
    page = stranger()
    page.goto(f"{address}/Mislabels?{LINK}")
    page.get_by_label("Your name").fill("Ada")
    push(page, page.get_by_role("button", name="Review the current data"))
    push(page, page.get_by_role("button", name="Make the queue"))
    page.locator(NEEDS_REVIEW).first.wait_for()
    on_card(page)
    rest(page)
    card = page.locator(".if-whole mark[tabindex]").first
    card.wait_for()
    assert " log-odds" in card.get_attribute("data-said")
    assert page.get_by_text("What a relabel would do").count() == 1
    assert page.locator(".if-said", has_text="change of p").count() >= 4  # texts that support and contradict it
    focusable = page.locator(".if-text:not(.if-whole) mark[tabindex]")
    assert focusable.count() == 0  # the texts beside it do not stand between a person and the answers
    assert not violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    for key in "qwn":
        press(page, key)
    with sqlite3.connect(tmp_path / "annotations.db") as connection:
        said = connection.execute("SELECT action FROM decision ORDER BY id").fetchall()
    assert [action for (action,) in said] == ["keep", "re-label", "review"]
    no_trouble(page)
