"""Files that the browser makes of galleries, strips and the drawing board; choices that a page's link carries along."""

import csv
import io
import random
import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from influence_core.cells import neutral
from pages.components.browser.bridge import FOLDER
from tests.browser.helpers import push, rest
from tests.core.test_cells import LEFT, RUN

pytestmark = pytest.mark.browser


def saved(page: Any, at: str, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as found:
        page.locator(at).get_by_role("button", name=f"Download as {kind}").click()
    return found.value.suggested_filename, found.value.path().read_bytes()


def pixels(png: bytes) -> tuple[int, ...]:
    assert png.startswith(b"\x89PNG\r\n")
    return struct.unpack(">II", png[16:24])


def table(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode())))


def test_gallery_and_strips_are_files_with_every_tile_word_and_number(page: Any, demo: str) -> None:
    page.goto(f"{demo}/?n=300")
    page.locator(".if-gallery button.tile").nth(3).wait_for()
    push(page, page.locator(".if-gallery button.tile").nth(3))
    page.locator(".if-strip .card").first.wait_for()
    rest(page)

    name, raw = saved(page, ".st-key-gallery", "SVG")
    root = ET.fromstring(raw)
    assert name == "test-images.svg" and "Test images" in "".join(root.itertext())
    assert len(root.findall(".//{*}svg/{*}use")) == 40  # also the tiles that have been scrolled out of sight
    assert len(root.findall(".//{*}image")) == 1  # the sheet travels once
    _, raw = saved(page, ".st-key-gallery", "PNG")
    assert pixels(raw) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    rows = table(saved(page, ".st-key-gallery", "CSV")[1])
    assert rows[0] == ["number", "image", "misclassified", "made of"] and len(rows) == 41
    assert [int(row[0]) for row in rows[1:] if row[2] == "1"] == [i for i in range(40) if i % 7 == 3]

    name, raw = saved(page, ".st-key-strip", "SVG")
    said = "".join(ET.fromstring(raw).itertext())
    assert name == "strongest-points.svg" and "Harmful: removing one of these" in said
    rows = table(saved(page, ".st-key-strip", "CSV")[1])
    assert rows[0] == ["side", "point", "predicted change, nats", "made of"] and len(rows) == 17
    for side, point, change, _ in rows[1:]:
        assert point.split(" ")[0] in said  # train-7 · label 1, cut with dots where it is long
        assert (float(change) > 0) == (side == "helpful")
    assert {fill.get("fill") for fill in ET.fromstring(raw).iter()} >= {"rgb(0,114,178)", "rgb(213,94,0)"}


def test_a_drawing_is_a_file_and_a_page_link_carries_the_choices(page: Any, app: str) -> None:
    page.goto(f"{app}/Explore?v=1&data.name=drawn&model.l2=0.01&test=1")
    page.locator(".if-board .boundary").wait_for()
    rest(page)
    name, raw = saved(page, ".st-key-board", "SVG")
    root = ET.fromstring(raw)
    said = "".join(root.itertext())
    assert name == "drawing.svg"
    assert all(
        words in said for words in ("coloured by influence on the star", "harmful | helpful", "decision boundary")
    )
    rows = table(saved(page, ".st-key-board", "CSV")[1])
    trained = [row for row in rows[1:] if row[0] == "training"]
    assert len(root.findall(".//{*}path[@class='train']")) == len(trained) and all(row[4] for row in trained)
    assert not root.findall(".//{*}circle[@class='hit']")

    link = page.locator('[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]').filter(has_text="Model")
    link.hover()
    assert re.search(r"Model\?v=1&data\.name=drawn&model\.l2=0\.01&test=1$", link.get_attribute("href"))


def test_cells_of_the_browser_files_follow_the_one_rule(page: Any, demo: str) -> None:
    page.goto(f"{demo}/?n=30")
    page.locator(".if-gallery button.tile").first.wait_for(timeout=60_000)
    letters = random.Random(0)
    made = ["".join(letters.choices("'=+-@\t\n＝ab15.e\" \ufeff\u3000", k=4)) for _ in range(2000)]  # noqa: RUF001
    texts = [*RUN, *LEFT, *made]
    with page.expect_download() as found:
        page.evaluate(
            """async ([folder, rows]) => {
                const address = `./app/static/${folder}/shared/picture_files.js`;
                const { saveTable } = await import(new URL(address, document.baseURI));
                await saveTable({ rows, file: 'cells' });
            }""",
            [FOLDER, [["=text", "number"], *([text, -5] for text in texts)]],
        )
    with found.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["'=text", "number"], *([neutral(text), "-5"] for text in texts)]
