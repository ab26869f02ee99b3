"""The map, the gallery and the strip in a real browser."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
DEMO = Path(__file__).parent / "demo_components.py"
PLACE = """([side, index]) => {
  const plot = document.querySelector('.js-plotly-plot'), { xaxis, yaxis } = plot._fullLayout;
  const { scene } = document.querySelector('.if-map').state, box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(scene[side + '_x'][index]),
    box.top + yaxis._offset + yaxis.l2p(scene[side + '_y'][index])];
}"""
TRACES = """() => document.querySelector('.js-plotly-plot')._fullData.map((t) => ({ name: t.name, meta: t.meta,
  ids: Array.from(t.customdata ?? []), colour: Array.isArray(t.marker?.color) || ArrayBuffer.isView(t.marker?.color)
    ? Array.from(t.marker.color) : t.marker?.color, size: t.marker?.size?.length ? Array.from(t.marker.size) : null,
  count: t.x?.length ?? 0 }))"""
LAYOUT = "() => document.querySelector('.js-plotly-plot')._fullLayout"
RANGES = f"() => [({LAYOUT})().xaxis.range, ({LAYOUT})().yaxis.range]"
READY = "() => document.querySelector('.js-plotly-plot')?._fullData?.length > 0"
SHOWS = "(wanted) => document.querySelector('.js-plotly-plot').layout.meta.test === wanted"


@pytest.fixture(scope="session")
def address(serve: Any) -> str:
    return serve(DEMO)


def visit(page: Any, address: str, query: str = "n=300") -> None:
    page.goto(f"{address}/?{query}")
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(500)


def click(page: Any, side: str, index: int) -> None:
    x, y = page.evaluate(PLACE, [side, index])
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.wait_for_timeout(200)  # Plotly clicks what it has hovered
    page.mouse.click(x, y)


def pick(page: Any, index: int) -> None:
    click(page, "test", index)
    page.wait_for_function(SHOWS, arg=index)


def trained(page: Any) -> list[dict[str, Any]]:
    return [trace for trace in page.evaluate(TRACES) if trace["meta"] == "train"]


def test_click_recolours_and_keeps_the_zoom(page: Any, address: str) -> None:
    visit(page, address)
    assert not any(isinstance(trace["colour"], list) for trace in trained(page))
    pick(page, 3)
    page.get_by_text("selected=3").wait_for()
    first = trained(page)
    assert sorted(i for trace in first for i in trace["ids"]) == list(range(300))
    whole = page.evaluate(RANGES)
    page.mouse.move(*page.evaluate(PLACE, ["test", 0]))
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"(whole) => JSON.stringify(({RANGES})()) !== JSON.stringify(whole)", arg=whole)
    page.wait_for_timeout(400)
    zoomed = page.evaluate(RANGES)
    assert zoomed[0][1] - zoomed[0][0] < 0.95 * (whole[0][1] - whole[0][0])
    pick(page, 0)
    second = trained(page)
    assert {trace["name"] for trace in first} == {trace["name"] for trace in second}
    by_id = [
        dict(pair for t in traces for pair in zip(t["ids"], t["colour"], strict=True)) for traces in (first, second)
    ]
    assert by_id[0] != by_id[1]
    assert page.evaluate(RANGES) == zoomed


def test_stronger_points_lie_on_top(page: Any, address: str) -> None:
    visit(page, address)
    pick(page, 3)
    traces = trained(page)
    for trace in traces:
        magnitude = [abs(colour) for colour in trace["colour"]]
        assert magnitude == sorted(magnitude)
    weak, strong = traces[:2], traces[2:]
    assert max(abs(c) for t in weak for c in t["colour"]) <= min(abs(c) for t in strong for c in t["colour"])


def test_a_training_point_under_strong_ones_is_still_itself(page: Any, address: str) -> None:
    visit(page, address)
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


def test_flipped_labels_have_a_ring_with_gaps(page: Any, address: str) -> None:
    visit(page, address)
    flipped = page.evaluate("() => document.querySelector('.if-map').state.scene.flipped.length")
    rings = [trace for trace in page.evaluate(TRACES) if trace["name"] in {"label flipped on purpose", "gaps"}]
    assert flipped > 0 and [trace["count"] for trace in rings] == [flipped, flipped]


def test_names_are_text_and_not_markup(page: Any, address: str) -> None:
    visit(page, address)
    assert page.locator(".legend").get_by_text("<b>class</b> 0").count() == 1
    x, y = page.evaluate(PLACE, ["test", 5])
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    tip = page.locator(".if-tip")
    tip.wait_for(state="visible")
    assert "<i>label</i>" in tip.inner_text() or "train-" in tip.inner_text()
    assert tip.locator("i, b").count() == 0


@pytest.mark.parametrize(
    ("query", "neutral"), [("n=300", "#F7F7F7"), ("n=300&embed_options=dark_theme&embed=true", "#3A3F4B")]
)
def test_neutral_follows_the_theme(page: Any, address: str, query: str, neutral: str) -> None:
    visit(page, address, query)
    pick(page, 3)
    scale = page.evaluate(f"({LAYOUT})().coloraxis.colorscale")
    assert [colour for _, colour in scale] == ["#D55E00", neutral, "#0072B2"]
    assert page.evaluate(f"({LAYOUT})().coloraxis.colorbar.title.text").startswith("← harmful | helpful →")


def test_gallery_click_and_keyboard_select(page: Any, address: str) -> None:
    visit(page, address)
    tiles = page.locator(".if-gallery button")
    assert tiles.count() == 40
    tiles.nth(7).click()
    page.get_by_text("selected=7").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_text("selected=8").wait_for()
    page.wait_for_function(SHOWS, arg=8)
    assert tiles.nth(8).get_attribute("aria-pressed") == "true"
    assert tiles.nth(7).get_attribute("aria-pressed") == "false"
    assert tiles.nth(10).get_attribute("aria-label").endswith(", misclassified")
    assert tiles.evaluate_all("(all) => all.filter((tile) => tile.tabIndex === 0).length") == 1


def test_gallery_follows_the_map(page: Any, address: str) -> None:
    visit(page, address)
    pick(page, 3)
    page.locator('.if-gallery button[aria-pressed="true"]').wait_for()
    assert page.locator(".if-gallery button").nth(3).get_attribute("aria-pressed") == "true"


def test_strip_selects_a_training_point(page: Any, address: str) -> None:
    visit(page, address)
    pick(page, 3)
    cards = page.locator(".if-strip .side").first.locator("button")
    cards.first.wait_for()
    scores = cards.locator(".score").all_inner_texts()
    assert len(scores) == 8 and all(text.startswith("+") for text in scores)
    label = cards.first.get_attribute("aria-label")
    cards.first.click()
    index = label.split(" ")[0].removeprefix("train-")
    page.get_by_text(f"last=train {index} ").wait_for()
    page.locator('.if-strip button[aria-pressed="true"]').wait_for()


def test_a_missing_library_is_said_in_words(page: Any, address: str) -> None:
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.goto(f"{address}/?n=300")
    page.locator(".if-error").get_by_text("could not be loaded").wait_for()


def test_map_is_a_named_picture(page: Any, address: str) -> None:
    visit(page, address)
    assert page.get_by_role("group", name="Map of training and test points").count() == 1


def test_boundary_and_field_are_drawn_once_and_not_hovered(page: Any, address: str) -> None:
    visit(page, address, "n=300&field=1")
    lines = page.evaluate("""() => document.querySelector('.js-plotly-plot')._fullData
      .filter((t) => t.mode === 'lines').map((t) => [t.name, t.hoverinfo, t.line.dash])""")
    assert [(hover, dash) for _, hover, dash in lines] == [("skip", "solid"), ("skip", "dash")]
    source = "() => document.querySelector('.js-plotly-plot').layout.images[0].source"
    before = page.evaluate(source)
    pick(page, 3)
    assert page.evaluate(source) == before


def test_map_follows_a_change_of_theme(page: Any, address: str) -> None:
    visit(page, address)
    pick(page, 3)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => ({LAYOUT})().coloraxis.colorscale[1][1] === '#3A3F4B'")


def test_map_leaves_and_comes_back(page: Any, address: str) -> None:
    visit(page, address)
    for _ in range(3):
        page.get_by_text("Show", exact=True).click()
        page.locator(".js-plotly-plot").wait_for(state="detached")
        assert page.evaluate("window.influenceStore.size") == 0
        page.get_by_text("Show", exact=True).click()
        page.wait_for_function(READY)
    pick(page, 3)


def test_map_fills_a_width_that_changes(page: Any, address: str) -> None:
    visit(page, address)
    page.evaluate("() => (document.querySelector('.if-map').style.width = '600px')")
    page.wait_for_function(f"() => ({LAYOUT})().width === 600")
