"""Tables of mixed columns: names, values, classes, and refusals that say where."""

import numpy as np
import pandas as pd
import pytest

from influence_core.data import DataError, encode

FRAME = pd.DataFrame(
    {
        "weight": [1, 2, 3, 4],
        "colour": pd.Categorical(["red", "blue", "red", "green"]),
        "old": [True, False, False, True],
        "town": ["Bern", "Ulm", "Ulm", "Bern"],
        "price": [1.5, -2.0, 0.0, 3.25],
        "kind": ["b", "a", "c", "a"],
    }
)


def test_texts_become_named_columns_and_numbers_stay():
    data = encode(FRAME, "price", "item")
    assert data.feature_names == (
        "weight", "colour=blue", "colour=green", "colour=red", "old=False", "old=True", "town=Bern", "town=Ulm",
        "kind=a", "kind=b", "kind=c",
    )  # fmt: skip
    assert data.x.tolist() == [
        [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0],
        [2, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0],
        [3, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1],
        [4, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0],
    ]
    assert data.y.tolist() == [1.5, -2, 0, 3.25] and data.y.dtype == np.float64 and data.classes == 0
    assert data.ids.tolist() == ["item-00000", "item-00001", "item-00002", "item-00003"]


def test_a_text_target_becomes_sorted_classes():
    data = encode(FRAME, "kind")
    assert data.class_names == ("a", "b", "c") and data.y.tolist() == [1, 0, 2, 0] and data.y.dtype == np.int64
    assert data.target_name == "kind"


@pytest.mark.parametrize(
    ("values", "task", "names"),
    [
        ([0, 1, 1, 0], "auto", ("0", "1")),
        ([1.5, 1.5, 2.0, 2.0], "auto", ("1.5", "2")),
        ([0.1, 0.1, 10.0, 2.0], "classification", ("0.1", "2", "10")),
        ([True, False, True, True], "auto", ("False", "True")),
        ([3, 1, 2, 1], "auto", ()),
        ([0, 1, 1, 0], "regression", ()),
    ],
)
def test_kind_of_the_target(values, task, names):
    data = encode(FRAME.assign(target=values), "target", task=task)
    assert data.class_names == names
    if names:
        assert [names[label] for label in data.y] == [str(value).removesuffix(".0") for value in values]
    else:
        assert data.y.tolist() == values


def test_row_labels_and_the_callers_table_do_not_matter():
    shuffled = FRAME.set_axis([9, 9, 3, 1])
    assert encode(shuffled, "price").fingerprint == encode(FRAME, "price").fingerprint
    assert shuffled.index.tolist() == [9, 9, 3, 1] and shuffled["weight"].dtype == FRAME["weight"].dtype


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        ({"weight": [1, np.nan, 3, np.nan]}, "price", r"'weight': 2 of 4 values are missing, the first in data row 2"),
        ({"town": ["Bern", None, "Ulm", "Ulm"]}, "price", "'town': 1 of 4 values are missing"),
        ({"kind": ["a", "b", None, "a"]}, "kind", "'kind': 1 of 4 values are missing, the first in data row 3"),
        ({"weight": [1, 2, np.inf, 4]}, "price", r"'weight': expected finite numbers, got inf in data row 3"),
        ({"price": [1, 2, -np.inf, 4]}, "price", r"'price': expected finite numbers"),
        ({"weight": pd.date_range("2020-01-01", periods=4)}, "price", "expected numbers, texts or true/false"),
        ({"weight": [1j, 2, 3, 4]}, "price", "expected numbers, texts or true/false, got complex128"),
        ({"kind": "a"}, "kind", "at least two different values"),
        ({"price": 2.0}, "price", "at least two different values"),
        ({}, "cost", "expected one of the columns, got 'cost'"),
        ({"old=True": [1, 2, 3, 4]}, "price", "same name after encoding"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_with_a_sentence(change, target, words):
    with pytest.raises(DataError, match=words):
        encode(FRAME.assign(**change), target)


def test_columns_of_the_same_name_texts_without_repeats_and_small_tables_are_refused():
    with pytest.raises(DataError, match="got 'kind' twice"):
        encode(pd.concat([FRAME, FRAME[["kind"]]], axis=1), "price")
    names = pd.DataFrame({"name": [f"n{row}" for row in range(101)], "y": np.arange(101.0)})
    with pytest.raises(DataError, match="'name' has 101 different texts, expected at most 100"):
        encode(names, "y")
    assert encode(names.head(100), "y").x.shape == (100, 100)
    with pytest.raises(DataError, match="expected at most 100 classes, got 101"):
        encode(names, "name")
    with pytest.raises(DataError, match="expected numbers for regression"):
        encode(FRAME, "kind", task="regression")
    with pytest.raises(DataError, match="at least 2 rows and 2 columns, got 1 and 6"):
        encode(FRAME.head(1), "price")
    with pytest.raises(DataError, match="got 4 and 1"):
        encode(FRAME[["price"]], "price")
