"""How a table is written in its file: found, said, chosen otherwise, kept with the upload, and written again."""

from __future__ import annotations

import io
import json
import lzma
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from influence_core.data import DataError, load, uploads
from influence_core.data.contents import uploaded
from influence_core.settings import DataSettings
from tests.data.workbooks import ods, xlsx

Form = uploads.TableForm
N = 24
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=N).round(3)
WORDS = {
    "cp1251": ["Москва", "Казань", "Новосибирск"], "koi8-r": ["Москва", "Казань", "да"], "cp866": ["Москва", "нет"],
    "cp932": ["東京", "大阪", "カタカナ"], "euc_jp": ["東京", "大阪", "はい"], "gb18030": ["北京", "上海", "广州"],
    "cp949": ["서울", "부산"], "cp950": ["台北", "高雄", "臺中"], "cp1253": ["Αθήνα", "Θεσσαλονίκη"],
    "cp1255": ["ירושלים", "תלאביב"], "cp1256": ["القاهرة", "الرياض"],
    "cp1252": ["été", "d’été", "São Paulo", "préférée"],
}  # fmt: skip


def rows(words: list[str], n: int = 60) -> str:
    random = Random(0)
    return "id,x,label\n" + "".join(f"{k},{random.random():.3f},{words[k % len(words)]}\n" for k in range(n))


def read(content: bytes, name: str = "a.csv", **said: Any) -> uploads.Raw:
    return uploads.read_upload(name, content, Form(**said))


def built(raw: uploads.Raw, **changes: Any) -> uploads.Upload:
    mapping = uploads.guess_mapping(raw, uploads.describe_columns(raw))
    return uploads.build(raw, replace(mapping, **changes))


@pytest.mark.parametrize("encoding", WORDS)
def test_letters_of_other_scripts_are_recognised_and_said(encoding: str) -> None:
    raw = read(rows(WORDS[encoding]).encode(encoding))
    assert raw.form is not None and raw.form.encoding == encoding
    assert {*raw.frame["label"]} == {*WORDS[encoding]}
    assert f"read as {uploads.titled(encoding)}" in raw.notes[0] and "choose another encoding" in raw.notes[0]


@pytest.mark.parametrize(("encoding", "words"), [
    ("cp1250", ["Kraków", "Gdańsk"]), ("cp1254", ["İstanbul", "Ağrı"]), ("iso8859-2", ["Łódź", "Gdańsk"]),
    ("mac_roman", ["été", "naïf"]), ("cp850", ["été", "Größe"]), ("cp437", ["été", "Größe"]),
    *((name, words[:2]) for name, words in WORDS.items()), 
    ("utf-16-le", ["東京", "大阪"]), ("utf-16-be", ["東京", "大阪"]),
])  # fmt: skip
def test_what_is_not_recognised_can_be_chosen_and_goes_out_as_it_came(encoding: str, words: list[str]) -> None:
    content = rows(words, 8).encode(encoding)
    raw = read(content, encoding=encoding)
    assert raw.frame["label"].tolist() == [words[k % 2] for k in range(8)]
    way = uploads.rewriting("a.csv", content, raw, "label")
    assert way is not None and way.edit({}, np.ones(8, dtype=bool)) == content
    changed = way.edit({0: 1}, np.arange(8) != 7).decode(encoding)
    assert changed == rows(words, 7).replace(words[0], words[1], 1)


TITLED = "Sales\nby me\n\na;b;label\n1,5;2;x\n2,5;3;y\n3,5;4;x\n"


@pytest.mark.parametrize(("said", "columns", "first"), [
    ({}, ["a", "b", "label"], [1.5, 2, "x"]),
    ({"line": 4}, ["a", "b", "label"], [1.5, 2, "x"]),
    ({"line": 4, "names": "no"}, ["column 1", "column 2", "column 3"], ["a", "b", "label"]),
    ({"line": 5}, ["column 1", "column 2", "column 3"], [1.5, 2, "x"]),
    ({"line": 5, "names": "yes"}, ["1,5", "2", "x"], [2.5, 3, "y"]),
    ({"separator": ",", "line": 5}, ["column 1", "column 2"], [1, "5;2;x"]),
    ({"decimal": "."}, ["a", "b", "label"], [1.5, 2, "x"]),
])  # fmt: skip
def test_line_names_and_separator_are_as_a_person_says(
    said: dict[str, Any], columns: list[str], first: list[Any]
) -> None:
    raw = read(TITLED.encode(), **said)
    assert [*raw.frame.columns] == columns and raw.frame.iloc[0].tolist() == first
    assert raw.form is not None and all(getattr(raw.form, name) == value for name, value in said.items())
    assert raw.asked == Form(**said)


def test_what_was_found_can_be_chosen_and_changes_nothing() -> None:
    for text in (TITLED, "a,b,label\n1,2,x\n3,4,y\n", "# a b\n#x y label\n1 2 x\n3 4 y\n5 6 y\n", "1\t2\tx\n3\t4\ty\n"):
        found = read(text.encode())
        assert found.form is not None
        again = uploads.read_upload("a.csv", text.encode(), replace(found.form, encoding=""))
        assert again.frame.equals(found.frame) and again.form == found.form, text


@pytest.mark.parametrize(("cells", "decimal", "values"), [
    (("1.234", "2.345"), ",", [1234, 2345]), (("1,234", "2,345"), ".", [1234, 2345]),
    (("1,234", "2,345"), ",", [1.234, 2.345]), (("1.25", "2.5"), ",", [1.25, 2.5]), (("1,25", "2,5"), ".", [1.25, 2.5]),
])  # fmt: skip
def test_the_decimal_mark_counts_where_both_fit(cells: tuple[str, str], decimal: str, values: list[float]) -> None:
    content = "a;label\n" + "".join(f"{cells[k % 2]};{'xy'[k % 2]}\n" for k in range(6))
    raw = read(content.encode(), decimal=decimal)
    assert raw.frame["a"].tolist() == values * 3 and not any("is a guess" in note for note in raw.notes)


@pytest.mark.parametrize(("said", "words"), [
    ({"line": 9}, "got a text of 7 lines"), ({"line": 3}, "begins in line 3, as was chosen, got an empty one"),
    ({"encoding": "utf-16-le"}, "as was chosen"), ({"separator": "|"}, "at least 2 columns"),
])  # fmt: skip
def test_a_choice_that_cannot_be_is_one_sentence(said: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match="Expected") as caught:
        read(TITLED.encode(), **said)
    assert words in str(caught.value)


BOOK = {
    "Cover": [["A report"], ["of", "May"]],
    "Data": [["Sales"], [], ["a", "b", "label"], *([k, k / 2, "xy"[k % 2]] for k in range(N))],
    "More": [["u", "v", "kind"], *([k, -k, "pq"[k % 2]] for k in range(9))],
}  # fmt: skip


@pytest.mark.parametrize("write", [xlsx, lambda sheets: ods(sheets["Data"])], ids=["xlsx", "ods"])
def test_the_row_of_a_sheet_is_as_a_person_says(write: Any) -> None:
    content = write({"Data": BOOK["Data"]})
    raw = read(content, "a.xlsx")
    assert raw.form is not None and (raw.form.line, raw.form.names) == (3, "yes")
    raw = read(content, "a.xlsx", line=4)
    assert [*raw.frame.columns] == ["column 1", "column 2", "column 3"] and len(raw) == N
    raw = read(content, "a.xlsx", line=3, names="no")
    assert raw.frame["column 3"].tolist()[:3] == ["label", "x", "y"]
    with pytest.raises(DataError, match="row 2 of the sheet, as was chosen, got an empty row"):
        read(content, "a.xlsx", line=2)


def test_another_sheet_can_be_chosen() -> None:
    content = xlsx(BOOK)
    raw = read(content, "a.xlsx", sheet="More")
    assert raw.sheets == ("Cover", "Data", "More") and [*raw.frame.columns] == ["u", "v", "kind"] and len(raw) == 9
    for sheet, words in (("Cover", "the sheet 'Cover' without such a table"), ("Nope", "choose one of its sheets")):
        if sheet == "Nope" or words:
            with pytest.raises(DataError, match=words):
                read(xlsx(BOOK | {"Cover": [["A report"]]}), "a.xlsx", sheet=sheet)


def test_a_choice_is_kept_with_the_upload_and_finds_the_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    text = "made by hand,,\nx,y,z\n" + "".join(f"{a},{k % 7},{('ага', 'нет')[k % 2]}\n" for k, a in enumerate(NUMBERS))
    content, said = text.encode("koi8-r"), Form(encoding="koi8-r", line=2, names="yes")
    upload = built(uploads.read_upload("a.csv", content, said))
    guessed = built(read(content, encoding="koi8-r"))
    assert (
        upload.mapping.form == said
        and uploads.mapping_of(json.loads(json.dumps(asdict(upload.mapping)))) == upload.mapping
    )
    assert uploads.upload_fingerprint(upload) != uploads.upload_fingerprint(guessed)
    key = uploads.upload_store().save(upload)
    assert key == uploads.upload_fingerprint(built(uploads.read_upload("a.csv", content, said)))
    data = DataSettings("upload", (("id", key),))
    sheet = uploaded(data, load(data, 0), "a.csv", content)
    assert sheet.edit is not None and sheet.edit({}, np.ones(N, dtype=bool)) == content
    assert sheet.edit({1: 0}, np.ones(N, dtype=bool)) == text.replace("нет", "ага", 1).encode("koi8-r")


def test_choices_reach_into_a_packed_file() -> None:
    raw = read(lzma.compress(rows(["Łódź", "Kraków"], 9).encode("cp1250")), "a.csv.xz", encoding="cp1250", line=1)
    assert raw.frame["label"].tolist()[:2] == ["Łódź", "Kraków"]
    assert uploads.form_kind("a.csv.xz", lzma.compress(b"a,b")) == "text"


def test_files_that_are_written_in_one_way_offer_no_choice() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=RANDOM.normal(size=(9, 2)), y=np.arange(9) % 3)
    assert uploads.read_upload("a.npz", buffer.getvalue(), Form(line=7)).form is None
    assert uploads.form_kind("a.npz", buffer.getvalue()) == "" and uploads.form_kind("a.pkl", b"\x80\x04N.") == ""
