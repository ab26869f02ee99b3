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


def test_a_table_is_explored_after_one_click_and_its_markup_is_text(page: Any, app: str) -> None:
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


PAIRS = list(enumerate(np.random.default_rng(1).normal(size=(60, 2)).round(2).tolist()))


def german(value: float) -> str:
    return str(value).replace(".", ",")


PAGES = {
    "german.csv": (
        "Datum;Wert;Menge;Klasse\n" + "".join(
            f"{k % 28 + 1:02d}.03.2024;{german(a)};{german(b)};{'ja' if a > b else 'nein'}\n" for k, (a, b) in PAIRS
        ),
        ["'Wert', 'Menge': numbers with a decimal comma.", "'Datum': dates, day first.", "'Datum' is left out"],
    ),
    "gaps.csv": (
        "hp,zip,label\n" + "".join(
            f"{'?' if k == 3 else k},{('01730', '90210')[k % 2]},{'u' if a > b else 'v'}\n" for k, (a, b) in PAIRS
        ),
        ["'hp': '?' counts as missing (in row 4).", "codes with leading zeros", "1 missing number in hp"],
    ),
    "countries.csv": (
        ",x,z,country\n" + "".join(f"{59 - k},{a},{b},{('NA', 'ZA', 'BW')[k % 3]}\n" for k, (a, b) in PAIRS),
        ["BW: 20, NA: 20, ZA: 20"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_tables_as_people_write_them_are_understood_said_and_explored(page: Any, app: str, name: str) -> None:
    content, words = PAGES[name]
    choose(page, app, name, content.encode())
    for sentence in words:
        page.get_by_text(sentence).first.wait_for()
    use_and_explore(page)
    assert drawn(page) == 54
    unharmed(page)


def test_a_column_is_read_another_way_and_another_target_is_one_click(page: Any, app: str) -> None:
    rows = "".join(f'"{k % 9 + 1},{500 + k}",{"uv"[k % 2]},{"st"[k % 2]}\n' for k in range(60))
    content = f"amount,kind,label\n{rows}"
    choose(page, app, "mine.csv", content.encode())
    page.get_by_text("both decimal marks fit").first.wait_for()
    page.get_by_role("combobox", name="Read a column another way").click()
    page.get_by_role("option", name="amount").click()
    page.get_by_role("combobox", name="Its cells are").click()
    page.get_by_role("option", name="Numbers with a decimal comma").click()
    page.get_by_text("'amount': numbers with a decimal comma.").first.wait_for()
    rest(page)
    push(page, page.get_by_role("button", name="kind", exact=True))
    page.get_by_role("button", name="label", exact=True).wait_for()
    use_and_explore(page)
    assert drawn(page) == 54
    unharmed(page)


def test_a_file_is_read_in_another_encoding_and_from_another_line(page: Any, app: str) -> None:
    rows = "".join(f"{a};{b};{('Łódź', 'Gdańsk')[k % 2]}\n" for k, (a, b) in PAIRS)
    choose(page, app, "mine.csv", f"x;y;miasto\nm;m;gdzie\n{rows}".encode("cp1250"))
    page.get_by_text("was read as Windows-1252").first.wait_for()
    rest(page)
    page.get_by_role("combobox", name="Read as").click()
    page.get_by_role("option", name="Windows-1250").click()
    page.get_by_text("read as Windows-1250 (Central Europe), as was chosen").first.wait_for()
    rest(page)
    line = page.get_by_role("spinbutton", name="Table begins in line")
    line.fill("2")
    line.press("Enter")
    page.get_by_text("1 line above the column names in line 2 was left out: 'x;y;miasto'.").first.wait_for()
    page.get_by_text("Gdańsk: 30, Łódź: 30").first.wait_for()
    rest(page)
    use_and_explore(page)
    assert drawn(page) == 54
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
