"""The LOO scatter, the linked table and the pictures of Streamlit charts in a real browser."""

import json
import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.browser.helpers import LOO, LOO_PLACE, hover, pick_row, push, rest, zoom

pytestmark = pytest.mark.browser
READY = f"() => {LOO}?._fullData?.length > 0"
TRACES = f"""() => {LOO}._fullData.map((t) => ({{ name: t.name, type: t.type, ids: Array.from(t.customdata ?? []),
  x: Array.from(t.x), y: Array.from(t.y), colour: Array.from(t.marker?.color ?? []), symbol: t.marker?.symbol }}))"""
RANGES = f"() => [{LOO}._fullLayout.xaxis.range, {LOO}._fullLayout.yaxis.range]"
# A place of the plot with no point within 30 pixels.
EMPTY = f"""() => {{
  const plot = {LOO}, {{ xaxis, yaxis }} = plot._fullLayout, {{ message }} = document.querySelector('.if-loo').state;
  const marks = Array.from(message.predicted, (x, i) => [xaxis.l2p(x), yaxis.l2p(message.measured[i])]);
  const box = plot.getBoundingClientRect();
  // From the corner that lies across from the legend's.
  for (let x = xaxis._length - 30; x > 30; x -= 10) for (let y = yaxis._length - 30; y > 30; y -= 10)
    if (marks.every(([u, v]) => !(Math.hypot(u - x, v - y) < 30)))
      return [box.left + xaxis._offset + x, box.top + yaxis._offset + y];
}}"""


def visit(page: Any, demo: str, query: str = "n=300&loo=1") -> None:
    page.goto(f"{demo}/?{query}")
    page.wait_for_function(READY)
    page.locator(".if-loo").scroll_into_view_if_needed()
    rest(page)


def loudest(page: Any, place: int = 0) -> int:
    """One of the strongest points: they lie apart."""
    return page.evaluate("(k) => document.querySelector('.if-loo').state.message.top[k]", place)


def test_the_scatter_shows_every_measured_point_once_in_its_colour(page: Any, demo: str) -> None:
    visit(page, demo)
    line, rest, top = page.evaluate(TRACES)[:3]
    assert line["name"] == "predicted = measured" and line["x"] == line["y"] != []
    assert sorted(rest["ids"] + top["ids"]) == [i for i in range(300) if i % 50]
    assert len(top["ids"]) == 20 and top["symbol"] == "diamond" and re.search(r"r = [01]\.\d{3}", top["name"])
    assert min(map(abs, top["x"])) >= max(map(abs, rest["x"]))
    for trace in (rest, top):
        assert trace["colour"] == [float(x >= 0) for x in trace["x"]]
    assert page.evaluate(RANGES)[0] == page.evaluate(RANGES)[1]
    alt = page.locator(".if-loo").get_attribute("aria-label")
    assert "294 points" in alt and rest["name"] in alt


def test_a_click_selects_a_training_point_everywhere_and_keeps_the_zoom(page: Any, demo: str) -> None:
    visit(page, demo)
    before = page.evaluate(RANGES)
    first = loudest(page)
    second = page.evaluate(
        """(first) => { const { top, predicted: p } = document.querySelector('.if-loo').state.message;
      return Array.from(top).find((i) => i !== first && p[i] * p[first] > 0); }""",
        first,
    )  # a neighbour: still in view
    hover(page, LOO_PLACE, first)
    zoomed = zoom(page, RANGES, -200)
    assert zoomed != before
    for index in (first, second):
        page.mouse.click(*hover(page, LOO_PLACE, index))
        page.get_by_text(f"linked={index}", exact=True).wait_for()
        page.wait_for_function("(i) => document.querySelector('.if-loo').state.message.selected === i", arg=index)
        assert page.evaluate(RANGES) == zoomed
    ring = page.evaluate(TRACES)[-1]
    assert ring["name"] == "selected" and len(ring["x"]) == 1


def test_two_quick_clicks_keep_the_zoom_and_a_double_click_beside_the_points_undoes_it(page: Any, demo: str) -> None:
    visit(page, demo)
    whole = json.dumps(page.evaluate(RANGES), separators=(",", ":"))
    first = loudest(page)
    hover(page, LOO_PLACE, first)
    zoomed = zoom(page, RANGES, -200)
    page.mouse.dblclick(*hover(page, LOO_PLACE, first))
    page.get_by_text(f"linked={first}", exact=True).wait_for()
    page.wait_for_function("(i) => document.querySelector('.if-loo').state.message.selected === i", arg=first)
    assert page.evaluate(RANGES) == zoomed
    rest(page)
    empty = page.evaluate(EMPTY)
    page.mouse.move(*empty)
    page.locator(".if-loo .if-tip").wait_for(state="hidden")
    for _ in range(10):  # where the browser was busy between the two clicks, they were no double click
        page.mouse.dblclick(*empty)
        rest(page, 400)
        if page.evaluate(RANGES) != zoomed:
            break
    assert json.dumps(page.evaluate(RANGES), separators=(",", ":")) == whole


def test_hovering_shows_thumbnail_label_and_both_numbers(page: Any, demo: str) -> None:
    visit(page, demo)
    index = loudest(page)
    hover(page, LOO_PLACE, index)
    tip = page.locator(".if-loo .if-tip")
    tip.wait_for(state="visible")
    assert tip.locator(".if-label").inner_text().startswith(f"train-{index} ·")
    assert re.search(r"measured [+−]\d\S*, predicted [+−]\d", tip.inner_text())
    assert tip.locator(".if-thumb").is_visible()


def test_the_reverse_question_shows_test_points(page: Any, demo: str) -> None:
    visit(page, demo, "n=300&loo=1&reverse=1")
    _, rest, top = page.evaluate(TRACES)[:3]
    assert sorted(rest["ids"] + top["ids"]) == list(range(1, 40))
    index = loudest(page)
    hover(page, LOO_PLACE, index)
    page.locator(".if-loo .if-label").get_by_text(f"test-{index} ·").wait_for()


def test_many_points_are_painted_by_webgl(page: Any, demo: str) -> None:
    visit(page, demo, "n=2500&loo=1")
    assert {trace["type"] for trace in page.evaluate(TRACES)} == {"scattergl"}


def test_a_picked_row_is_the_selection_and_the_selection_is_a_picked_row(page: Any, demo: str) -> None:
    visit(page, demo)
    table = page.locator(".st-key-linked-table canvas").first
    row = """() => { const { message } = document.querySelector('.if-loo').state;
      return Array.from(message.predicted, (p, i) => [p, i]).sort((a, b) => a[0] - b[0])[2][1]; }"""
    third = page.evaluate(row)
    pick_row(page, table, 2)
    page.get_by_text(f"linked={third}", exact=True).wait_for()
    chosen = '.st-key-linked-table [role="row"][aria-selected="true"]'
    page.wait_for_function("(at) => document.querySelectorAll(at).length === 1", arg=chosen)
    assert f"train-{third} ·" in page.locator(chosen).text_content()
    page.locator(".if-loo").scroll_into_view_if_needed()
    other = loudest(page, 3)
    page.mouse.click(*hover(page, LOO_PLACE, other))
    page.get_by_text(f"linked={other}", exact=True).wait_for()
    page.locator(".st-key-linked-table").scroll_into_view_if_needed()
    page.wait_for_function(
        "([at, id]) => document.querySelector(at)?.textContent.includes(id)", arg=[chosen, f"train-{other} ·"]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_streamlit_chart_is_a_png_and_an_svg_file(page: Any, demo: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    visit(page, demo)
    page.locator(".st-key-wave .js-plotly-plot").wait_for()
    push(page, page.get_by_role("button", name="Table, CSV, PNG and SVG"))
    rest(page)
    with page.expect_download() as png:
        page.get_by_role("button", name="Download PNG").click()
    content = png.value.path().read_bytes()
    assert png.value.suggested_filename == "wave.png" and content.startswith(b"\x89PNG\r\n")
    if not page.get_by_role("button", name="Download SVG").is_visible():  # a menu closes after a choice
        push(page, page.get_by_role("button", name="Table, CSV, PNG and SVG"))
        rest(page)
    width = page.evaluate("() => document.querySelector('.st-key-wave .js-plotly-plot')._fullLayout.width")
    assert struct.unpack(">I", content[16:20])[0] == 2 * width
    with page.expect_download() as svg:
        page.get_by_role("button", name="Download SVG").click()
    root = ET.parse(svg.value.path()).getroot()
    said = "".join(root.itertext())
    assert all(words in said for words in ("A wave <b> comes & goes", "time, s", "height, m"))
    ground = root.find(".//{*}rect").get("style")
    assert ("rgb(255, 255, 255)" in ground) == (scheme == "light")


def test_the_scatter_is_a_file_too(page: Any, demo: str) -> None:
    visit(page, demo)
    with page.expect_download() as svg:
        push(page, page.locator('.if-loo .modebar-btn[data-title="Download as SVG"]'))
    root = ET.parse(svg.value.path()).getroot()
    said = "".join(root.itertext())
    assert svg.value.suggested_filename == "demo-loo.svg"
    assert all(words in said for words in ("Predicted change against exact", "measured by refits", "20 strongest"))
    assert len(root.findall(".//{*}g[@class='points']/{*}path")) >= 294
