"""The word of the trust line where it was green beside a wrong number: forest fires, damping 300, gradient cosine."""

import re
from typing import Any

import pytest

from tests.browser.helpers import BLOBS, LARGE, explore, no_trouble, rest

pytestmark = pytest.mark.browser

FIRES = "data.name=forest_fires&model.name=ridge&model.l2=0.01&estimator=influence"


def word(page: Any) -> tuple[str, str]:
    """The word in front of the line, and its colour."""
    place = page.get_by_text(re.compile("^(agrees|roughly|misleads)$")).first
    place.wait_for()
    return place.inner_text(), place.evaluate("e => getComputedStyle(e).color")


def test_forest_fires_agree_roughly_or_mislead_and_newton_mends_it(page: Any, app: str) -> None:
    explore(page, app, f"{FIRES}&test=0")
    green = word(page)
    explore(page, app, f"{FIRES}&test=7")
    amber = word(page)
    explore(page, app, f"{FIRES}&test=20")
    red = word(page)
    assert [found[0] for found in (green, amber, red)] == ["agrees", "roughly", "misleads"]
    assert len({found[1] for found in (green, amber, red)}) == 3
    page.get_by_text("at its minimum").wait_for()
    page.get_by_role("button", name="Use one-step Newton").click()
    page.wait_for_url(re.compile("estimator=newton"))
    rest(page)
    assert word(page) == green
    no_trouble(page)


def test_damping_and_cosine_are_not_green(page: Any, app: str) -> None:
    explore(page, app, BLOBS)
    green = word(page)
    assert green[0] == "agrees"
    explore(page, app, f"{BLOBS}&solver.damping=300")
    assert word(page)[0] == "misleads"
    page.get_by_text("Damping 300 holds back").wait_for()
    explore(page, app, f"{BLOBS}&estimator=gradient_cosine&test=3")
    assert word(page)[0] != "agrees"
    page.get_by_text("a ranking without unit").first.wait_for()
    line = page.get_by_text("judged by exact LOO in order and signs").inner_text()
    assert "ρ =" in line and "slope" not in line and "eigenvalue" not in line
    page.get_by_text("is a ranking without unit: order and sign count, not size").first.wait_for()
    no_trouble(page)


def test_what_was_not_measured_says_so_in_its_line(page: Any, app: str) -> None:
    """Beyond what a page measures unasked, cheap checks alone give the word."""
    page.goto(f"{app}/Explore?{LARGE}&test=0")
    assert word(page)[0] == "roughly"
    page.get_by_text("as far as cheap checks tell; exact LOO has not been run").wait_for()
    page.get_by_text("only exact LOO tells how far the numbers hold").wait_for()
    no_trouble(page)


def test_without_a_test_point_in_the_link_the_page_starts_at_a_wrong_one(page: Any, app: str) -> None:
    """Beside the changes stand loss and probability, before and after."""
    explore(page, app, BLOBS)
    page.wait_for_url(re.compile("test=[0-9]+"))
    page.get_by_text("misclassified", exact=False).first.wait_for()
    said = page.get_by_text(re.compile("without the most helpful .* test loss .* → .*%")).inner_text()
    before, after = (float(part) for part in re.findall(r"test loss ([0-9.]+) → ([0-9.]+)", said)[0])
    assert after > before
    no_trouble(page)
