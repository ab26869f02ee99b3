"""Examples that are rows, in a real browser: the box beside the mouse, and the files of a chart behind one icon."""

import re
from typing import Any

import numpy as np
import pytest

from influence_core.analysis import analyse, decisive
from influence_core.settings import from_query
from tests.browser.helpers import PLACE, explore, hover, no_trouble, rest

pytestmark = pytest.mark.browser
ROWS = "v=1&data.name=breast_cancer&model.l2=0.1&test=4"


def test_the_box_beside_the_mouse_tells_the_columns_that_decide(page: Any, app: str) -> None:
    explore(page, app, ROWS)
    settings, _ = from_query(dict(part.split("=") for part in ROWS.split("&")))
    analysis = analyse(settings)
    places = analysis.problem.positions
    gaps = np.linalg.norm(places.train[:, None] - np.concatenate([places.train, places.test]), axis=2)
    row = int(np.sort(gaps, axis=1)[:, 1].argmax())
    hover(page, PLACE, ["train", row])
    told = page.locator(".if-map .if-cells")
    told.get_by_text("asked about").first.wait_for()
    scores = analysis.scores([4])[:, 0]
    order = np.argsort(-scores, kind="stable")
    first = analysis.problem.columns[decisive(analysis, [4], [*order[:6].tolist(), *order[-6:].tolist()])[0]]
    mine, asked = (
        float(first.codes(analysis.problem.split.scaling.invert(x[None]))[0])
        for x in (analysis.problem.split.train.x[row], analysis.problem.split.test.x[4])
    )
    found = re.fullmatch(r"(.+): ([\d.e−-]+) \(asked about: ([\d.e−-]+)\)", told.locator("div").first.inner_text())
    assert found is not None and found[1] == first.name
    shown = [float(found[k].replace("−", "-")) for k in (2, 3)]
    assert shown == pytest.approx([mine, asked], rel=1e-3)
    no_trouble(page)


def test_the_files_of_a_chart_are_behind_one_icon_that_the_keyboard_opens(page: Any, app: str) -> None:
    explore(page, app, ROWS)
    icon = page.get_by_role("button", name="Table, CSV, PNG and SVG")
    icon.first.scroll_into_view_if_needed()
    rest(page)
    box = icon.first.bounding_box()
    assert box["width"] <= 60  # its words are for screen readers
    icon.first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Download CSV").wait_for()
    page.get_by_role("button", name="Download PNG").wait_for()
    with page.expect_download() as file:
        page.get_by_role("button", name="Download CSV").click()
    head = file.value.path().read_text(encoding="utf-8").splitlines()[0]
    assert "made of: l2" in head and "made of: asked about" in head
    no_trouble(page)
