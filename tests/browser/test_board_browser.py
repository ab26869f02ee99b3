"""Drawing by hand in a real browser: every stroke changes points, boundary, colours and link; nothing jumps back."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from influence_core.analysis import analyse, drawn
from influence_core.settings import DataSettings, ModelSettings, Settings, from_query, to_query
from tests.browser.helpers import no_trouble, rest
from tests.waiting import until

pytestmark = pytest.mark.browser
BASE = Settings(data=DataSettings("drawn"), model=ModelSettings("logistic", 0.01))
FEW = "a-100_0.a-200_100.a-120_-90.b100_0.b200_-100.b90_110.A-50_20.B60_-10"
STATE = """(root) => ({
  text: root.board.points.map((p) => (p.test ? p.letter.toUpperCase() : p.letter) + p.x + '_' + p.y).join('.'),
  scores: root.board.points.map((p) => p.score), asked: root.board.asked, selected: root.board.selected,
  idle: root.board.answered >= root.board.sent && !root.board.pending, focus: root.board.focus,
  fills: [...root.querySelectorAll('path.train')].sort((a, b) => a.dataset.at - b.dataset.at)
    .map((p) => p.getAttribute('fill')),
  boundary: root.querySelector('.boundary')?.getAttribute('d') ?? null,
  said: root.querySelector('.said').textContent, sentence: root.querySelector('.sentence').textContent })"""
# Hundredths of the drawing to pixels of the window, by the rectangle that the picture is clipped to.
PLACE = """(root, [x, y]) => {
  const svg = root.querySelector('.frame > svg'), at = svg.getBoundingClientRect();
  const plane = svg.querySelector('clipPath rect'), scale = at.width / svg.viewBox.baseVal.width;
  const [left, top, width, height] = ['x', 'y', 'width', 'height'].map((name) => Number(plane.getAttribute(name)));
  const reach = 100 * root.board.half;
  return [at.left + scale * (left + (width * (x + reach)) / (2 * reach)),
    at.top + scale * (top + (height * (reach - y)) / (2 * reach))];
}"""


class Hand:
    """What a person does on the board, and what they see there."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(".if-board").last  # while the page is drawn anew the old board may still be there

    def see(self) -> dict[str, Any]:
        return self.root.evaluate(STATE)

    @property
    def points(self) -> list[drawn.Point]:
        return list(drawn.parse(self.see()["text"]))

    def at(self, x: int, y: int) -> tuple[float, float]:
        return tuple(self.root.evaluate(PLACE, [x, y]))

    def tool(self, name: str) -> None:
        self.root.get_by_role("radio", name=name, exact=True).locator("..").click()

    def click(self, x: int, y: int) -> None:
        self.page.mouse.click(*self.at(x, y))

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def until(self, words: str, arg: Any = None) -> dict[str, Any]:
        """Wait until an expression in ``s``, what is seen, and ``arg`` is true; the page may draw the board anew."""
        script = f"(root, arg) => {{ const s = ({STATE})(root); return {words}; }}"
        until(
            lambda: self.root.evaluate(script, arg),
            lambda: f"{words}, seen {self.see()}",
            0.05,
            lambda seconds: self.page.wait_for_timeout(1000 * seconds),
        )
        return self.see()

    def settle(self) -> dict[str, Any]:
        """Wait until the page and its link have followed the last stroke."""
        self.until("s.idle")
        text = self.see()["text"]
        self.page.wait_for_function("(t) => decodeURIComponent(location.search).includes('points=' + t)", arg=text)
        rest(self.page)
        return self.see()


def opened(page: Any, app: str, points: str = FEW, **query: str) -> Hand:
    settings = Settings(data=DataSettings("drawn", (("points", points),)), model=BASE.model)
    link = "&".join(f"{k}={v}" for k, v in (to_query(settings) | query).items())
    page.goto(f"{app}/Explore?{link}")
    hand = Hand(page)
    hand.root.locator(".hit").first.wait_for(state="attached")
    rest(page)
    hand.until("s.idle")
    hand.root.evaluate("(root) => root.scrollIntoView({ block: 'end' })")
    rest(page)
    return hand


def settings_of(page: Any) -> Settings:
    settings, problems = from_query(dict(parse_qsl(urlsplit(page.url).query)))
    assert not problems
    return settings


def agree_with_the_core(page: Any, seen: dict[str, Any]) -> None:
    """Scores on the board are those of the settings in the link, computed from nothing else."""
    settings = settings_of(page)
    assert dict(settings.data.options)["points"] == seen["text"]
    analysis = analyse(settings)
    where = [k for k, p in enumerate(drawn.parse(seen["text"])) if not p.test]
    test = sum(p.test for p in drawn.parse(seen["text"])[: seen["asked"]])
    wanted = analysis.scores([test])[:, 0]
    found = np.array([seen["scores"][k] for k in where])
    power = round(np.log10(np.abs(wanted).max() / np.abs(found).max()))  # one factor for all, said with the unit
    np.testing.assert_allclose(found * 10.0**power, wanted, rtol=2e-5, atol=1e-9)


def test_a_point_is_added_where_one_clicks_and_all_follows(page: Any, app: str) -> None:
    hand = opened(page, app)
    before = hand.see()
    hand.tool("Add b")
    hand.click(-150, 150)
    hand.until("s.boundary !== arg", before["boundary"])
    seen = hand.settle()
    new = hand.points[-1]
    assert len(hand.points) == 9 and (new.letter, new.test) == ("b", False)
    assert abs(new.x + 150) <= 2 and abs(new.y - 150) <= 2
    assert "Added a training point of class b; 7 training and 2 test points." in seen["said"]
    agree_with_the_core(page, seen)
    hand.tool("Add test point")
    hand.click(-180, -50)
    seen = hand.settle()
    assert hand.points[-1][:2] == ("a", True)  # the class of its nearest training point
    hand.tool("Select")
    hand.click(hand.points[-1].x, hand.points[-1].y)
    hand.until("s.asked === 9")
    page.wait_for_url(re.compile("test=2"))
    agree_with_the_core(page, hand.settle())
    no_trouble(page)


def test_a_drag_recolours_before_it_ends_and_its_end_is_in_the_link(page: Any, app: str) -> None:
    hand = opened(page, app, drawn.DEFAULT)
    before = hand.see()
    start = hand.points[40]
    assert (start.x, start.y) == (320, 230)
    page.mouse.move(*hand.at(320, 230))
    page.mouse.down()
    page.mouse.move(*hand.at(250, 100), steps=4)
    live = hand.until("s.boundary !== arg && s.idle", before["boundary"])
    assert live["fills"] != before["fills"]
    assert "320_230" in page.url or "points" not in page.url  # the link waits for the end of the stroke
    steps = 24
    path = [(250 - 400 * k // steps, 100 - 150 * k // steps) for k in range(1, steps + 1)]
    near = "Math.hypot(...s.text.split('.')[40].slice(1).split('_').map((v, k) => v - arg[k])) <= 4"
    for x, y in path:  # slower than the server answers: old answers arrive while the hand goes on
        page.mouse.move(*hand.at(x, y))
        hand.until(near, [x, y])
        page.wait_for_timeout(40)
        held = hand.points[40]
        assert abs(held.x - x) <= 3 and abs(held.y - y) <= 3, "a point jumped back under the hand"
    page.mouse.up()
    seen = hand.settle()
    end = hand.points[40]
    assert abs(end.x + 150) <= 3 and abs(end.y + 50) <= 3
    assert f"a{end.x}_{end.y}" in page.url
    agree_with_the_core(page, seen)
    hand.press("u")  # the whole stroke is one step back
    hand.until("s.text.includes('a320_230')")
    agree_with_the_core(page, hand.settle())
    no_trouble(page)


def test_relabel_delete_and_undo(page: Any, app: str) -> None:
    hand = opened(page, app)
    first = hand.see()["text"]
    hand.tool("Relabel")
    hand.click(-200, 100)
    relabelled = hand.settle()
    assert relabelled["text"] == first.replace("a-200_100", "b-200_100")
    agree_with_the_core(page, relabelled)
    hand.tool("Delete")
    hand.click(90, 110)
    deleted = hand.settle()
    assert deleted["text"] == relabelled["text"].replace(".b90_110", "")
    agree_with_the_core(page, deleted)
    undo = hand.root.get_by_role("button", name="Undo")
    undo.click()
    hand.until("s.text === arg", relabelled["text"])
    hand.settle()
    undo.click()
    hand.until("s.text === arg", first)
    agree_with_the_core(page, hand.settle())
    assert undo.is_disabled()
    no_trouble(page)


def test_what_the_model_needs_is_not_deleted(page: Any, app: str) -> None:
    points = "a-100_0.a-200_100.b100_0.b200_-100.A-50_20"
    hand = opened(page, app, points)
    hand.tool("Delete")
    hand.click(100, 0)
    hand.until("s.said.includes(arg)", "at least two training points each")
    hand.click(-50, 20)
    hand.until("s.said.includes(arg)", "At least one test point must stay")
    hand.tool("Relabel")
    hand.click(-100, 0)
    hand.until("s.said.includes(arg)", "at least two training points each")
    assert hand.see()["text"] == points
    no_trouble(page)


def test_the_keyboard_does_what_the_mouse_does(page: Any, app: str) -> None:
    hand = opened(page, app)
    hand.root.locator("input:checked").focus()
    hand.press("Tab")
    if page.evaluate("document.activeElement.shadowRoot?.activeElement?.className") == "undo":
        hand.press("Tab")
    hand.press("Home")
    for key, where in (("ArrowRight", "a-90_0"), ("ArrowUp", "a-90_10"), ("Shift+ArrowLeft", "a-91_10")):
        hand.press(key)
        assert hand.see()["text"].startswith(where)
    assert hand.see()["said"] == "x1 −0.91, x2 0.10"
    agree_with_the_core(page, hand.settle())
    hand.press("Enter")
    page.wait_for_url(re.compile("train=0"))
    hand.press("PageDown")
    hand.press("l")
    assert hand.settle()["text"].split(".")[1] == "b-200_100"
    hand.press("Delete")
    seen = hand.settle()
    assert len(hand.points) == 7 and seen["focus"] == 1
    hand.press("End")
    hand.press(" ")
    page.wait_for_url(re.compile("test=1"))
    hand.settle()
    hand.press("Escape")
    hand.until("s.selected === null")
    hand.press("u")
    hand.until("s.text.split('.').length === 8")
    agree_with_the_core(page, hand.settle())
    no_trouble(page)


def test_an_unfinished_drawing_says_what_it_needs_and_stays_editable(page: Any, app: str) -> None:
    hand = opened(page, app)
    hand.tool("Add c")
    hand.click(0, 180)
    hand.until("s.sentence.includes('got 1 of class c')")
    hand.settle()
    hand.click(20, 150)  # the tool is still the same, on a board that was drawn anew
    hand.until("s.scores.some(Number.isFinite)")
    seen = hand.settle()
    assert settings_of(page).model.name == "softmax"
    assert len(hand.points) == 10 and seen["sentence"] == ""
    agree_with_the_core(page, seen)
    no_trouble(page)


def test_a_drawing_without_a_minimum_has_no_colours_until_it_has_one(page: Any, app: str) -> None:
    hand = opened(page, app, **{"model.l2": "0.0"})
    assert "no minimum" in hand.see()["sentence"]
    hand.tool("Add b")
    hand.click(-150, 20)
    hand.until("s.scores.some(Number.isFinite)")
    agree_with_the_core(page, hand.settle())
    assert page.locator(".if-board").count() == 1
    no_trouble(page)


def test_a_link_shows_the_same_drawing(page: Any, app: str, stranger: Any) -> None:
    hand = opened(page, app)
    hand.tool("Add a")
    hand.click(50, -150)
    seen = hand.settle()
    tab = stranger()
    tab.goto(page.url)
    again = Hand(tab)
    again.root.locator(".hit").first.wait_for(state="attached")
    shown = again.until("s.idle && s.scores.some(Number.isFinite)")
    assert shown["text"] == seen["text"] and shown["fills"] == seen["fills"]
