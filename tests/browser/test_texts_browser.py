"""Texts in a real browser: every word says its number at the pointer and by the Tab key, and a word is taken out."""

import re
from typing import Any

import pytest

from tests.browser.helpers import explore, no_trouble, push, rest
from tests.browser.test_accessibility import OVERFLOW, violations

pytestmark = pytest.mark.browser
MAILS = (
    "v=1&data.name=spam_assassin&data.words=300&data.test_fraction=0.2&model.l2=0.01&estimator=newton&test=3&train=5"
)
FOCUSED = "let at = document.activeElement; while (at.shadowRoot) at = at.shadowRoot.activeElement; at.innerText"
SAID = "(mark) => getComputedStyle(mark, '::after').content"


def test_a_word_says_its_share_and_a_refit_stands_beside_it(page: Any, app: str) -> None:
    explore(page, app, MAILS)
    word = page.locator(".if-text mark[tabindex]").first
    word.wait_for()
    said = word.get_attribute("data-said")
    assert re.fullmatch(r"\S+: [+−][\d.,]+ \S.*", said)
    assert word.evaluate(SAID) == "none"
    word.focus()
    assert said in word.evaluate(SAID)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "MARK"
    other = page.locator(".if-text mark").nth(1)
    other.hover()
    assert other.get_attribute("data-said") in other.evaluate(SAID)
    assert not violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    push(page, page.get_by_text("What if a word were deleted"))
    push(page, page.get_by_role("button", name="Refit"))
    page.get_by_text("beside a share of").wait_for()
    rest(page)
    no_trouble(page)


def test_a_word_of_the_test_text_sorts_the_training_texts_by_mouse_and_by_keyboard(page: Any, app: str) -> None:
    explore(page, app, MAILS)
    word = page.locator(".if-text button[tabindex='0']").first
    word.wait_for()
    name = str(word.get_attribute("data-said")).partition(":")[0]
    word.click()
    page.get_by_text("Sorted by what").wait_for()
    rest(page)
    assert f"word={name}" in page.url
    chosen = page.locator(".if-text button[aria-pressed='true']")
    assert chosen.first.inner_text().lower() == name
    chosen.first.press("Enter")
    page.get_by_text("Sorted by what").wait_for(state="detached")
    rest(page)
    assert "word=" not in page.url
    assert page.evaluate(FOCUSED).lower() == name
    no_trouble(page)
