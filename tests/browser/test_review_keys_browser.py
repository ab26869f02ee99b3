"""Two people and a lead at one queue without a mouse, and a card that fits on one screen whatever it shows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.browser.helpers import APP, profile, rest, tab_to
from tests.browser.test_review_browser import CAPTION, LOOKED, follow, press
from tests.browser.uploaded import pictures, queued, rows

pytestmark = pytest.mark.browser
NAMES = (
    *("anchor", "bobcat", "cedar", "dolphin", "ember", "falcon"),
    *("garnet", "harbor", "island", "jasmine", "kestrel", "lagoon"),
)
SCREEN = 900  # pixels
PARTS = {
    "signals": ".if-why", "relabel effect": ".if-effect", "progress": '[data-testid="stProgress"]',
    "note": "textarea", "example": '[data-testid="stMain"] img, .if-said', "keys": ".st-key-review-H",
}  # fmt: skip
BOTTOM = "(node) => node.getBoundingClientRect().bottom"
FREE = "() => document.activeElement === document.body"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def link(folder: Path) -> Callable[[str], str]:
    """Where the queue of an upload is; it is made when first asked for."""

    @cache
    def made(kind: str) -> str:
        if kind == "row of 30 columns":
            return queued(folder, rows(30))
        if kind == "twelve classes":
            return queued(folder, rows(5, NAMES, 144), "softmax")
        if kind == "two answers a card":
            return queued(folder, rows(6), overlap=2)
        width, height = (int(number) for number in re.findall(r"\d+", kind))
        return queued(folder, pictures(width, height))

    return made


@pytest.fixture(scope="module")
def address(serve: Any, folder: Path) -> str:
    leads = {"INFLUENCE_LEADS": "Lea", "INFLUENCE_LEAD_KEY": "open sesame"}
    return serve(APP, env={"INFLUENCE_DATA_DIR": str(folder), "INFLUENCE_DB_URL": "", **leads})


@pytest.fixture
def seats(browser: Any) -> Iterator[list[Any]]:
    """Two people in two browsers."""
    contexts = [profile(browser) for _ in range(2)]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def decided(folder: Path, who: str) -> list[tuple[str, str]]:
    with sqlite3.connect(folder / "annotations.db") as connection:
        return connection.execute(
            "SELECT action, note FROM decision WHERE annotator = ? ORDER BY id", (who,)
        ).fetchall()


def come(page: Any, address: str, link: str, who: str, key: str = "") -> None:
    """The name field has the focus: a name and Enter are enough; a lead shows a key too."""
    page.goto(f"{address}/{link}")
    page.get_by_label("Your name").wait_for()
    page.wait_for_function("() => document.activeElement?.getAttribute('aria-label') === 'Your name'")
    rest(page)
    page.keyboard.type(who)
    if key:
        page.keyboard.press("Tab")
        page.keyboard.type(key)
    rest(page)
    page.keyboard.press("Enter")


def on_card(page: Any) -> None:
    page.get_by_text("Strongest counter-example").first.wait_for()
    rest(page)
    page.wait_for_timeout(LOOKED)


def go(page: Any, words: str, key: str = "Enter", within: str = '[data-testid="stMain"]') -> None:
    """Tab there and press."""
    tab_to(page, words, within)
    page.keyboard.press(key)
    rest(page)


@pytest.mark.parametrize("kind", ["picture 64 × 64", "picture 640 × 480", "row of 30 columns"])
def test_a_card_with_its_evidence_fits_on_one_screen(
    stranger: Any, address: str, link: Callable[[str], str], kind: str
) -> None:
    page = stranger()
    come(page, address, link(kind), "Fit")
    on_card(page)
    table = kind.startswith("row")
    witnesses = page.locator(".if-row" if table else ".if-strip .row").last
    witnesses.wait_for()
    rest(page)
    bottoms = {name: page.locator(part).first.evaluate(BOTTOM) for name, part in PARTS.items()}
    bottoms["witnesses"] = witnesses.evaluate(BOTTOM)
    assert max(bottoms.values()) <= SCREEN, bottoms
    assert page.get_by_test_id("stSidebar").is_hidden()
    words = page.locator(".if-row").inner_text() if table else page.locator(".if-strip").inner_text()
    assert words.index("Support") < words.index("Contradict")
    if table:
        assert page.locator(".if-said").first.locator("tr").count() == 10  # head and the decisive columns
    else:
        image = page.get_by_test_id("stMain").locator("img").first
        assert image.evaluate("(node) => [node.naturalWidth, node.naturalHeight].join(' × ')") == kind[8:]
        box = image.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(
            image.evaluate("(e) => e.naturalWidth / e.naturalHeight"), 0.02
        )


def test_the_switch_of_the_picture_is_worked_and_left_by_keyboard(
    stranger: Any, address: str, link: Callable[[str], str], folder: Path
) -> None:
    page = stranger()
    come(page, address, link("picture 64 × 64"), "Pia")
    on_card(page)
    image = page.get_by_test_id("stMain").locator("img").first
    assert image.evaluate("(node) => getComputedStyle(node).imageRendering") == "pixelated"
    go(page, "Smooth", "Space")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('[data-testid=stMain] img')).imageRendering === 'auto'"
    )
    page.keyboard.press("Escape")
    page.wait_for_function(FREE)
    page.wait_for_timeout(LOOKED)
    press(page, "q")
    assert decided(folder, "Pia") == [("keep", "")]


def at(page: Any) -> str:
    """Whose label is asked about."""
    return str(page.get_by_text("given label of").first.text_content())


def escape(page: Any) -> None:
    """Leave a field, and look at the card."""
    page.keyboard.press("Escape")
    page.wait_for_function(FREE)
    page.wait_for_timeout(LOOKED)


def open_queue(page: Any, number: int) -> None:
    """From the list, the first view, to a card."""
    page.get_by_role("heading", name="Queues").wait_for()
    rest(page)
    go(page, "Open", within=f".st-key-review-open-{number}")
    on_card(page)


def number_of(folder: Path, link: str) -> int:
    """Number of the queue behind a link."""
    upload = parse_qs(link.partition("?")[2])["data.id"][0]
    with sqlite3.connect(folder / "annotations.db") as connection:
        asked = "SELECT max(queue.id) FROM queue JOIN run ON run.id = queue.run_id WHERE run.settings LIKE ?"
        return connection.execute(asked, (f"%{upload}%",)).fetchone()[0]


def test_two_people_settle_what_one_cannot_tell_without_a_mouse(
    seats: list[Any], address: str, link: Callable[[str], str], folder: Path
) -> None:
    number, (lead, other) = number_of(folder, link("twelve classes")), seats
    come(lead, address, "Mislabels", "Lea", "open sesame")
    open_queue(lead, number)
    name = at(lead)
    tab_to(lead, "Note")
    lead.keyboard.type("x or y? q w e 1 n")  # letters of a note, and no keys
    escape(lead)
    press(lead, "n")
    assert decided(folder, "Lea") == [("review", "x or y? q w e 1 n")]
    go(lead, "Second pass now", "Space")
    assert at(lead) != name  # never back to the one who asked
    come(other, address, "Mislabels", "bob")
    other.get_by_text("1 wait").first.wait_for()
    open_queue(other, number)
    assert at(other) not in (name, at(lead))
    go(other, "Second pass now", "Space")
    other.get_by_text("Second pass: the answers differ").wait_for()
    assert at(other) == name
    assert "needs review" in (said := other.locator(".if-said").first.inner_text()) and "x or y? q w e 1 n" in said
    escape(other)
    press(other, "1")  # the likeliest class
    other.keyboard.press("l")
    old = other.evaluate(CAPTION)
    other.wait_for_function("() => document.activeElement?.getAttribute('role') === 'combobox'")
    keep = other.locator(".st-key-review-Q").inner_text()
    rare = next(name for name in ("kestrel", "lagoon") if name not in keep)  # a card's own class is no relabel
    other.keyboard.type(rare[:2])
    other.get_by_role("option", name=rare).wait_for()
    other.keyboard.press("Enter")
    follow(other, old, "Escape")
    escape(other)
    press(other, "q")
    with sqlite3.connect(folder / "annotations.db") as connection:
        found = connection.execute(
            "SELECT action, round, new_label FROM decision WHERE annotator = 'bob' ORDER BY id"
        ).fetchall()
    assert [one[:2] for one in found] == [("re-label", 2), ("re-label", 1), ("keep", 1)]
    assert found[1][2] == NAMES.index(rare)


def test_a_third_person_settles_two_answers_that_differ_without_a_mouse(
    seats: list[Any], stranger: Any, address: str, link: Callable[[str], str], folder: Path
) -> None:
    (one, other), third, there = seats, stranger(), link("two answers a card")
    come(one, address, there, "Ann")
    on_card(one)
    name = at(one)
    press(one, "q")
    come(other, address, there, "Ben")
    on_card(other)
    assert at(other) == name  # what has one answer of two comes first
    tab_to(other, "Note")
    other.keyboard.type("scratched")
    escape(other)
    press(other, "e")
    come(third, address, there, "Cem")
    on_card(third)
    go(third, "Second pass now", "Space")
    third.get_by_text("Second pass: the answers differ").wait_for()
    assert at(third) == name
    said = third.locator(".if-said").first.inner_text()
    assert all(word in said for word in ("Ann", "kept", "Ben", "excluded", "scratched")), said
    third.wait_for_timeout(LOOKED)
    press(third, "e")
    with sqlite3.connect(folder / "annotations.db") as connection:
        found = connection.execute(
            "SELECT action, round FROM decision WHERE annotator IN ('Ann', 'Ben', 'Cem') ORDER BY id"
        ).fetchall()
        waits = connection.execute(
            "SELECT max(waits) FROM task WHERE queue_id = ?", (number_of(folder, there),)
        ).fetchone()[0]
    assert (found, waits) == ([("keep", 1), ("exclude", 1), ("exclude", 2)], 0)  # settled, and nothing is open


def test_the_filter_is_left_by_esc_and_a_counter_example_is_relabelled_after_a_question_only(
    stranger: Any, address: str, link: Callable[[str], str], folder: Path
) -> None:
    page = stranger()
    come(page, address, link("twelve classes"), "Fil")
    on_card(page)
    go(page, "All cards")
    page.get_by_role("combobox", name="Given label").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Given label").wait_for(state="hidden")
    page.wait_for_timeout(LOOKED)
    press(page, "q")
    name = at(page)
    go(page, "Relabel it")
    page.get_by_text("Sure?").wait_for()
    assert [action for action, _ in decided(folder, "Fil")] == ["keep"]  # asked, and nothing stored
    go(page, "No, leave it")
    go(page, "Relabel it")
    go(page, "Yes, it is")
    page.get_by_text("Your answer:").wait_for()
    assert [action for action, _ in decided(folder, "Fil")] == ["keep", "re-label"]
    assert at(page) == name  # this card stays
    page.wait_for_timeout(LOOKED)
    press(page, "e")
    assert [action for action, _ in decided(folder, "Fil")] == ["keep", "re-label", "exclude"]


def test_a_lead_assigns_a_queue_without_a_mouse_and_it_stands_first_in_the_other_ones_list(
    seats: list[Any], address: str, link: Callable[[str], str], folder: Path
) -> None:
    lead, other = seats
    come(lead, address, link("twelve classes"), "Lea", "open sesame")
    number = number_of(folder, link("twelve classes"))
    on_card(lead)
    tab_to(lead, "Review")
    for _ in range(3):
        lead.keyboard.press("ArrowRight")
    lead.keyboard.press("Enter")
    lead.get_by_role("heading", name="Agreement").wait_for()
    rest(lead)
    offered = lead.get_by_role("option", name="Nan")
    for _ in range(10):  # a poll that draws the page again between two keys takes what was typed
        tab_to(lead, "Assigned to queue")
        lead.keyboard.press("Control+A")
        lead.keyboard.type("Nan")
        lead.wait_for_timeout(LOOKED)
        if offered.count():
            break
    offered.wait_for()
    lead.keyboard.press("Enter")
    lead.keyboard.press("Escape")
    rest(lead)
    go(lead, "Assign")
    come(other, address, "Mislabels", "nan")
    other.get_by_role("heading", name="Queues").wait_for()
    rest(other)
    first = other.get_by_test_id("stMain").locator('[class*="st-key-review-open-"]').first
    assert f"st-key-review-open-{number}" in first.get_attribute("class")
    assert "for you" in other.get_by_test_id("stMain").inner_text()
