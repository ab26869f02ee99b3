"""The map, the gallery and the strip in a real browser."""

import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.browser.helpers import MAP, PLACE, READY, TRACES, click, frame, hover, push, rest, tool, trained, visit, zoom

pytestmark = pytest.mark.browser
LAYOUT = f"() => {MAP}._fullLayout"
RANGES = f"() => [({LAYOUT})().xaxis.range, ({LAYOUT})().yaxis.range]"
MODES = f"({LAYOUT})().dragmode"
PARKED = """async () => {
  const { name } = performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/shared/wire.js'));
  return (await import(name)).store.size;
}"""
SHOWS = f"(wanted) => {MAP}.layout.meta.test === wanted"


def pick(page: Any, index: int) -> None:
    click(page, "test", index)
    page.wait_for_function(SHOWS, arg=index)


def test_click_recolours_and_keeps_the_zoom(page: Any, demo: str) -> None:
    visit(page, demo)
    assert not any(isinstance(trace["colour"], list) for trace in trained(page))
    pick(page, 3)
    page.get_by_text("selected=3").wait_for()
    first = trained(page)
    assert sorted(i for trace in first for i in trace["ids"]) == list(range(300))
    whole = page.evaluate(RANGES)
    rest(page)
    page.mouse.move(*page.evaluate(PLACE, ["test", 0]))
    zoomed = zoom(page, RANGES, -300)
    assert zoomed[0][1] - zoomed[0][0] < 0.95 * (whole[0][1] - whole[0][0])
    pick(page, 0)
    second = trained(page)
    assert {trace["name"] for trace in first} == {trace["name"] for trace in second}
    by_id = [
        dict(pair for t in traces for pair in zip(t["ids"], t["colour"], strict=True)) for traces in (first, second)
    ]
    assert by_id[0] != by_id[1]
    assert page.evaluate(RANGES) == zoomed


def test_stronger_points_lie_on_top(page: Any, demo: str) -> None:
    visit(page, demo)
    pick(page, 3)
    traces = trained(page)
    for trace in traces:
        magnitude = [abs(colour) for colour in trace["colour"]]
        assert magnitude == sorted(magnitude)
    weak, strong = traces[:2], traces[2:]
    assert max(abs(c) for t in weak for c in t["colour"]) <= min(abs(c) for t in strong for c in t["colour"])


def test_a_training_point_under_strong_ones_is_still_itself(page: Any, demo: str) -> None:
    visit(page, demo)
    pick(page, 3)
    far = page.evaluate("""() => {
      const { scene } = document.querySelector('.if-map').state, best = { gap: 0 };
      scene.train_x.forEach((x, i) => {
        let gap = Infinity;
        for (const side of ['train', 'test']) scene[side + '_x'].forEach((u, k) => {
          const away = Math.hypot(u - x, scene[side + '_y'][k] - scene.train_y[i]);
          if (side === 'test' || k !== i) gap = Math.min(gap, away);
        });
        if (gap > best.gap) Object.assign(best, { gap, i });
      });
      return best.i;
    }""")
    click(page, "train", far)
    page.get_by_text(f"train {far} selected=3").wait_for()
    (ring,) = [trace for trace in page.evaluate(TRACES) if trace["name"] == "selected training point"]
    assert ring["count"] == 1
    assert page.locator(".if-tip .if-label").inner_text().startswith(f"train-{far} ·")


def test_flipped_labels_have_a_ring_with_gaps(page: Any, demo: str) -> None:
    visit(page, demo)
    flipped = page.evaluate("() => document.querySelector('.if-map').state.scene.flipped.length")
    rings = [trace for trace in page.evaluate(TRACES) if trace["name"] in {"label flipped on purpose", "gaps"}]
    assert flipped > 0 and [trace["count"] for trace in rings] == [flipped, flipped]


def test_names_are_text_and_not_markup(page: Any, demo: str) -> None:
    visit(page, demo)
    assert page.locator(".legend").get_by_text("<b>class</b> 0").count() == 1
    hover(page, PLACE, ["test", 5])
    tip = page.locator(".if-tip")
    tip.wait_for(state="visible")
    assert "<i>label</i>" in tip.inner_text() or "train-" in tip.inner_text()
    assert tip.locator("i, b").count() == 0


@pytest.mark.parametrize(
    ("query", "neutral"), [("n=300", "#F7F7F7"), ("n=300&embed_options=dark_theme&embed=true", "#3A3F4B")]
)
def test_neutral_follows_the_theme(page: Any, demo: str, query: str, neutral: str) -> None:
    visit(page, demo, query)
    pick(page, 3)
    scale = page.evaluate(f"({LAYOUT})().coloraxis.colorscale")
    assert [colour for _, colour in scale] == ["#D55E00", neutral, "#0072B2"]
    assert page.evaluate(f"({LAYOUT})().coloraxis.colorbar.title.text").startswith("← harmful | helpful →")


def test_gallery_click_and_keyboard_select(page: Any, demo: str) -> None:
    visit(page, demo)
    tiles = page.locator(".if-gallery button")
    assert tiles.count() == 40
    push(page, tiles.nth(7))
    page.get_by_text("selected=7").wait_for()
    rest(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_text("selected=8").wait_for()
    page.wait_for_function(SHOWS, arg=8)
    rest(page)
    assert tiles.nth(8).get_attribute("aria-pressed") == "true"
    assert tiles.nth(7).get_attribute("aria-pressed") == "false"
    assert tiles.nth(10).get_attribute("aria-label").endswith(", misclassified")
    assert tiles.evaluate_all("(all) => all.filter((tile) => tile.tabIndex === 0).length") == 1


def test_gallery_follows_the_map(page: Any, demo: str) -> None:
    visit(page, demo)
    pick(page, 3)
    page.locator('.if-gallery button[aria-pressed="true"]').wait_for()
    assert page.locator(".if-gallery button").nth(3).get_attribute("aria-pressed") == "true"


def test_strip_selects_a_training_point(page: Any, demo: str) -> None:
    visit(page, demo)
    pick(page, 3)
    cards = page.locator(".if-strip .side").first.locator("button")
    cards.first.wait_for()
    rest(page)
    scores = cards.locator(".score").all_inner_texts()
    assert len(scores) == 8 and all(text.startswith("+") for text in scores)
    label = cards.first.get_attribute("aria-label")
    push(page, cards.first)
    index = label.split(" ")[0].removeprefix("train-")
    page.get_by_text(f"last=train {index} ").wait_for()
    page.locator('.if-strip button[aria-pressed="true"]').wait_for()


def test_a_missing_library_is_said_in_words(page: Any, demo: str) -> None:
    page.route("**/plotly-*.min.js", lambda route: route.abort())
    page.goto(f"{demo}/?n=300")
    page.locator(".if-error").get_by_text("could not be loaded").wait_for()


def test_map_is_a_named_picture(page: Any, demo: str) -> None:
    visit(page, demo)
    assert page.get_by_role("group", name="Map of training and test points").count() == 1


def test_boundary_and_field_are_drawn_once_and_not_hovered(page: Any, demo: str) -> None:
    visit(page, demo, "n=300&field=1")
    lines = page.evaluate("""() => document.querySelector('.js-plotly-plot')._fullData
      .filter((t) => t.mode === 'lines').map((t) => [t.name, t.hoverinfo, t.line.dash])""")
    assert [line[1:] for line in lines] == [["skip", "solid"], ["skip", "dash"]]
    source = "() => document.querySelector('.js-plotly-plot').layout.images[0].source"
    before = page.evaluate(source)
    pick(page, 3)
    assert page.evaluate(source) == before


def test_map_follows_a_change_of_theme(page: Any, demo: str) -> None:
    visit(page, demo)
    pick(page, 3)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => ({LAYOUT})().coloraxis.colorscale[1][1] === '#3A3F4B'")


def test_map_leaves_and_comes_back(page: Any, demo: str) -> None:
    visit(page, demo)
    for _ in range(3):
        push(page, page.get_by_text("Show", exact=True))
        page.locator(".js-plotly-plot").wait_for(state="detached")
        page.wait_for_function(f"async () => (await ({PARKED})()) === 0")
        push(page, page.get_by_text("Show", exact=True))
        page.wait_for_function(READY)
    pick(page, 3)


def test_map_fills_a_width_that_changes(page: Any, demo: str) -> None:
    visit(page, demo)
    page.evaluate("() => (document.querySelector('.if-map').style.width = '600px')")
    page.wait_for_function(f"() => ({LAYOUT})().width === 600")


@pytest.mark.parametrize(("name", "steps"), [("Lasso Select", True), ("Box Select", False)])
def test_a_lasso_sends_exactly_the_points_inside_and_leaves_no_trace(
    page: Any, demo: str, name: str, steps: bool
) -> None:
    visit(page, demo)
    pick(page, 3)
    ranges = zoom(page, RANGES, -200)
    tool(page, name)
    train, test = frame(page, (0.2, 0.25), (0.62, 0.8), steps)
    assert 5 < len(train) < 295 and 0 < len(test) < 40
    page.get_by_text(f"group={train} tests={test}").wait_for()
    page.wait_for_function("(n) => document.querySelector('.if-map').state.message.group.length === n", arg=len(train))
    rings = {trace["name"]: trace["count"] for trace in page.evaluate(TRACES)}
    assert rings["group that leaves"] == len(train) and rings["test points asked about"] == len(test)
    assert page.locator(".selectionlayer path").count() == 0
    assert page.evaluate(RANGES) == ranges
    assert page.evaluate(MODES) == ("lasso" if steps else "select")
    chosen = "() => document.querySelector('.js-plotly-plot')._fullData.filter((t) => t.selectedpoints).length"
    assert page.evaluate(chosen) == 0


def test_an_empty_lasso_asks_nothing(page: Any, demo: str) -> None:
    visit(page, demo)
    tool(page, "Box Select")
    assert frame(page, (0.001, 0.001), (0.02, 0.02)) == [[], []]
    rest(page)
    assert page.get_by_text("group=[] tests=[]").count() == 1
    assert page.locator(".selectionlayer path").count() == 0


def test_the_boundary_after_a_refit_is_solid_and_the_one_before_dashed(page: Any, demo: str) -> None:
    visit(page, demo, "n=300&field=1")
    tool(page, "Box Select")
    frame(page, (0.3, 0.3), (0.5, 0.6))
    page.wait_for_function("() => document.querySelector('.if-map').state.message.after_x?.length > 0")
    lines = page.evaluate("""() => Object.fromEntries(document.querySelector('.js-plotly-plot')._fullData
      .filter((t) => t.mode === 'lines' && t.visible).map((t) => [t.name, t.line.dash]))""")
    assert lines == {"boundary before": "dash", "boundary after the refit": "solid", "optimal boundary": "dash"}
    legend = page.locator(".legend").text_content()
    assert "boundary before" in legend and "boundary after the refit" in legend and "p = 0.5" not in legend


def test_the_reverse_question_colours_test_points_and_fades_training_points(page: Any, demo: str) -> None:
    visit(page, demo, "n=300&reverse=1")
    click(page, "train", 50)
    page.wait_for_function("() => document.querySelector('.if-map').state.message.scores?.length === 40")
    traces = page.evaluate(TRACES)
    (tests,) = [trace for trace in traces if trace["meta"] == "test"]
    magnitude = [abs(colour) for colour in tests["colour"]]
    assert sorted(tests["ids"]) == list(range(40)) and magnitude == sorted(magnitude) and max(magnitude) > 0.9
    assert all(trace["colour"] == "#C3C7CE" for trace in traces if trace["meta"] == "train" and trace["count"])
    names = [trace["name"] for trace in traces]
    assert names.index("test point (coloured)") > max(k for k, t in enumerate(traces) if t["meta"] == "train")
    hover(page, PLACE, ["test", tests["ids"][-1]])
    page.locator(".if-tip .if-score").get_by_text(re.compile(r"[+−]0\.\d+ nats · (helpful|harmful)")).wait_for()


@pytest.mark.parametrize("n", [300, 3000])
def test_the_map_is_a_png_and_an_svg_file(page: Any, demo: str, n: int) -> None:
    visit(page, demo, f"n={n}")
    pick(page, 3)
    width, height = page.evaluate(
        "() => { const p = document.querySelector('.js-plotly-plot'); return [p.clientWidth, p.layout.height]; }"
    )
    with page.expect_download() as png:
        tool(page, "Download as PNG")
    content = png.value.path().read_bytes()
    assert png.value.suggested_filename == "demo-map.png" and content.startswith(b"\x89PNG\r\n")
    drawn = struct.unpack(">II", content[16:24])
    assert drawn[0] == 2 * width and drawn[1] > 2 * height
    with page.expect_download() as svg:
        tool(page, "Download as SVG")
    root = ET.parse(svg.value.path()).getroot()
    said = "".join(root.itertext())
    assert root.tag.endswith("svg")
    for words in ("Who moved the <i>boundary</i>?", "first component", "← harmful | helpful →", "<b>class</b> 1"):
        assert words in said
    marks = len(root.findall(".//{*}g[@class='points']/{*}path"))
    assert marks > n if n <= 2000 else marks == 0  # more are a picture inside the file
    assert page.evaluate("() => document.querySelectorAll('.js-plotly-plot').length") == 1


def test_no_button_sends_the_chart_elsewhere(page: Any, demo: str) -> None:
    visit(page, demo)
    titles = page.locator(".modebar-btn").evaluate_all("(all) => all.map((b) => b.dataset.title)")
    assert "Share chart..." not in titles and "Lasso Select" in titles
