"""What is understood by a rule, or may be meant otherwise, is said; what cannot be a feature is none by guess."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from influence_core.data import DataError, uploads

N = 60


def table(head: str, cells: Callable[[int], str]) -> bytes:
    """Column ``head``, a column of numbers and one of two classes."""
    return (
        f"{head},b,y\n" + "".join(f'"{cells(k)}",{k * 7 % 11 / 4},{["cat", "dog"][k % 2]}\n' for k in range(N))
    ).encode()


def understood(content: bytes) -> tuple[uploads.Upload, list[str]]:
    """The data by guess, and all that is said of them."""
    raw = uploads.read_upload("t.csv", content)
    columns = uploads.describe_columns(raw)
    mapping = uploads.guess_mapping(raw, columns)
    made = uploads.build(raw, mapping)
    return made, [*raw.notes, *uploads.left_out(raw, columns, mapping), *uploads.warnings(made, columns)]


@pytest.mark.parametrize(
    "cells, value, said",
    [
        (lambda k: f"({k + 1}.50)" if k % 3 else f"{k + 1}.50", -2.5, r"'\(2.50\)' = -2.5"),
        (lambda k: f"{k + 1}.50-" if k % 3 else f"{k + 1}.50", -2.5, "'2.50-' = -2.5"),
        (lambda k: f"'{k + 1}.25'", 2.25, "apostrophes around numbers were left out: .*1.25"),
        (lambda k: f"'{k + 1}.25", 2.25, "apostrophes around numbers were left out: .*1.25"),
    ],
    ids=["brackets", "minus behind", "in quotation marks", "after an apostrophe"],
)
def test_numbers_by_rule_are_numbers_and_signs_are_said(cells, value, said):
    made, words = understood(table("amount", cells))
    assert made.table.dataset.x[1, 0] == value
    assert any(re.search(said, word) for word in words)


@pytest.mark.parametrize(
    "cells, units",
    [
        (lambda k: f"{k + 0.5} {['kg', 'lb'][k % 2]}", "kg, lb"),
        (lambda k: f"{k + 0.5}{'NS'[k % 2]}", "N, S"),
        (lambda k: f"{'$€'[k % 2]}{k + 0.5}", r"\$, €"),
        (lambda k: f"{k + 0.5} {['DR', 'CR'][k % 2]}", "CR, DR"),
        (lambda k: f"{k} {['KB', 'MB', 'GB'][k % 3]}", "GB, KB, MB"),
        (lambda k: f"{k % 40 + 1}{['g', 'kg'][k % 2]}", "g, kg"),
    ],
)
def test_numbers_in_several_units_are_no_feature_and_it_is_said(cells, units):
    made, words = understood(table("size", cells))
    assert made.mapping.features == ("b",)
    assert any(re.search(rf"'size': numbers in several units \({units}\), which are not converted", w) for w in words)


@pytest.mark.parametrize("cells", [lambda k: f"{k % 5}{'ABC'[k % 3]}", lambda k: f"{'AB'[k % 2]}{k % 5}"])
def test_codes_of_places_have_no_units(cells):
    made, words = understood(table("seat", cells))
    assert made.mapping.features == ("seat", "b")
    assert not any("units" in word for word in words)


@pytest.mark.parametrize(
    "cells", [lambda k: f"{k % 7}/{k % 5 + 1}", lambda k: f"0x{(k * 37) % 50:x}"], ids=["ratio", "hex"]
)
def test_a_text_that_is_another_in_most_rows_is_no_feature(cells):
    made, words = understood(table("code", cells))
    assert made.mapping.features == ("b",)
    assert "'code' is left out of the features: another text in most rows." in words


def test_the_weight_of_a_row_is_no_feature():
    made, words = understood(table("sample_weight", lambda k: f"{(k * 13 % 17) / 10}"))
    assert made.mapping.features == ("b",)
    assert any("'sample_weight' is left out" in word and "counts alike" in word for word in words)
    assert understood(table("weight", lambda k: f"{(k * 13 % 17) / 10}"))[0].mapping.features == ("weight", "b")


def test_classes_and_categories_that_differ_in_capitals_are_pointed_out():
    content = table("city", lambda k: ["Rome", "Oslo", "rome"][k % 3]).replace(b",cat\n", b",Cat\n", 9)
    _, words = understood(content)
    assert any("'city=Rome' and 'city=rome' are two features" in word for word in words)
    assert any("'Cat' and 'cat' are two classes" in word for word in words)
    assert not any("are two" in w for w in understood(table("city", lambda k: ["Rome", "Oslo"][k % 2]))[1])


@pytest.mark.parametrize("size, unit", [(1, "seconds"), (1000, "milliseconds")])
def test_seconds_since_1970_are_told(size, unit):
    made, words = understood(table("created_at", lambda k: f"{(1_600_000_000 + 3_601 * k) * size}"))
    assert made.table.dataset.x[1, 0] == 1_600_003_601 * size
    assert any(f"by their size {unit} since 1970" in word for word in words)
    assert not any("1970" in word for word in understood(table("runtime", lambda k: f"{k}"))[1])


def test_one_bad_byte_does_not_turn_utf8_into_another_script():
    good = table("city", lambda k: ["Zürich", "Århus"][k % 2])
    assert np.unique(understood(good)[0].table.dataset.feature_names).tolist() == ["b", "city=Zürich", "city=Århus"]
    bad = good.replace("Zürich".encode(), b"Z\xffrich", 2)
    with pytest.raises(
        DataError, match="got bytes that are none in line 2: mend that line, or choose another encoding"
    ):
        uploads.read_upload("t.csv", bad)
    western = good.decode().encode("cp1252")
    assert "city=Zürich" in understood(western)[0].table.dataset.feature_names
