"""Spreadsheets: which sheet and header are found, what cells become, and what is said about the rest."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from influence_core.data import DataError, uploads
from influence_core.data.uploads.grid import find_table
from tests.data.binary_workbooks import old, xlsb
from tests.data.workbooks import Error, Formula, named, ods, xlsx

N = 24
DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=k) for k in range(N)]
COLUMNS = {
    "id": [f"{k:05d}" for k in range(N)],
    "size": [k * 0.5 - 3 for k in range(N)],
    "count": [k % 7 for k in range(N)],
    "day": DAYS,
    "open": [k % 3 == 0 for k in range(N)],
    "town": [["Ulm", "Köln"][k % 2] for k in range(N)],
}
ROWS = [list(COLUMNS), *map(list, zip(*COLUMNS.values(), strict=True))]


def read(content, name="mine.xlsx"):
    return uploads.read_upload(name, content)


def notes(raw):
    return " ".join(raw.notes)


def guessed(raw):
    return uploads.guess_mapping(raw, uploads.describe_columns(raw))


@pytest.mark.parametrize("content", [xlsx({"Data": ROWS}), ods(ROWS)], ids=["xlsx", "ods"])
def test_cells_keep_their_types(content):
    raw = read(content)
    frame = raw.frame
    assert list(frame.columns) == list(COLUMNS) and len(raw) == N
    assert frame["size"].tolist() == COLUMNS["size"] and frame["count"].tolist() == COLUMNS["count"]
    assert frame["count"].dtype.kind == "i" and frame["open"].tolist() == COLUMNS["open"]
    assert frame["day"].tolist() == [pd.Timestamp(day) for day in DAYS]
    assert frame["id"].tolist() == COLUMNS["id"] and frame["town"].tolist() == COLUMNS["town"]
    built = uploads.build(raw, guessed(raw))
    assert built.table.dataset.ids[7] == "00007" and "size" in built.mapping.features


@pytest.mark.parametrize("name", ["mine.xlsx", "mine.csv", "mine", "mine.ods", "MINE.XLS"])
def test_a_workbook_is_recognised_by_its_content(name):
    raw = read(xlsx({"Data": ROWS}), name)
    assert len(raw) == N and raw.name == name
    assert ("but the content is a spreadsheet" in notes(raw)) == (name == "mine.csv")


def test_the_first_visible_sheet_with_a_table_is_read_and_the_others_are_named():
    content = xlsx({"Secret": ROWS, "Cover": [["A report"]], "Data": ROWS, "More": ROWS[:5]}, hidden=["Secret"])
    raw = read(content)
    assert len(raw) == N
    assert "Sheet 'Data' was read; not read: 'Secret', 'Cover', 'More'." in raw.notes


@pytest.mark.parametrize("above", [
    [["Sales of 2020"]], [["Sales of 2020"], [], ["in Euro"]], [["Made by", "me"], []], [[None, None, "Table 1"]],
])  # fmt: skip
def test_lines_above_the_header_are_left_out_and_said(above):
    raw = read(xlsx({"Data": [*above, *ROWS]}))
    assert list(raw.frame.columns) == list(COLUMNS) and len(raw) == N
    assert "above the table left out: row 1" in notes(raw)


def test_a_remark_below_and_empty_lines_and_columns_are_no_rows_and_columns():
    rows = [[*row[:2], None, *row[2:]] for row in ROWS]
    raw = read(xlsx({"Data": [*rows[:5], [], *rows[5:], [], ["Source: the office"]]}))
    assert list(raw.frame.columns) == list(COLUMNS) and len(raw) == N
    assert "below the table left out" in notes(raw) and "'Source: the office'" in notes(raw)
    assert "1 empty lines within the table were skipped." in raw.notes


def test_a_table_need_not_begin_in_the_corner():
    raw = read(xlsx({"Data": [[], [], *([None, None, *row] for row in ROWS)]}))
    assert list(raw.frame.columns) == list(COLUMNS) and len(raw) == N


def test_a_table_without_names_is_numbered():
    raw = read(xlsx({"Data": [[k, k / 2, "ab"[k % 2]] for k in range(N)]}))
    assert list(raw.frame.columns) == ["column 1", "column 2", "column 3"] and len(raw) == N
    assert "the columns were numbered" in notes(raw)


def test_years_may_be_names_of_columns():
    raw = read(xlsx({"Data": [["country", 2019, 2020], *([f"c{k}", k, k / 3] for k in range(N))]}))
    assert list(raw.frame.columns) == ["country", "2019", "2020"] and len(raw) == N


@pytest.mark.parametrize("write", [lambda rows: xlsx({"S": rows}), ods], ids=["xlsx", "ods"])
def test_errors_are_gaps_whose_first_place_is_named(write):
    rows = [list(row) for row in ROWS]
    rows[4][1] = rows[9][1] = Error()
    raw = read(write(rows))
    assert raw.frame["size"].isna().tolist() == [k in {3, 8} for k in range(N)]
    assert "Cells with an error such as #N/A or #DIV/0! count as missing: 2, the first is B5." in raw.notes


def test_formulas_without_results_are_gaps_that_are_said():
    rows = [list(row) for row in ROWS]
    for row in rows[1:]:
        row[2] = Formula()
    raw = read(xlsx({"Data": rows}))
    assert "formula without its result" in notes(raw) and f"{N}, the first is C2" in notes(raw)


def test_cells_joined_over_lines_count_for_each_of_them():
    rows = [["group", "x", "label"], *([f"g{k // 3}" if k % 3 == 0 else None, k, "uv"[k % 2]] for k in range(N))]
    raw = read(xlsx({"Data": rows}, joined=[f"A{k + 2}:A{k + 4}" for k in range(0, N, 3)]))
    assert raw.frame["group"].tolist() == [f"g{k // 3}" for k in range(N)]
    assert f"Cells joined over several lines count for each of these lines: {N // 3}." in raw.notes


def test_texts_among_numbers_are_understood_as_in_any_table():
    rows = [["x", "y", "label"], *([k / 4 if k != 5 else "n.a.", f"{k},5", "uv"[k % 2]] for k in range(N))]
    raw = read(xlsx({"Data": rows}))
    assert raw.frame["x"].isna().sum() == 1 and raw.frame["x"].dtype.kind == "f"
    assert raw.frame["y"].tolist() == [k + 0.5 for k in range(N)]


def test_durations_become_seconds():
    rows = [["t", "label"], *([dt.timedelta(minutes=k), "uv"[k % 2]] for k in range(N))]
    raw = read(xlsx({"Data": rows}))
    np.testing.assert_allclose(raw.frame["t"], [60 * k for k in range(N)], atol=1e-6)
    assert "was read in seconds" in notes(raw)


def test_formatted_empty_rows_to_the_end_of_the_sheet_are_no_rows():
    empty = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
    assert len(read(ods(ROWS, f'{empty}table:number-columns-repeated="16384"/></table:table-row>'))) == N


@pytest.mark.parametrize("cells", [[], [["a"]], [["a", "b"]], [[1.0], [2.0]], [["", None], [" ", ""]]])
def test_what_is_no_table_is_none(cells):
    assert find_table(cells) is None


def test_a_workbook_without_a_table_says_what_a_table_is():
    with pytest.raises(DataError, match="at least 2 columns and a line of names, got 2 sheets without such a table"):
        read(xlsx({"Cover": [["A report"]], "Empty": []}))


def test_an_old_workbook_is_read_with_its_dates_and_sheets():
    raw = read(old(), "mine.xls")
    assert raw.sheets == ("Cover", "Data") and raw.form.sheet == "Data" and raw.form.line == 3
    assert [*raw.frame.columns] == ["id", "size", "day", "town"] and len(raw) == 24
    assert raw.frame["size"].tolist() == [k / 2 - 3 for k in range(24)] and {*raw.frame["town"]} == {"Ulm", "Köln"}
    assert raw.frame["day"].tolist() == [pd.Timestamp(2024, 1, k + 1) for k in range(24)]
    assert raw.frame["id"].tolist() == [f"{k:05d}" for k in range(24)]


def test_a_binary_workbook_is_read_and_its_errors_are_gaps():
    rows = [["a", "b", "label"], *([k / 7, None if k == 3 else k, "uv"[k % 2]] for k in range(N))]
    rows[5][1] = ValueError()
    raw = read(xlsb({"Cover": [["A report"]], "Data": rows}), "mine.xlsb")
    assert raw.form.sheet == "Data" and raw.frame["a"].tolist() == [k / 7 for k in range(N)]
    assert raw.frame["b"].isna().tolist() == [k in {3, 4} for k in range(N)]
    assert "Cells with an error such as #N/A or #DIV/0! count as missing: 1, the first is B6." in raw.notes


def _changed(kind, size, at, new):
    """The .xls with other bytes in the last record of a kind."""
    content = bytearray(old())
    start = content.rindex(np.array([kind, size], dtype="<u2").tobytes()) + 4
    content[start + at : start + at + len(new)] = new
    return bytes(content)


FAR = (2**20 - 1, 2**14 - 1)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.xls", _changed(0x200, 14, 4, b"\xff\xff\xff\x7f"), "cells between the first and the last of a sheet"),
    ("a.xls", _changed(0xFD, 10, 0, b"\xff\xff\xff\x00"), "cells between the first and the last of a sheet"),
    ("a.xls", old()[:3000], "a damaged or cut one"),
    ("a.xls", old().replace("Workbook".encode("utf-16-le"), "Wordbook".encode("utf-16-le")), "another program"),
    ("a.xls", old().replace("Workbook\0".encode("utf-16-le"), "EncryptedPackage\0".encode("utf-16-le")[:18]), "got a"),
    ("a.xlsb", xlsb({"Data": ROWS[:1] + [[1.0, 2.0]]}, FAR), "cells between the first and the last of a sheet"),
    ("a.xlsb", xlsb({"Data": [["a", "b"]] + [[]] * 99_999 + [[None] * 200 + [1.0]]}), "cells between the first and"),
    ("a.xlsb", xlsb({"Data": [["x" * 30_000, "b"]] + [["x" * 30_000, 1.0]] * 9_999}), "MB of text in a sheet"),
    ("a.xls", old()[:-600], "a damaged or cut one"),
], ids=named)  # fmt: skip
def test_binary_workbooks_are_measured_before_they_are_unfolded(name, content, words):
    with pytest.raises(DataError, match="Expected") as caught:
        read(content, name)
    assert words in str(caught.value)
