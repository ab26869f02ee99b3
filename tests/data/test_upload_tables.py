"""Tables as people bring them: each kind of text, header, encoding, id and target comes out right, and is said."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influence_core.data import DataError, uploads

ROWS = 60


def numbers(n=ROWS, seed=0):
    return np.random.default_rng(seed).normal(size=n).round(3)


X, Z = numbers(), numbers(seed=1)
YES = ["yes" if k % 3 else "no" for k in range(ROWS)]


def text(header, *columns, sep=",", end="\n", below=""):
    """A table written by hand, field by field, as a program with its own ideas would."""
    rows = [sep.join(map(str, row)) for row in zip(*columns, strict=True)]
    return end.join([*([header] if header is not None else []), *rows, ""]) + below


def read(content, name="mine.csv", encoding="utf-8"):
    return uploads.read_upload(name, content if isinstance(content, bytes) else content.encode(encoding))


def guessed(content, name="mine.csv", encoding="utf-8"):
    raw = read(content, name, encoding)
    columns = uploads.describe_columns(raw)
    return raw, {column.name: column for column in columns}, uploads.guess_mapping(raw, columns)


def built(content, encoding="utf-8", **changes):
    raw, _, mapping = guessed(content, encoding=encoding)
    return uploads.build(raw, replace(mapping, **changes))


def said(content, encoding="utf-8"):
    return " ".join(read(content, encoding=encoding).notes)


def comma(values):
    return [str(value).replace(".", ",") for value in values]


def values(raw, name):
    return raw.frame[name].to_numpy(dtype=float)


# Numbers


@pytest.mark.parametrize(("cells", "expected"), [
    (["0,13", "-1,5", "2"], [0.13, -1.5, 2]),
    (["1.234,50", "-13.600,00", "1.234.567"], [1234.5, -13600, 1234567]),
    (["1,234.50", "13,600", "1,234,567"], [1234.5, 13600, 1234567]),
    (["13,600", "101,400", "7"], [13600, 101400, 7]),
    (["12\u202f600,00", "1\u00a0000,5", "5 000"], [12600, 1000.5, 5000]),
    (["1'234.5", "2\u2019000", "1"], [1234.5, 2000, 1]),
    (["12,34,567.5", "1,23,456", "5"], [1234567.5, 123456, 5]),
    (["$1,260.00", "-$5", "($3.20)"], [1260, -5, -3.2]),
    (["1.000,00 €", "5 €", "12,– €"], [1000, 5, 12]),
    (["EUR 5.5", "EUR 7", "6"], [5.5, 7, 6]),
    (["13.2%", "5 %", "0.5%"], [13.2, 5, 0.5]),
    (["5 cm", "6cm", "7.5 cm"], [5, 6, 7.5]),
    (["37.5°C", "36 °C", "38,0 °C".replace(",", ".")], [37.5, 36, 38]),
    (["\u22123", "\u22120.5", "2"], [-3, -0.5, 2]),
    (["(1,234.50)", "(12)", "3"], [-1234.5, -12, 3]),
    (["12-", "3.5-", "4"], [-12, -3.5, 4]),
    (["1,5E+03", "2,5e-2", "1"], [1500, 0.025, 1]),
    (["1e5", "+2.5E-3", ".5"], [1e5, 0.0025, 0.5]),
    (["\uff11\uff12", "\uff13\uff0e\uff15", "4"], [12, 3.5, 4]),
    (["\u0661\u0662", "\u0663", "4"], [12, 3, 4]),
])  # fmt: skip
def test_numbers_as_people_write_them(cells, expected):
    raw = read(text("a;x;label", Z[:30], cells * 10, YES[:30], sep=";"))
    assert raw.readings["x"].kind == "number"
    np.testing.assert_array_equal(values(raw, "x"), expected * 10)


def test_each_column_has_a_decimal_mark_of_its_own():
    raw = read(text("a;b;label", comma(X), Z, YES, sep=";"))
    np.testing.assert_array_equal(values(raw, "a"), X)
    np.testing.assert_array_equal(values(raw, "b"), Z)
    assert "'a': numbers with a decimal comma." in raw.notes and "'b'" not in " ".join(raw.notes)


@pytest.mark.parametrize(("others", "expected"), [
    ([f"0.{k}" for k in range(1, 61)], 1234.0), (comma([f"0.{k}" for k in range(1, 61)]), 1.234),
])  # fmt: skip
def test_cells_that_fit_both_marks_go_with_the_other_columns_and_are_said_to(others, expected):
    content = text("a\tb\tlabel", ["1,234", "2,500"] * 30, others, YES, sep="\t")
    assert values(read(content), "a")[0] == expected and "is a guess" in said(content)
    raw, _, mapping = guessed(content)
    for mark, value in (("comma", 1.234), ("point", 1234.0)):
        choice = uploads.Choice("a", f"number with decimal {mark}")
        x = uploads.build(raw, replace(mapping, readings=(choice,))).table.dataset.x
        assert x[0, 0] == value


def test_points_between_thousands_are_told_from_decimals_by_the_other_columns():
    groups, decimals = ["1.234", "13.600"] * 30, ["0.126", "1.304"] * 30
    raw = read(text("a;b;c;label", comma(X), groups, decimals, YES, sep=";"))
    assert values(raw, "b")[:2].tolist() == [1234, 13600] and values(raw, "c")[:2].tolist() == [0.126, 1.304]
    assert any("'b'" in note and "is a guess" in note for note in raw.notes)
    assert values(read(text("b;label", groups, YES, sep=";")), "b")[0] == 1.234


def test_a_unit_is_left_out_and_said_and_two_units_are_no_number():
    assert "'x': numbers in kg, which was left out: '5 kg' = 5." in said(
        text("x,z,label", ["5 kg", "6 kg"] * 30, Z, YES)
    )
    raw = read(text("x,z,label", ["5 kg", "3 lb", "0"] * 20, Z, YES))
    assert raw.readings["x"].kind == "text"
    raw = read(text("x,z,label", ["13%", *["12%"] * 58, "0.13"], Z, YES))
    assert np.isnan(values(raw, "x")[59]) and "'0.13' in row 60 is no number" in " ".join(raw.notes)


@pytest.mark.parametrize("word", ["?", "-", "n.a.", "NA", "N/A", "null", "None", "nan", ".", "", "#N/A", "--", "\\N"])
def test_a_word_for_missing_anywhere_in_a_column_of_numbers_is_a_gap(word):
    for place in (0, 7, 4_900):
        n = 5_000
        cells = np.random.default_rng(0).normal(size=n).round(3).astype(str).tolist()
        cells[place] = word
        raw, columns, _ = guessed(text("x,z,label", cells, range(n), ["u", "v"] * 2_500))
        assert columns["x"].kind == "number" and columns["x"].missing == 1 and np.isnan(values(raw, "x")[place])
        assert not word or f"'{word}' counts as missing (in row {place + 1:,})" in " ".join(raw.notes)


@pytest.mark.parametrize("stray", ["abc", "<0.5", "12 or 13", "see note", "1.2.3"])
def test_a_stray_text_among_numbers_is_a_gap_with_its_row(stray):
    cells = [*map(str, X)]
    cells[41] = stray
    upload = built(text("x,z,label", cells, Z, YES))
    assert f"'x': '{stray}' in row 42 is no number and counts as missing." in upload.notes
    assert upload.table.dataset.feature_names == ("x", "x missing", "z")
    assert upload.table.dataset.x[41, 0] == np.median(np.delete(X, 41)) and upload.table.dataset.x[41, 1] == 1


def test_numbers_among_words_stay_categories_and_that_is_said():
    raw = read(text("x,z,label", ["0", "1", "2", "3+"] * 15, Z, YES))
    assert raw.readings["x"].kind == "text" and "'x': numbers beside other words such as '3+' in row 4" in raw.notes[0]


def test_a_number_that_often_means_a_gap_is_one_only_by_choice():
    cells = [*X.tolist()]
    cells[5] = -999
    raw, columns, mapping = guessed(text("x,z,label", cells, Z, YES))
    assert columns["x"].missing == 0 and "-999 stands in 1 row" in columns["x"].note
    choice = uploads.Choice("x", "", ("-999",))
    upload = uploads.build(raw, replace(mapping, readings=(choice,), numbers="median"))
    assert upload.table.dataset.x[5, 0] == np.median(np.delete(X, 5))


def test_what_a_program_wrote_stays_the_same_to_the_last_bit():
    random = np.random.default_rng(3)
    x = random.normal(size=(500, 4)) * 10.0 ** random.integers(-30, 30, (500, 4))
    table = pd.DataFrame(x, columns=list("abcd"))
    for how in ({}, {"sep": ";", "decimal": ","}, {"sep": "\t"}, {"float_format": "%.17e"}):
        raw = read(table.to_csv(index=False, **how).encode())
        np.testing.assert_array_equal(raw.frame.to_numpy(), x)


# Missing words, true and false, codes


def test_na_is_a_class_and_a_category_until_a_person_says_otherwise():
    countries = ["NA", "ZA", "BW"] * 20
    content = text("x,veneer,country", X, ["None", "Brick"] * 30, countries)
    raw, columns, mapping = guessed(content)
    data = uploads.build(raw, mapping).table.dataset
    assert mapping.target == "country" and data.class_names == ("BW", "NA", "ZA") and len(data) == 60
    assert data.feature_names == ("x", "veneer=Brick", "veneer=None") and columns["country"].doubts == ("NA",)
    choices = (uploads.Choice("country", "", ("NA",)), uploads.Choice("veneer", "", ("None",)))
    data = uploads.build(raw, replace(mapping, readings=choices)).table.dataset
    assert data.class_names == ("BW", "ZA") and len(data) == 40
    assert "veneer=missing" in data.feature_names and "veneer=None" not in data.feature_names


def test_a_question_mark_among_texts_is_a_gap_and_can_be_a_value():
    raw, columns, mapping = guessed(text("x,job,label", X, ["a", "b", "?"] * 20, YES))
    assert columns["job"].missing == 20 and columns["job"].gaps == ("?",)
    assert "job=missing" in uploads.build(raw, mapping).table.dataset.feature_names
    choice = uploads.Choice("job", "", ())
    names = uploads.build(raw, replace(mapping, readings=(choice,))).table.dataset.feature_names
    assert "job=?" in names and "job=missing" not in names


@pytest.mark.parametrize(("cells", "classes"), [
    (["TRUE", "FALSE"], ("false", "true")), (["True", "true", "FALSE"], ("false", "true")),
    (["yes", "no"], ("no", "yes")),
])  # fmt: skip
def test_true_and_false_are_two_classes_as_they_are_written(cells, classes):
    content = text("x,flag", X, (cells * 60)[:60])
    _, columns, mapping = guessed(content)
    assert mapping.target == "flag" and columns["flag"].kind == "true/false"
    assert tuple(map(str.lower, built(content).table.dataset.class_names)) == classes


@pytest.mark.parametrize(("name", "cells"), [
    ("zip", ["01730", "02138", "1730"]), ("code", ["007", "12", "008"]), ("zip_code", ["90210", "10001", "60601"]),
    ("PLZ", ["53111", "50667", "10115"]),
])  # fmt: skip
def test_codes_are_categories_and_can_be_numbers(name, cells):
    raw, columns, mapping = guessed(text(f"{name},a,label", cells * 20, X, YES))
    assert columns[name].kind == "text" and "so each is a category" in columns[name].note
    names = uploads.build(raw, mapping).table.dataset.feature_names
    assert names[:3] == tuple(f"{name}={cell}" for cell in sorted(cells))
    data = uploads.build(raw, replace(mapping, readings=(uploads.Choice(name, "number"),))).table.dataset
    assert data.x[:3, 0].tolist() == [float(cell) for cell in cells]


# Dates


@pytest.mark.parametrize(("cells", "day", "order"), [
    (["2024-01-25", "2024-03-01", "2023-12-31"], 25, ""),
    (["2024/1/25", "2024/3/1", "2023/12/31"], 25, ""),
    (["25.01.2024", "01.03.2024", "31.12.2023"], 25, "day first"),
    (["25/1/2024", "1/3/2024", "31/12/2023"], 25, "day first"),
    (["1/25/2024", "3/1/2024", "12/31/2023"], 25, "month first"),
    (["25-Jan-2024", "1-Mar-24", "31-Dec-2023"], 25, ""),
    (["Jan 25, 2024", "March 1, 2024", "Dec 31, 2023"], 25, ""),
    (["25. Januar 2024", "1. März 2024", "31. Dez 2023"], 25, ""),
    (["2024-01-25T12:30:00Z", "2024-03-01T00:00:00Z", "2023-12-31T23:59:59Z"], 25, ""),
    (["2024-01-25 12:30", "2024-03-01 00:00", "2023-12-31 23:59"], 25, ""),
])  # fmt: skip
def test_dates_are_recognised_left_out_and_offered_as_their_parts(cells, day, order):
    raw, columns, mapping = guessed(text("when;x;label", cells * 20, comma(X), YES, sep=";"))
    assert columns["when"].kind == "date" and columns["when"].missing == 0 and order in columns["when"].note
    assert raw.frame["when"].dt.day.tolist()[:3] == [day, 1, 31]
    assert raw.frame["when"].dt.month.tolist()[:3] == [1, 3, 12]
    upload = uploads.build(raw, mapping)
    assert upload.table.dataset.feature_names == ("x",) and any("'when' is left out" in note for note in upload.notes)
    data = uploads.build(raw, replace(mapping, features=("when", "x"))).table.dataset
    names = data.feature_names
    assert {"when year", "when month", "when day", "when weekday", "x"} <= {*names} and len(names) <= 7
    assert data.x[0, names.index("when weekday")] == 3  # a Thursday


def test_a_date_that_fits_both_orders_is_said_and_can_be_turned_around():
    cells = ["01/02/2024", "03/02/2024", "02/05/2024", "04/01/2024"] * 15
    raw, columns, mapping = guessed(text("when,x,label", cells, X, YES))
    assert columns["when"].kind == "date" and "because no day above 12 tells" in columns["when"].note
    months = {}
    for order in ("day first", "month first"):
        choice = uploads.Choice("when", f"date, {order}")
        data = uploads.build(raw, replace(mapping, features=("when",), readings=(choice,))).table.dataset
        months[order] = data.x[0, data.feature_names.index("when month")]
    assert months == {"day first": 2, "month first": 1}


def test_a_date_is_no_target():
    raw, _, mapping = guessed(text("when,x,label", ["2024-01-25", "2024-03-01"] * 30, X, YES))
    with pytest.raises(DataError, match="Target 'when': expected numbers or classes, got dates"):
        uploads.build(raw, replace(mapping, target="when", features=("x",)))


def test_no_date_is_invented():
    for cells in (["1.2.3", "1.2.4", "2.0.0"], ["192.168.1.1", "10.0.0.1", "8.8.8.8"], ["3-4", "10-12", "1-1"]):
        raw = read(text("v,x,label", cells * 20, X, YES))
        assert raw.readings["v"].kind == "text"
    raw, columns, _ = guessed(text("date,x,label", ["2024-02-29", "2023-02-29", "2024-01-01"] * 20, X, YES))
    assert (
        columns["date"].missing == 20 and "'2023-02-29' in 20 rows, first in row 2, is no date" in columns["date"].note
    )


# Header, footer, separator


def body(sep=","):
    return text(None, X, Z, YES, sep=sep)


@pytest.mark.parametrize(("content", "note"), [
    ("# created 2025-04-22\n# by lab 3, run 7\na,b,label\n" + body(), "2 lines above the column names in line 3"),
    ("Results of 2024\n\na,b,label\n" + body(), "'Results of 2024'"),
    ("Results,,\n,,\na,b,label\n" + body(), "'Results'"),
    (",,\na,b,label\n" + body(), "Empty lines above"),
    ("sep=;\r\na;b;label\r\n" + body(";"), "which names the separator"),
    ("#a,b,label\n" + body(), ""),
    ("a,b,label\n" + body() + "(60 rows)\n", "'(60 rows)'"),
    ("a,b,label\n" + body() + "\nTotal,435,\n", "'Total,435'"),
    ("a,b,label\n" + body() + "Source: a lab, 2024\n", "'Source: a lab, 2024'"),
    ("a,b,label\n" + body() + ",,\n,,\n", "2 empty rows were left out"),
    ("a,b,label\n" + body().replace("\n", ",\n"), "empty field at the end of each line"),
    ("a,b,label,\n" + body().replace("\n", ",\n"), "empty field at the end of each line"),
    ("| a | b | label |\n|---|---|---|\n" + text(None, [""] * 60, X, Z, YES, [""] * 60, sep=" | "), "bars"),
    ("a b label\n" + body(" "), "blanks"),
    ("a,b,label\n" + body().replace("no\n", "no\na,b,label\n", 1), "1 line that names the columns again was left out"),
    ("a, b, label\n" + body(", "), ""),
    ("a,b,label\n" + body().replace("no\n", "no\n# second part\n", 1), "1 line with #"),
])  # fmt: skip
def test_what_stands_around_a_table_is_left_out_and_said(content, note):
    raw, columns, mapping = guessed(content, "a.txt")
    assert [*columns] == ["a", "b", "label"] and len(raw) == 60
    np.testing.assert_array_equal(raw.frame[["a", "b"]].to_numpy(), np.stack([X, Z], 1))
    assert raw.frame["label"].tolist() == YES and note in " ".join(raw.notes) and mapping.target == "label"


@pytest.mark.parametrize("content", [
    text(None, X.round(1), (Z * 10).round(1), ["Iris-setosa", "Iris-virginica"] * 30),
    text(None, ["p", "x", "s"] * 20, ["e", "k"] * 30, ["n", "n", "b", "b", "w", "w"] * 10),
    text(None, comma(X), comma(Z), YES, sep=";"),
    text(None, range(100, 160), X, ["?", "u", "v"] * 20),
])  # fmt: skip
def test_a_file_without_names_keeps_its_first_row(content):
    raw = read(content)
    assert len(raw) == 60 and [*raw.frame.columns] == ["column 1", "column 2", "column 3"]
    assert any("The first line holds a row" in note for note in raw.notes)


@pytest.mark.parametrize(("header", "names"), [
    ("0,1,2", ["0", "1", "2"]), ("2019,2020,2021", ["2019", "2020", "2021"]), ("a,2020,label", ["a", "2020", "label"]),
    ("name,b,label", ["name", "b", "label"]),
])  # fmt: skip
def test_names_may_be_numbers(header, names):
    raw = read(text(header, X, Z, YES))
    assert [*raw.frame.columns] == names and len(raw) == 60


def test_separators_are_told_by_the_number_of_fields():
    content = text("Sales, net, in EUR\tCosts, gross, in EUR\tlabel", X, Z, YES, sep="\t")
    assert [*read(content).frame.columns] == ["Sales, net, in EUR", "Costs, gross, in EUR", "label"]
    content = text("a;b;label", comma(X), [f"Meier, {z}" for z in Z], YES, sep=";")
    assert [*read(content).frame.columns] == ["a", "b", "label"]
    content = text("a,b|c,label", X, [f"u|{k % 3}" for k in range(60)], YES)
    assert [*read(content).frame.columns] == ["a", "b|c", "label"]


def test_columns_of_one_name_get_numbers():
    raw = read(text("score,score,score 2,,label", X, Z, X, Z, YES))
    assert [*raw.frame.columns] == ["score", "score 3", "score 2", "column 4", "label"]
    assert "'score' became 'score 3'" in " ".join(raw.notes) and "1 column without a name" in " ".join(raw.notes)


@pytest.mark.parametrize(("content", "words"), [
    (text("a,b,label", X, Z, YES) + "1,2,yes,more\n", "got more in line 62"),
    (text("a,b,label", X, Z, YES) + '1,"2,yes\n', "breaks off after row"),
    ("a,b,label\n" + body() * 20 + "7,2,yes,more\n", "row 1,201, which starts with '7'"),
    ("a\n" + "1\n" * 60, "at least 2 columns"),
])  # fmt: skip
def test_what_cannot_be_used_is_one_sentence_with_its_place(content, words):
    with pytest.raises(DataError, match=r"^Expected .*") as error:
        read(content)
    assert words in str(error.value)


# Encodings


@pytest.mark.parametrize(("encoding", "note"), [
    ("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16 without a mark"),
    ("utf-16-be", "UTF-16 without a mark"), ("utf-32", "UTF-32"), ("cp1252", "Windows-1252"),
])  # fmt: skip
def test_every_usual_encoding_gives_the_same_words(encoding, note):
    words = ["10€", "10£", "10"] * 20
    content = text("größe,z,preis", X, Z, words)
    raw = read(content, encoding=encoding)
    assert [*raw.frame.columns] == ["größe", "z", "preis"] and raw.frame["preis"].astype(str).tolist()[:2] == words[:2]
    assert (note in " ".join(raw.notes)) and (bool(note) == any("UTF" in n for n in raw.notes))
    if raw.readings["preis"].kind == "text":
        assert built(content, encoding=encoding).table.dataset.class_names == ("10", "10£", "10€")


def test_bytes_of_no_known_encoding_are_one_sentence():
    with pytest.raises(DataError, match="UTF-8, UTF-16 or Windows-1252, got bytes that are none of them in line 2"):
        read(b"a,b,label\n1,\x81\x8d,yes\n" + text(None, X, Z, YES).encode())


JOINED = ["👩\u200d🔬", "👩🔬", "❤️", "a\u200eb", "ab"]


def test_labels_that_differ_in_a_joiner_or_mark_are_different_classes():
    data = built(text("x,z,label", X, Z, JOINED * 12)).table.dataset
    assert {*data.class_names} == {*JOINED} and [data.class_names[k] for k in data.y] == JOINED * 12


def test_labels_that_could_not_be_told_apart_are_spelt_out():
    words = ["abc", "a\u202ebc", "a\u00adbc"]
    data = built(text("x,z,label", X, Z, words * 20)).table.dataset
    assert data.classes == 3 and all(name.isprintable() for name in data.class_names)
    assert {*data.class_names} == {"abc", "a⟨U+202E⟩bc", "a⟨U+00AD⟩bc"}


def test_labels_that_differ_in_blanks_only_are_one_class_and_that_is_said():
    upload = built(text("x,z,label", X, Z, ["New York", "New  York ", "Bonn"] * 20))
    assert upload.table.dataset.class_names == ("Bonn", "New York")
    assert any("differ from others in blanks only" in note for note in upload.notes)


# Ids


@pytest.mark.parametrize("cells", [
    [f"{7 * k:05d}" for k in range(60)],
    [f"https://storage.example.com/my-company-bucket/datasets/2024/images/{k:06d}.png" for k in range(60)],
    [str(10**20 + k) for k in range(60)],
    [f"{k}e5" for k in range(60)],
    [f"a{' ' * k}b" for k in range(1, 61)],
    [f" {k}" for k in range(60)],
    [f"+{k}" for k in range(60)],
    ["1.0", *map(str, range(59))][::-1],
    [f"x\u200d{k}" for k in range(60)],
])  # fmt: skip
def test_ids_are_kept_exactly_as_they_are_written(cells):
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("id", "a", "label"), *zip(cells, X, YES, strict=True)])
    raw, _, mapping = guessed(buffer.getvalue())
    assert mapping.id == "id" and "id" not in mapping.features
    assert uploads.build(raw, mapping).table.dataset.ids.tolist() == cells
    assert uploads.row_names(raw, "id") == cells


SHUFFLED = np.random.default_rng(0).permutation(60)


@pytest.mark.parametrize(
    "header", ["", "Unnamed: 0", "index", "PassengerId", "sample_ID", "Id", "ID_CLIENT", "row.names", "CustomerID"]
)
@pytest.mark.parametrize("cells", [SHUFFLED, range(60), range(1, 61)])
def test_an_index_or_a_running_number_called_id_names_the_rows(header, cells):
    raw, columns, mapping = guessed(text(f"{header},a,b,label", cells, X, Z, YES))
    first = [*columns][0]
    assert mapping.id == first and mapping.features == ("a", "b") and mapping.target == "label"
    assert uploads.build(raw, mapping).table.dataset.ids.tolist() == [*map(str, cells)]


@pytest.mark.parametrize("header", ["rownames", "Country", ""])
def test_names_of_rows_in_the_first_column_are_ids(header):
    names = [f"Land {k}" for k in range(60)]
    raw, columns, mapping = guessed(text(f"{header},sr,ddpi", names, X, (Z * 3).round(0)))
    assert mapping.id == [*columns][0] and mapping.features == ("sr",) and mapping.target == "ddpi"
    content = "sr,ddpi\n" + "".join(
        f'"{name}",{x},{z}\n' for name, x, z in zip(names, X, (Z * 3).round(0), strict=True)
    )
    raw, columns, mapping = guessed(content)
    assert mapping.id == "column 1" and [*columns] == ["column 1", "sr", "ddpi"]


@pytest.mark.parametrize("header", ["grid", "paid", "acid", "bid", "humidity"])
def test_a_word_that_ends_in_id_is_no_id(header):
    _, _, mapping = guessed(text(f"{header},a,label", SHUFFLED, X, YES))
    assert mapping.id == "" and header in mapping.features


# Targets


@pytest.mark.parametrize(("columns", "target", "task"), [
    ({"PassengerId": range(1, 61), "Survived": [0, 1, 1] * 20, "Pclass": [1, 2, 3] * 20}, "Survived", "classification"),
    ({"species": ["u", "v", "w"] * 20, "island": ["a", "b"] * 30, "year": [7, 8] * 30}, "species", "classification"),
    ({"area": X, "price": Z, "town": ["u", "v"] * 30}, "price", "regression"),
    ({"X": range(60), "Y": SHUFFLED, "month": ["mar", "aug"] * 30, "area": Z}, "area", "regression"),
    ({"x": X, "y": Z, "kind": ["u", "v"] * 30}, "kind", "classification"),
    ({"x": X, "y": Z}, "y", "regression"),
    ({"a": X, "y": Z, "kind": ["u", "v"] * 30}, "y", "regression"),
    ({"kind": ["u", "v"] * 30, "name": [f"n{k}" for k in range(60)], "a": X}, "kind", "classification"),
    ({"a": X, "word": [f"w{k}" for k in range(60)], "b": (Z * 2).round(1)}, "b", "regression"),
    ({"a": X, "done": [True, False] * 30, "b": Z}, "done", "classification"),
    ({"a": X, "rare": ["u"] * 58 + ["v", "w"], "b": ["s", "t"] * 30, "c": Z}, "b", "classification"),
    ({"a": X, "label": [*range(20)] * 3}, "label", "classification"),
    ({"a": X, "label": [*range(20)] * 2 + [*range(20, 40)]}, "label", "regression"),
    ({"a": X, "label": [*[0, 1, 2] * 19, 3, 3, 1]}, "label", "regression"),
    ({"a": X, "class_label": [0, 1] * 30, "b": YES}, "class_label", "classification"),
])  # fmt: skip
def test_the_target_is_guessed_by_name_then_by_values(columns, target, task):
    content = pd.DataFrame(columns).to_csv(index=False)
    raw, described, mapping = guessed(content)
    assert (mapping.target, mapping.task) == (target, task)
    best = uploads.guess_targets(raw, tuple(described.values()))
    assert best[0] == target and len(best) == len({*best}) <= 3


def test_missing_values_are_filled_by_guess_in_columns_that_are_named():
    a, town, label = [*map(str, X)], ["Ulm", "Bonn", ""] * 20, [*YES]
    a[3], label[7] = "", ""
    upload = built(text("a,town,label", a, town, label))
    assert upload.filled["town"] == "missing" and "'a missing' says where" in upload.filled["a"]
    data = upload.table.dataset
    assert len(data) == 59 and data.feature_names == ("a", "a missing", "town=Bonn", "town=Ulm", "town=missing")


def test_columns_without_a_part_are_named_with_the_reason():
    content = text("note,user_id,a,label", [f"said {k}" for k in range(60)], [k // 3 for k in range(60)], X, YES)
    upload = built(content, id="", hover="note")
    assert upload.table.dataset.feature_names == ("a",)
    assert any("'note' is left out of the features: another text in every row" in note for note in upload.notes)
    assert any("'user_id' is left out of the features: named like an id" in note for note in upload.notes)


def test_another_way_to_read_is_another_upload_and_an_unknown_column_is_one_sentence():
    raw, _, mapping = guessed(text("a,b,label", ["1,234"] * 60, Z, YES, sep="\t").replace("a,b,label", "a\tb\tlabel"))
    other = replace(mapping, readings=(uploads.Choice("a", "number with decimal comma"),))
    one, two = uploads.build(raw, mapping), uploads.build(raw, other)
    assert uploads.upload_fingerprint(one) != uploads.upload_fingerprint(two)
    assert uploads.upload_fingerprint(two) == uploads.upload_fingerprint(uploads.build(raw, other))
    with pytest.raises(DataError, match="got 'nope': choose one of its columns"):
        uploads.build(raw, replace(mapping, readings=(uploads.Choice("nope", "number"),)))
    with pytest.raises(DataError, match="Column 'label': expected numbers, got texts such as 'no'"):
        uploads.build(raw, replace(mapping, readings=(uploads.Choice("label", "number"),)))


DIALECTS = [
    {}, {"sep": ";"}, {"sep": "\t"}, {"sep": "|"}, {"sep": ";", "decimal": ","}, {"sep": "\t", "decimal": ","},
    {"quoting": csv.QUOTE_ALL}, {"lineterminator": "\r\n"}, {"quoting": csv.QUOTE_NONNUMERIC, "lineterminator": "\r"},
    {"sep": ";", "decimal": ",", "quoting": csv.QUOTE_ALL, "lineterminator": "\r\n"},
]  # fmt: skip


@settings(max_examples=40)
@given(st.data(), st.sampled_from(DIALECTS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
def test_a_random_table_comes_back_the_same_from_every_dialect(data, how, encoding):
    n, d = data.draw(st.integers(8, 30)), data.draw(st.integers(1, 4))
    number = st.floats(-1e15, 1e15, allow_subnormal=False)
    # A first row with a decimal that is no group of three leaves no doubt of the mark.
    x = np.array(data.draw(st.lists(st.lists(number, min_size=d, max_size=d), min_size=n, max_size=n)))
    x[0] = 0.25
    word = st.text("abcäßé 'x;,|\t\"", min_size=1, max_size=6).map(lambda text: f"w{text.strip()}w")
    words = data.draw(st.lists(word, min_size=2, max_size=2, unique_by=lambda text: " ".join(text.split())))
    label = [words[k % 2] for k in range(n)]
    table = pd.DataFrame(x, columns=[f"f{k}" for k in range(d)]).assign(label=label)
    raw = read(table.to_csv(index=False, **how).encode(encoding))
    np.testing.assert_array_equal(raw.frame.iloc[:, :d].to_numpy(dtype=float), x)
    assert raw.frame["label"].tolist() == label and [*raw.frame.columns] == [*table.columns]


CELLS = [
    "1", "2.5", "-3,5", "1,234", "1.234", "?", "NA", "n.a.", "", "abc", "yes", "no", "TRUE", "false", "2024-01-01",
    "=1", "01/02/2024", "31.12.2023", "$5", "5%", "5 kg", "007", "1e5", "inf", " ", "  x ", "'=1+1", '"q"', "a;b", "\t",
    "é", "−5", "1 234", "(12)", "12:30", "Jan 5, 2024", "9" * 25, "-999", "0x1F", "\u202e", "#c", "sep=;", ".", ",",
    "-", "Total", "None", "1'000", "٣", "5,-", "1.2.3", "1e400", "+7", "\ufeff", "\u200d",
]  # fmt: skip
WAYS = ["", "number", "number with decimal comma", "category", "date", "date, day first"]


@settings(max_examples=60)
@given(
    st.data(),
    st.sampled_from([",", ";", "\t", "|", " ", ", "]),
    st.integers(1, 5),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_whatever_the_cells_are_there_is_a_table_or_one_sentence(data, sep, width, end):
    names = st.sampled_from(["id", "label", "x", "date", "zip", "y", "", "Unnamed: 0", "split", "a b", "2020", "#h"])
    few = st.lists(st.sampled_from(CELLS), min_size=1, max_size=3)
    columns = data.draw(st.lists(few, min_size=width, max_size=width))
    row = st.tuples(*map(st.sampled_from, columns))
    rows = data.draw(st.lists(row, max_size=20)) + data.draw(st.lists(st.tuples(st.sampled_from(CELLS)), max_size=1))
    lines = [sep.join(line) for line in [data.draw(st.tuples(*[names] * width)), *rows]]
    try:
        raw, described, mapping = guessed(end.join(lines))
        uploads.warnings(uploads.build(raw, mapping), tuple(described.values()))
        choice = uploads.Choice(
            data.draw(st.sampled_from([*described])), data.draw(st.sampled_from(WAYS)), ("NA", "-999")
        )
        features = tuple(name for name in described if name not in {mapping.target, mapping.id, mapping.split})
        upload = uploads.build(raw, replace(mapping, readings=(choice,), features=features))
        assert all(note.endswith(".") and len(note) < 400 for note in upload.notes)
    except DataError as error:
        assert str(error).startswith(("Expected", "Column", "Target")) and str(error).endswith(".")
        assert "\n" not in str(error) and len(str(error)) < 400
