"""From a click on another test point to the last thing painted, on Explore: texts beside pictures, on one server.

``texts.py`` calls it.  Both sets are uploads of equal size; a training and a test example are shown beside the map.
Clicks on the two pages take turns.
"""

from __future__ import annotations

import io
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from influence_core.data import load_table, uploads
from influence_core.settings import DataSettings
from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.helpers import APP, COLOURED, PLACE, ROOT, healthy, hover, profile, rest

QUIET = 700  # ms without any change after which the page is painted
# Milliseconds from the mouse button to the frame after the last change, and how long it has been quiet since.
ARM = """() => {
  let start = null, last = 0;
  const frame = () => requestAnimationFrame(() => requestAnimationFrame(() => (last = performance.now())));
  document.addEventListener('mousedown', () => (last = start = performance.now()), { capture: true, once: true });
  const watch = new MutationObserver(frame), what = { subtree: true, childList: true, attributes: true };
  const look = (root) => {
    watch.observe(root, { ...what, characterData: true });
    root.querySelectorAll('*').forEach((one) => one.shadowRoot && look(one.shadowRoot));
  };
  look(document.body);
  document.querySelectorAll('.js-plotly-plot').forEach((plot) => plot.on?.('plotly_afterplot', frame));
  window.painted = () => start === null ? null : [last - start, performance.now() - last];
  window.unwatch = () => watch.disconnect();
}"""
ASKED = "() => document.querySelector('.if-map')?.state?.message?.selected_test"
STILL = """([old, quiet]) => document.querySelector('.if-map')?.state?.message?.selected_test !== old
  && document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'notRunning'
  && window.painted()?.[1] > quiet"""


def kept(name: str, content: bytes) -> str:
    """A file as uploaded data with the guessed mapping.

    Returns:
        Its name in links.
    """
    raw = uploads.read_upload(name, content)
    columns = uploads.describe_columns(raw)
    return uploads.upload_store().save(uploads.build(raw, uploads.guess_mapping(raw, columns)))


def pictures(n: int) -> bytes:
    """n digits, ones and sevens, each a bundled one with noise, as NPZ."""
    found = load_table(DataSettings("mnist", (("size", 1_000),)), 0).dataset
    random = np.random.default_rng(0)
    rows = random.integers(0, len(found), n)
    x = np.clip(found.x[rows] * 255 / found.x.max() + random.normal(0, 8, (n, found.x.shape[1])), 0, 255).round()
    side = int(x.shape[1] ** 0.5)
    buffer = io.BytesIO()
    np.savez(buffer, x=x, y=found.y[rows], images=x.reshape(n, side, side).astype(np.uint8))
    return buffer.getvalue()


@contextmanager
def server() -> Generator[str, None, None]:
    """The app on a free port.

    Yields:
        Host and port.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "streamlit", "run", str(APP), f"--server.port={address.split(':')[1]}"]
    more = ["--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    process = subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        while not healthy(address) and process.poll() is None:
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def clicked(page: Any, test: int) -> float:
    """Click a test point of the map and wait until nothing changes any more, milliseconds to the last change."""
    before = page.evaluate(ASKED)
    place = hover(page, PLACE, ["test", test])
    page.evaluate(ARM)
    page.mouse.click(*place)
    page.wait_for_function(STILL, arg=[before, QUIET])
    taken = float(page.evaluate("window.painted()[0]"))
    page.evaluate("window.unwatch()")
    return taken


def painted(texts: np.ndarray, y: np.ndarray, clicks: int = 10) -> None:
    """Prints the median click of both pages and their ratio; two clicks each before it do not count."""
    from playwright.sync_api import sync_playwright

    table = pd.DataFrame({"text": texts, "label": np.where(y, "yes", "no")}).to_csv(index=False).encode()
    share = f"data.test_fraction={200 / len(y):.4f}&test=0&train=5"
    links = {
        "texts": f"v=1&data.name=upload&data.id={kept('texts.csv', table)}&data.words=10000&model.l2=0.001"
        f"&estimator=newton&{share}",
        "pictures": f"v=1&data.name=upload&data.id={kept('pictures.npz', pictures(len(y)))}&model.l2=0.1&{share}",
    }
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        pages, times = {}, dict[str, list[float]]()
        for name, link in links.items():
            pages[name] = profile(browser).new_page()
            pages[name].goto(f"http://{address}/Explore?{link}")
            pages[name].wait_for_function(COLOURED)
            rest(pages[name])
        for round_ in range(clicks + 2):
            for name, page in pages.items():
                page.bring_to_front()
                times.setdefault(name, []).append(clicked(page, (17 * round_ + 5) % 180))
        browser.close()
    middle = {name: statistics.median(found[2:]) for name, found in times.items()}
    cells = ", ".join(f"{name} {middle[name]:.0f} [{min(t[2:]):.0f}-{max(t[2:]):.0f}] ms" for name, t in times.items())
    print(f"click to painted, {len(y):,} examples each, {clicks} clicks: {cells}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':4s}ratio {middle['texts'] / middle['pictures']:.2f}")
