"""One rule for cells that a spreadsheet would run: at every door out, and back in through every door."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from influence_core.annotations import read_csv
from influence_core.cells import as_written, neutral, restored, to_csv
from influence_core.cli.common import write_table
from influence_core.data.uploads import read_upload
from influence_core.data.uploads.vocabulary import TEXT_GAPS

ROOT = Path(__file__).parents[2]
# What JavaScript is asked as well, in the browser's tests.
RUN = [
    "=1+1", "+x", "-x", "@x", "\t1", "\r1", "\n=1", "＝1+1", "＋1", "－1", "＠x", " =1", "\u00a0=1", "\u3000@x",
    "\ufeff=1", '"=1"', "'=1", "''=1", "' =1", "-1-1", "-5\n", "\n-5", " -5", "+1_0", "-١", "=cmd|' /C calc'!A0", "--1",
    "-", "+-1", "-infinite", "-1e", "\x00=1", "\u200b=1",
]  # fmt: skip  # noqa: RUF001
LEFT = [
    "-5", "+3", "-1.5e-3", "+.5", "-2.", "-inf", "'-5", "''+3", "-Infinity", "5", "007", "1e9", "", "a=1", "a\n=1", "'",
    "''", "'a", " a", "a,b", 'a"b', "a;b", "“=1", "é", "x-1", "None", "true", "a\rb", "1-1", "(=1)",
]  # fmt: skip
ALPHABET = "'=+-@\t\r\n＝－ab15.,;e\" \ufeff\u3000"  # noqa: RUF001
TEXTS = st.one_of(st.text(ALPHABET, max_size=8), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))


def runs(cell: str) -> bool:
    """Whether a spreadsheet might run a cell, said apart from the rule."""
    bare = next((letter for letter in cell if not letter.isspace() and letter != '"'), "")
    plain = set(cell) <= set("+-.0123456789eE") or cell.lstrip("+-").lower() in {"inf", "infinity"}
    try:
        plain = plain and float(cell) is not None
    except ValueError:
        plain = False
    return cell[:1] in {"\t", "\r", "\n"} or (bare in {*"=+-@＝＋－＠"} and not plain)  # noqa: RUF001


@pytest.mark.parametrize("text", RUN)
def test_what_a_spreadsheet_runs_gets_one_apostrophe(text: str) -> None:
    assert neutral(text) == f"'{text}" and restored(f"'{text}") == text


@pytest.mark.parametrize("text", LEFT)
def test_plain_numbers_and_harmless_texts_are_left_alone(text: str) -> None:
    assert neutral(text) == text and restored(text) == text and not runs(text)


@given(TEXTS)
@settings(max_examples=1000, deadline=None)
def test_every_text_survives_and_none_is_run(text: str) -> None:
    assert not runs(neutral(text)) and restored(neutral(text)) == text
    assert neutral(text) in {text, f"'{text}"}


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def command_line(table: pd.DataFrame, out: Path) -> bytes:
    write_table(table, out)
    return out.read_bytes()


@given(st.lists(TEXTS, min_size=1, max_size=5), st.lists(st.floats(width=32) | st.integers(), min_size=5, max_size=5))
@example(["'=1", "＝1+1", "\n", "-5", " a"], [-5, float("-inf"), -1.5e-3, 3, -0.0])
@settings(max_examples=300, deadline=None)
def test_every_door_out_is_harmless_and_every_door_in_gives_the_text_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], numbers: list[float]
) -> None:
    texts = [*texts, "a word, so that the column stays one of texts"]
    numbers = [*map(float, numbers), 0.0][: len(texts)]
    table = pd.DataFrame({"=text": texts, "-number": numbers, "mixed": [*texts[1:], -5]})
    content = to_csv(table)
    assert content == command_line(table, tmp_path_factory.mktemp("out") / "table.csv")
    head, *rows = cells(content)
    assert head == ["'=text", "'-number", "mixed"] and not any(runs(cell) for row in [head, *rows] for cell in row)
    for text, number, row in zip(texts, numbers, rows, strict=True):
        assert row[0] in {text, f"'{text}"} and float(row[1] or "nan") == pytest.approx(number, nan_ok=True, rel=1e-15)
    back = read_csv(content)
    assert back["=text"].fillna("").tolist() == texts  # CSV has one word for nothing and for an empty text
    assert back["-number"].tolist() == pytest.approx(numbers, nan_ok=True, rel=1e-15)
    decisions = as_written(pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False))
    assert decisions["=text"].tolist() == texts
    if not any("\0" in text for text in texts):  # an upload is refused for these
        again = read_upload("table.csv", content).frame["=text"].fillna("").tolist()
        gaps = TEXT_GAPS | {word.lower() for word in STR_NA_VALUES}  # whether they are some, the column says
        for text, found in zip(texts, again, strict=True):
            assert found == text or (found == "" and (not text.strip() or text.strip().lower() in gaps))


def test_numbers_of_any_kind_stay_numbers() -> None:
    table = pd.DataFrame({
        "class": [-5, 3], "text": ["-5", "+3"], "mixed": [-5, "=x"], "kind": pd.Categorical([-1.5, 2.0]),
        "whole": pd.array([-1, None], dtype="Int64"), "sure": [True, False], "none": [None, "-1"],
    })  # fmt: skip
    assert cells(to_csv(table))[1:] == [
        ["-5", "-5", "-5", "-1.5", "-1", "True", ""], ["3", "+3", "'=x", "2.0", "", "False", "-1"],
    ]  # fmt: skip
    assert cells(to_csv(pd.DataFrame({"late": [pd.Timedelta(-1, "s")]})))[1] == ["'-1 days +23:59:59"]


def test_the_screen_and_the_other_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"id": ["=1", "'=1", "-5"]})
    write_table(table, None)
    assert capsys.readouterr().out == "id\n'=1\n''=1\n-5\n"
    for name, read in {"t.parquet": pd.read_parquet, "t.json": pd.read_json}.items():
        write_table(table, tmp_path / name)
        assert read(tmp_path / name)["id"].tolist() == table["id"].tolist()


def test_no_other_place_writes_csv() -> None:
    writers = re.compile(r"(?<!cells)\.to_csv\(|csv\.writer|csv\.DictWriter|text/csv'")
    found = {
        str(path.relative_to(ROOT)): len(hits)
        for folder in ("influence_core", "pages")
        for path in sorted((ROOT / folder).rglob("*.[pj]*[ys]"))
        if (hits := writers.findall(path.read_text(encoding="utf-8")))
    }
    assert found == {
        "influence_core/cells.py": 2,
        "influence_core/data/uploads/text.py": 1,  # lines made even, for the parser in the next line to read
        "pages/components/browser/shared/picture_files.js": 1,
    }
