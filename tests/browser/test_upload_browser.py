"""A user's own file in the real app: chosen in the file dialogue, in with one click, explored; markup stays text."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.browser.helpers import TRACES, no_trouble, push, rest

pytestmark = pytest.mark.browser
DRAWN = f"""() => {{
  const map = document.querySelector('.js-plotly-plot');
  return map?._fullData?.some((t) => t.meta === 'train') ? ({TRACES})().filter((t) => t.meta === 'train') : null;
}}"""
HTML = "<img src=x onerror=window.harmed=1>"


def choose(page: Any, app: str, name: str, content: bytes) -> None:
    page.goto(f"{app}/Data?data.name=upload")
    uploader = page.locator('[data-testid="stMain"] [data-testid="stFileUploader"]')
    uploader.wait_for()
    rest(page)
    with page.expect_file_chooser() as dialogue:
        uploader.get_by_text("Upload", exact=True).click()
    dialogue.value.set_files([{"name": name, "mimeType": "application/octet-stream", "buffer": content}])


def use_and_explore(page: Any) -> None:
    page.get_by_role("button", name="Use these data").wait_for()
    push(page, page.get_by_role("button", name="Use these data"))
    page.get_by_text("Training points n").wait_for()
    push(page, page.locator('[data-testid="stMain"]').get_by_role("link", name="Explore"))
    page.wait_for_url("**/Explore**")
    page.wait_for_function(DRAWN)
    rest(page)


def drawn(page: Any) -> int:
    """Number of training points on the map."""
    return sum(len(trace["ids"]) for trace in page.evaluate(DRAWN))


def unharmed(page: Any) -> None:
    assert page.evaluate("window.harmed") is None
    assert page.locator("img[src='x']").count() == 0
    no_trouble(page)


def test_a_table_is_explored_after_two_clicks_and_its_markup_is_text(page: Any, app: str) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(120, 2)), columns=["**size**", HTML])
    table["comment"] = [f"{HTML} {k}" for k in range(120)]
    table["label"] = np.where(table["**size**"] + random.normal(size=120) > 0, HTML, "=1+1")
    choose(page, app, "mine.csv", table.to_csv(index=False).encode())
    page.get_by_text("120 rows, 4 columns").wait_for()
    unharmed(page)
    use_and_explore(page)
    assert re.search(r"data\.name=upload", page.url) and re.search(r"data\.id=[0-9a-f]{32}", page.url)
    assert drawn(page) == 108
    unharmed(page)
    link = page.url
    page.goto("about:blank")
    page.goto(link)  # a new session, the same server
    page.wait_for_function(DRAWN)
    assert drawn(page) == 108
    unharmed(page)


def test_pictures_in_class_folders_are_explored_with_their_gallery(page: Any, app: str) -> None:
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(60):
            picture = random.integers(0, 120, (10, 10, 3)).astype(np.uint8)
            picture[2:8, 2:8, k % 2] = 250
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            archive.writestr(f"pets/{('cat', 'dog')[k % 2]}/{k}.png", file.getvalue())
    choose(page, app, "pets.zip", buffer.getvalue())
    page.get_by_text("60 pictures, in colour (RGB), as they are: 10 x 10 pixels.").wait_for()
    use_and_explore(page)
    assert page.locator(".if-gallery button.tile").count() == 6
    unharmed(page)


def test_a_damaged_file_is_one_sentence_beside_the_uploader(page: Any, app: str) -> None:
    choose(page, app, "bad.npz", b"PK\x03\x04 nothing")
    page.get_by_text("Expected a zip archive, got a damaged or cut one: pack and upload it again.").wait_for()
    assert page.get_by_role("button", name="Use these data").count() == 0
    unharmed(page)
