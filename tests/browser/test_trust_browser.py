"""The word of the trust line where it was green beside a wrong number: forest fires, damping 300, gradient cosine."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers import BLOBS, explore, no_trouble, rest

pytestmark = pytest.mark.browser

FOLDER = os.environ.get("INFLUENCE_DATA_DIR", "")
FIRES = "data.name=forest_fires&model.name=ridge&model.l2=0.01&estimator=influence"
APP = Path(__file__).parents[2] / "app.py"


def word(page: Any) -> tuple[str, str]:
    """The word in front of the line, and its colour."""
    place = page.get_by_text(re.compile("^(agrees|roughly|misleads)$")).first
    place.wait_for()
    return place.inner_text(), place.evaluate("e => getComputedStyle(e).color")


def test_forest_fires_agree_roughly_or_mislead_and_newton_mends_it(page: Any, serve: Callable[..., str]) -> None:
    if not (Path(FOLDER) / "forestfires.csv").is_file():
        pytest.skip("INFLUENCE_DATA_DIR holds no forestfires.csv")
    app = serve(APP, env={"INFLUENCE_DATA_DIR": FOLDER})
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
    no_trouble(page)
