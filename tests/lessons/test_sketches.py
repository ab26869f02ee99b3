"""Small pictures of the overview: one for each entry, light, and made of the numbers of its own chart."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

from pages.components.lessons import LESSONS
from pages.components.lessons.sketches import HERE, make, sketch
from pages.components.lessons.sketches.svg import HEIGHT, WIDTH, drawn
from pages.components.session import cached

SHAPES = {"path", "circle", "rect"}


@pytest.mark.parametrize("name", LESSONS)
def test_each_has_a_picture_of_plain_shapes_inside_its_frame(name: str) -> None:
    text = (HERE / f"{name}.svg").read_text(encoding="utf-8")
    shapes = list(ElementTree.fromstring(text))
    kinds = {shape.tag.removeprefix("{http://www.w3.org/2000/svg}") for shape in shapes}
    assert shapes and kinds <= SHAPES and len(text) < 20_000
    for shape in shapes:
        if "cx" in shape.attrib:
            assert 0 <= float(shape.attrib["cx"]) <= WIDTH and 0 <= float(shape.attrib["cy"]) <= HEIGHT
    assert sketch(name).startswith('<img class="if-sketch" src="data:image/svg+xml;base64,') and 'alt=""' in sketch(
        name
    )


def test_without_a_picture_there_is_none() -> None:
    assert sketch("nothing") == ""


@pytest.mark.parametrize("name", ["remove", "mismatch", "hinge", "figure-a"])
def test_a_picture_is_that_of_the_lesson_today(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Shape by shape, places to two pixels: solvers differ in the last bit."""
    monkeypatch.setattr(cached, "drawn", lambda _settings: False)
    kept = ElementTree.fromstring((HERE / f"{name}.svg").read_text(encoding="utf-8"))
    today = ElementTree.fromstring(drawn(make.chart(name)))
    assert [shape.tag for shape in kept] == [shape.tag for shape in today]
    for old, new in zip(kept, today, strict=True):
        for key in ("cx", "cy", "r"):
            assert float(old.get(key, 0)) == pytest.approx(float(new.get(key, 0)), abs=2)


def test_points_lines_and_bars_lie_where_the_numbers_say() -> None:
    figure = go.Figure([go.Scatter(x=[0, 1, 10], y=[0, np.nan, 5], mode="lines+markers", marker_color="#123456")])
    shapes = ElementTree.fromstring(drawn(figure))
    places = [(shape.get("cx"), shape.get("cy")) for shape in shapes if "cx" in shape.attrib]
    assert places == [("6", "104"), ("234", "6")]
    assert shapes[0].get("d") == "M6 104M234 6"
    bars = ElementTree.fromstring(drawn(go.Figure(go.Bar(x=["b", "a"], y=[2, -2]))))
    assert [(bar.get("y"), bar.get("height")) for bar in bars] == [("6", "49"), ("55", "49")]
