"""Click to repaint: the influence map against a bare recolouring scatter, on one page, with interleaved clicks.

Run ``python tests/benchmarks/click_repaint.py [points ...] [--clicks 15] [--classes 2]``.  The bare scatter holds one
training trace with a colour array and a size array, the test points and one ring, and is sent colours and sizes; it is
what any recolouring on a click costs.  Time runs from the mouse button in the page to the frame after the redraw.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
TESTS = 30
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REFERENCE_JS = """
const shared = ['wire', 'plotting'].map((name) => import(new URL(`SHARED/${name}.js`, document.baseURI)));
export default async function (component) {
  const [{ parked, unpack }, { loadPlotly }] = await Promise.all(shared);
  const host = component.parentElement.querySelector('.bare');
  const h = unpack(component.data), state = (host.state ??= { ticket: 0 });
  state.component = component;
  const ticket = ++state.ticket;
  Promise.all([loadPlotly(), parked(h.fingerprint)]).then(([P, v]) => {
    if (ticket !== state.ticket) return;
    const at = h.selected_test, none = at === null;
    const traces = [
      { type: 'scattergl', mode: 'markers', name: 'train', x: v.train_x, y: v.train_y,
        marker: { size: h.sizes ?? 5, color: h.scores ?? '#b9bec6', colorscale: 'RdBu', cmid: 0,
          showscale: !!h.scores } },
      { type: 'scattergl', mode: 'markers', name: 'test', x: v.test_x, y: v.test_y,
        marker: { size: 11, symbol: 'diamond', color: '#111' } },
      { type: 'scattergl', mode: 'markers', name: 'selected', hoverinfo: 'skip',
        x: none ? [] : [v.test_x[at]], y: none ? [] : [v.test_y[at]],
        marker: { size: 18, symbol: 'circle-open', color: '#e6007a', line: { width: 3 } } }];
    const layout = { height: h.height, uirevision: h.fingerprint, hovermode: 'closest', dragmode: 'pan',
      clickmode: 'event', margin: { l: 40, r: 10, t: 10, b: 30 }, legend: { orientation: 'h' }, meta: { test: at } };
    P.react(host, traces, layout, { responsive: true, scrollZoom: true, displaylogo: false }).then(() => {
      if (host.wired) return;
      host.wired = true;
      host.on('plotly_click', (ev) => {
        const { xaxis: X, yaxis: Y } = host._fullLayout;
        const px = X.l2p(ev.points[0].x), py = Y.l2p(ev.points[0].y);
        let best = 144, index = null;
        v.test_x.forEach((x, k) => {
          const d = (X.l2p(x) - px) ** 2 + (Y.l2p(v.test_y[k]) - py) ** 2;
          if (d < best) { best = d; index = k; }
        });
        if (index !== null) state.component.setTriggerValue('clicked', { index, nonce: Date.now() });
      });
    });
  });
}
"""
# From the click to the second frame after the redraw that shows the wanted test point.
ARM_JS = """([selector, wanted]) => new Promise((done) => {
  const plot = document.querySelector(selector);
  let start = null;
  plot.addEventListener('mousedown', () => (start = performance.now()), { capture: true, once: true });
  const drawn = () => {
    if (start === null || plot.layout.meta?.test !== wanted) return;
    plot.removeListener('plotly_afterplot', drawn);
    requestAnimationFrame(() => requestAnimationFrame(() => (window.repaint = performance.now() - start)));
  };
  window.repaint = null;
  plot.on('plotly_afterplot', drawn);
  done();
})"""
PLACE_JS = """([selector, x, y]) => {
  const plot = document.querySelector(selector), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
}"""
MAPS = {"map": ".st-key-map .js-plotly-plot", "bare scatter": ".st-key-bare .js-plotly-plot"}


def test_points() -> np.ndarray:
    """Fixed places, far enough apart that a click names one."""
    gx, gy = np.meshgrid(np.linspace(-2.5, 2.5, 6), np.linspace(-2, 2, 5))
    return np.column_stack([gx.ravel(), gy.ravel()])


def app() -> None:
    """The page with both scatters."""
    import streamlit as st

    sys.path.insert(0, str(ROOT))
    from pages.components.browser.bridge import FOLDER, ensure_static, pack
    from pages.components.browser.map import MapView, Reactions, Scene, influence_map, park
    from pages.components.charts.scale import colour_limit, marker_sizes

    st.set_page_config(layout="wide")
    ensure_static(Path(__file__).parent / "static")
    n, classes, state = int(st.query_params["n"]), int(st.query_params["classes"]), st.session_state
    bare = st.components.v2.component(
        "bare",
        html='<div class="bare"></div>\n',
        js=REFERENCE_JS.replace("SHARED", f"./app/static/{FOLDER}/shared"),
        isolate_styles=False,
    )

    @st.cache_resource
    def scene(n: int, classes: int) -> Scene:
        rng = np.random.default_rng(0)
        names, labels = tuple(f"class {k}" for k in range(classes)), [f"train-{i}" for i in range(n)]
        kinds = rng.integers(0, classes, n), rng.integers(0, classes, TESTS)
        flipped, tests = rng.random(n) < 50 / n, [f"test-{i}" for i in range(TESTS)]
        xy = rng.normal(size=(n, 2))
        return Scene(f"{n} {classes}", xy, test_points(), *kinds, names, labels, tests, flipped, ("x", "y"))

    shown = scene(n, classes)
    park(shown, "scene")

    def values(selected: int | None) -> np.ndarray | None:
        return None if selected is None else 1.5 - np.linalg.norm(shown.train_xy - shown.test_xy[selected], axis=1)

    @st.fragment
    def ours() -> None:
        selected = state.get("ours")
        scores = values(selected)
        view = MapView(selected, limit=1.0 if scores is None else colour_limit(scores), height=400)
        influence_map(shown, scores, view, Reactions(lambda _, index: state.update(ours=index)), "map")

    @st.fragment
    def reference() -> None:
        scores = values(state.get("theirs"))
        header = {"fingerprint": shown.fingerprint, "selected_test": state.get("theirs"), "height": 400}
        arrays = {} if scores is None else {"scores": scores, "sizes": marker_sizes(scores, colour_limit(scores))}

        def clicked() -> None:
            state.theirs = st.session_state.bare["clicked"]["index"]

        bare(key="bare", data=pack(header, **arrays), on_clicked_change=clicked)

    ours()
    reference()


@contextmanager
def server() -> Generator[str, None, None]:
    """This file as a Streamlit app on a free port.

    Yields:
        Its address.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", __file__, f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(
        [*command, "--server.fileWatcherType=none"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PAGE": "1"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def click(page: Any, selector: str, wanted: int) -> float:
    """Click a test point and wait for its colours.

    Returns:
        Milliseconds.
    """
    x, y = page.evaluate(PLACE_JS, [selector, *test_points()[wanted].tolist()])
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.wait_for_timeout(200)
    page.evaluate(ARM_JS, [selector, wanted])
    page.mouse.click(x, y)
    page.wait_for_function("window.repaint !== null", timeout=20_000)
    page.wait_for_timeout(150)
    return float(page.evaluate("window.repaint"))


def measure(browser: Any, url: str, clicks: int) -> dict[str, list[float]]:
    """Both scatters in turn, after three clicks each that do not count.

    Returns:
        Milliseconds by name.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(url)
    for selector in MAPS.values():
        page.wait_for_selector(f"{selector} .main-svg", timeout=60_000)
    page.wait_for_timeout(1000)
    times: dict[str, list[float]] = {name: [] for name in MAPS}
    for round_ in range(clicks + 3):
        for name, selector in MAPS.items():
            taken = click(page, selector, (7 * round_ + 3) % TESTS)
            if round_ >= 3:
                times[name].append(taken)
    page.close()
    return times


def main() -> None:
    """Measure and print the table."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", type=int, default=[2000, 20_000])
    parser.add_argument("--clicks", type=int, default=15)
    parser.add_argument("--classes", type=int, default=2)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    print(f"{'points':>7} {'map':>20} {'bare scatter':>20} {'ratio':>6}   median [min-max] ms, {options.clicks} clicks")
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for n in options.points:
            times = measure(browser, f"{url}/?n={n}&classes={options.classes}", options.clicks)
            middle = {name: statistics.median(values) for name, values in times.items()}
            cells = [f"{middle[name]:.0f} [{min(t):.0f}-{max(t):.0f}]" for name, t in times.items()]
            print(f"{n:>7} {cells[0]:>20} {cells[1]:>20} {middle['map'] / middle['bare scatter']:>6.2f}", flush=True)
        browser.close()


if __name__ == "__main__":
    app() if os.environ.get("PAGE") else main()
