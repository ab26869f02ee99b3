"""Spreadsheets, JSON, arrays and pictures of other shapes in the real app: from the file dialogue to Explore."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_upload_browser import choose, drawn, unharmed, use_and_explore
from tests.data.workbooks import xlsx

pytestmark = pytest.mark.browser
N = 60
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 2)).round(3)
Y = np.where(X[:, 0] + RANDOM.normal(size=N) > 0, "yes", "no")
PIXELS = RANDOM.integers(0, 120, (N, 10, 10)).astype(np.uint8)
PIXELS[::2, 2:8, 2:8] += 100


def workbook() -> bytes:
    rows = [[*map(float, x), y] for x, y in zip(X, Y, strict=True)]
    return xlsx({"Read me": [["by the office"]], "Data": [["Sales of 2020"], [], ["width", "height", "label"], *rows]})


def lines() -> bytes:
    records = [{"width": x[0], "height": x[1], "label": y} for x, y in zip(X, Y.tolist(), strict=True)]
    return "\n".join(map(json.dumps, records)).encode()


def arrays() -> bytes:
    buffer = io.BytesIO()
    y = np.arange(N) % 2
    np.savez(buffer, x_train=PIXELS[:48], y_train=y[:48], x_test=PIXELS[48:], y_test=y[48:])
    return buffer.getvalue()


def pictures(path: str, kind: str = "PNG", table: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(N):
            file = io.BytesIO()
            Image.fromarray(PIXELS[k]).save(file, kind)
            part = "train" if k < 48 else "test"
            archive.writestr(path.format(part=part, word=["cat", "dog"][k % 2], k=k), file.getvalue())
        if table:
            archive.writestr("labels.csv", table)
    return buffer.getvalue()


def labels() -> str:
    return "file,label\n" + "".join(f"{k}.png,{['cat', 'dog'][k % 2]}\n" for k in range(N))


@pytest.mark.parametrize(("name", "content", "said", "points"), [
    ("sales.csv", workbook, "Sheet 'Data' was read; not read: 'Read me'.", 54),
    ("sales.jsonl", lines, "60 rows, 3 columns", 54),
    ("mnist.npz", arrays, "Arrays used: x_train, y_train, x_test, y_test.", 48),
    ("pets.zip", lambda: pictures("{part}\\{word}\\{k}.tif", "TIFF"), "Folders fix the split: 48 train, 12 test.", 48),
    ("pets.zip", lambda: pictures("images/{k}.png", table=labels()), "60 pictures were joined with the rows of", 54),
])  # fmt: skip
def test_files_of_other_kinds_are_explored_after_two_clicks(
    page: Any, app: str, name: str, content: Callable[[], bytes], said: str, points: int
) -> None:
    choose(page, app, name, content())
    page.get_by_text(said).first.wait_for()
    use_and_explore(page)
    assert drawn(page) == points
    unharmed(page)


def test_the_uploader_takes_what_is_not_read_and_says_a_way_out(page: Any, app: str) -> None:
    choose(page, app, "model.pkl", b"\x80\x04N.")
    page.get_by_text("pickled files can run code").wait_for()
    assert page.get_by_role("button", name="Use these data").count() == 0
    unharmed(page)
