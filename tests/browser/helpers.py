"""What the browser tests share: waits that end when the page is at rest, and the words of maps, scatters and links."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
APP = ROOT / "app.py"
DEMO = Path(__file__).parent / "demo_components.py"
PAGES = tuple(file.stem.split("_", 1)[1] for file in sorted((ROOT / "pages").glob("[0-9]*_*.py")))
IMAGES = "v=1&data.name=digits&model.l2=0.1&test=0"  # small, and with every component that shows images
# 160 training points in the plane: small, with flipped labels, and refits that are shown unasked.
BLOBS = "v=1&data.name=blobs&data.n=200&data.test_fraction=0.2&data.flip_fraction=0.05&model.l2=0.01"
# 2,500 images of five digits: bundled, and refits long enough for what happens to a server meanwhile.
LARGE = "v=1&data.digits=0,1,2,3,4&data.size=2500&model.name=softmax&model.l2=0.1"

WINDOW = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
# When the page last asked its server for something, and when it last heard of it.
WIRE = """window.wire = { asked: 0, heard: 1 };
window.WebSocket = new Proxy(window.WebSocket, { construct(kind, given) {
  const socket = Reflect.construct(kind, given), send = socket.send.bind(socket);
  socket.send = (what) => (send(what), (window.wire.asked = performance.now()));
  socket.addEventListener('message', () => (window.wire.heard = performance.now()));
  return socket;
} });"""
# No question without an answer (a busy server begins late), no run of the script, no change of the page and nothing
# that moves (an opening expander pushes what is below it, and a press that begins on a button ends beside it) for so
# many milliseconds, in which a busy browser must have come round to it a few times.
REST = f"""(quiet) => new Promise((resolve, reject) => {{
  const start = performance.now(), app = () => document.querySelector('[data-testid="stApp"]');
  let since = start, asks = 0;
  const waits = (now) => window.wire && wire.asked > wire.heard && now - wire.asked < 10_000;
  const watch = new MutationObserver(() => (since = performance.now()));
  watch.observe(document.body, {{ subtree: true, childList: true, attributes: true, characterData: true }});
  let seen = since;
  const ask = () => {{
    const now = performance.now();
    const moving = document.getAnimations()
      .some((a) => a.playState === 'running' && a.effect?.getTiming().iterations < Infinity);
    if (moving || waits(now) || app()?.dataset.testScriptState !== 'notRunning') since = now;
    asks = since === seen ? asks + 1 : 0;
    seen = since;
    const quietly = now - since >= quiet && asks >= 5;
    if (!quietly && now - start < {1000 * PATIENCE}) return void setTimeout(ask, 20);
    watch.disconnect();
    quietly ? resolve() : reject(new Error('The page never came to rest.'));
  }};
  ask();
}})"""

MAP = "document.querySelector('.js-plotly-plot')"
READY = f"() => {MAP}?._fullData?.length > 0"
# Whichever chart comes first is the first in the document, so the map is named.
COLOURED = """() => document.querySelector('.if-map .js-plotly-plot')?._fullData?.some(
  ({ meta, marker }) => meta && marker?.color?.length > 0 && marker.color.map)"""
PLACE = f"""([side, index]) => {{
  const plot = {MAP}, scene = document.querySelector('.if-map')?.state?.scene;
  if (!plot?._fullLayout || !scene) return null; // not drawn yet
  const {{ xaxis, yaxis }} = plot._fullLayout, box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(scene[side + '_x'][index]),
    box.top + yaxis._offset + yaxis.l2p(scene[side + '_y'][index])];
}}"""
TRACES = f"""() => {MAP}._fullData.map((t) => ({{ name: t.name, meta: t.meta,
  ids: Array.from(t.customdata ?? []), colour: Array.isArray(t.marker?.color) || ArrayBuffer.isView(t.marker?.color)
    ? Array.from(t.marker.color) : t.marker?.color, size: t.marker?.size?.length ? Array.from(t.marker.size) : null,
  count: t.x?.length ?? 0 }}))"""
INSIDE = f"""([left, top, right, bottom]) => {{
  const plot = {MAP}, {{ xaxis, yaxis }} = plot._fullLayout;
  const {{ scene }} = document.querySelector('.if-map').state, box = plot.getBoundingClientRect();
  const inside = (side) => Array.from(scene[side + '_x'], (x, i) => [i, box.left + xaxis._offset + xaxis.l2p(x),
    box.top + yaxis._offset + yaxis.l2p(scene[side + '_y'][i])]).filter(([, x, y]) =>
    x > left && x < right && y > top && y < bottom).map(([i]) => i);
  return [inside('train'), inside('test')];
}}"""
LOO = "document.querySelector('.if-loo .js-plotly-plot')"
LOO_PLACE = f"""(index) => {{
  const plot = {LOO}, message = document.querySelector('.if-loo')?.state?.message;
  if (!plot?._fullLayout || !message) return null; // not drawn yet
  const {{ xaxis, yaxis }} = plot._fullLayout, box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(message.predicted[index]),
    box.top + yaxis._offset + yaxis.l2p(message.measured[index])];
}}"""
HOVERED = "() => [...document.querySelectorAll('.js-plotly-plot')].some((plot) => plot._hoverdata?.length)"
SCATTER = """(axis) => [...document.querySelectorAll('.js-plotly-plot')].map((p) => p._fullData)
  .find((d) => d.some((t) => (t.name ?? '').startsWith('predicted'))).map((t) => Array.from(t[axis]))"""


def healthy(address: str) -> bool:
    """Whether a server answers at this host, port and base path."""
    try:
        with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def profile(browser: Any, **options: Any) -> Any:
    """A browser profile that knows nothing, and in which a busy machine is no failure.  Options: of a context."""
    context = browser.new_context(**WINDOW | options)
    context.set_default_timeout(1000 * PATIENCE)
    context.add_init_script(WIRE)
    return context


def settled(page: Any) -> None:
    """Wait until no run of the script is going on; one that was just asked for may not have begun."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def rest(page: Any, quiet: int = 150) -> None:
    """Wait until the script has run and the page has followed."""
    page.evaluate(REST, quiet)


def no_trouble(page: Any) -> None:
    """No traceback and no unforeseen error."""
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.get_by_text("for a reason nobody foresaw").count() == 0


def visit(page: Any, address: str, query: str = "n=300") -> None:
    """Open the page of components with its map drawn."""
    page.goto(f"{address}/?{query}")
    page.wait_for_function(READY)
    rest(page)


def explore(page: Any, app: str, query: str = "v=1&test=0") -> None:
    """Open Explore with map and truth drawn."""
    page.goto(f"{app}/Explore?{query}")
    page.wait_for_function(READY)
    page.get_by_text(re.compile("(slope|ρ) =")).first.wait_for()
    page.wait_for_function(COLOURED)
    rest(page)


def push(page: Any, button: Any) -> None:
    """Click what lies still."""
    button.scroll_into_view_if_needed()
    rest(page)
    button.click()


def zoom(page: Any, ranges: str, turn: int) -> Any:
    """Turn the wheel over a chart with ctrl held, whose axes' ranges a script gives; return the new ones."""
    old = page.evaluate(ranges)
    page.keyboard.down("Control")
    page.mouse.wheel(0, turn)
    page.keyboard.up("Control")
    page.wait_for_function(f"(old) => JSON.stringify(({ranges})()) !== JSON.stringify(old)", arg=old)
    rest(page)
    return page.evaluate(ranges)


def more(page: Any) -> None:
    """Open what Explore keeps behind its controls: damping and the switches of the colours."""
    push(page, page.get_by_test_id("stMain").get_by_test_id("stPopoverButton").first)
    rest(page)


def pick_row(page: Any, table: Any, row: int) -> None:
    """Tick the box of a row, the first being 0, of a table that Streamlit paints."""
    table.scroll_into_view_if_needed()
    rest(page)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 35 * (row + 1) + 17)


def ask(page: Any, test: int) -> None:
    """Ask about a test point by its number, and wait for the answer."""
    page.get_by_label("Test point", exact=True).fill(str(test))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"test={test}(&|$)"))
    page.wait_for_function(f"() => document.querySelector('.if-map')?.state?.message?.selected_test === {test}")
    rest(page)


def hover(page: Any, place: str, which: Any) -> tuple[float, float]:
    """Move the mouse to a point of a chart; return where that is once the chart has seen it.

    A click is a click on what was hovered last, which Plotly looks for at most once in 50 ms.
    """
    rest(page)
    page.mouse.move(1, 1)
    page.wait_for_function(f"() => !({HOVERED})()")
    x, y = page.wait_for_function(place, arg=which).json_value()
    page.mouse.move(x, y)
    page.wait_for_function(HOVERED)
    return x, y


def click(page: Any, side: str, index: int) -> None:
    """Click a point of the map."""
    page.mouse.click(*hover(page, PLACE, [side, index]))


def tool(page: Any, name: str) -> None:
    """Choose a tool of the map's bar."""
    push(page, page.locator(f'.modebar-btn[data-title="{name}"]').first)


def frame(page: Any, corner: tuple[float, float], end: tuple[float, float], steps: bool = False) -> list[list[int]]:
    """Drag around a rectangle, given in shares of the plot; return the points that lie in it."""
    rest(page)
    box = page.locator(".nsewdrag").first.bounding_box()
    (left, top), (right, bottom) = (
        # Mouse events carry whole pixels.
        (round(box["x"] + box["width"] * u), round(box["y"] + box["height"] * v))
        for u, v in (corner, end)
    )
    path = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)] if steps else [(left, top)]
    path += [(right, bottom)] if not steps else []
    inside = page.evaluate(INSIDE, [left, top, right, bottom])
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    return inside


def trained(page: Any) -> list[dict[str, Any]]:
    """Traces of training points on the map."""
    return [trace for trace in page.evaluate(TRACES) if trace["meta"] == "train"]


def named(page: Any, name: str) -> list[dict[str, Any]]:
    """Traces of the map by the beginning of their name."""
    return [trace for trace in page.evaluate(TRACES) if (trace["name"] or "").startswith(name)]


def coloured(page: Any, side: str) -> dict[int, float]:
    """Places on the colour scale of the points of one side that have a score."""
    shown = [t for t in page.evaluate(TRACES) if t["meta"] == side and isinstance(t["colour"], list)]
    return {i: c for t in shown for i, c in zip(t["ids"], t["colour"], strict=True)}


def measured(page: Any) -> list[list[float]]:
    """y of the points of the LOO scatter, trace by trace."""
    return page.evaluate(SCATTER, "y")


def predicted(page: Any) -> list[list[float]]:
    """x of the points of the LOO scatter, trace by trace."""
    return page.evaluate(SCATTER, "x")


# What has the focus, into shadow roots: its words, and whether it lies within a selector.
FOCUSED = """(within) => {
  let at = document.activeElement;
  const near = at?.closest(within);
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  const label = at?.labels?.[0]?.innerText ?? '', whole = at === document.body || at?.dataset.testid === 'stMain';
  return [at?.getAttribute('aria-label') || label || (whole ? '' : at?.innerText) || '', !!near];
}"""


def tab_to(page: Any, words: str, within: str = "body", most: int = 300) -> None:
    """Press Tab until the focus is on an element with a line of words that begins so."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said, near = page.evaluate(FOCUSED, within)
        if near and any(line.startswith(words) for line in said.strip().splitlines() or [""]):
            return
    raise AssertionError(f"Tab never reached {words!r}.")
