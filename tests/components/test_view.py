"""The view in a link: round trips, and tampered links that give a sentence instead of an exception."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from influence_core.settings import SettingsError
from pages.components.session.view import (
    ASKS,
    FLIPS,
    HIDABLE,
    LONGEST,
    PANELS,
    SENTENCES,
    View,
    from_query,
    group_text,
    rows_of,
    to_query,
)

NAMED = {"all": np.arange(20), "wrong": np.array([3, 5])}
LINES = some.lists(some.text("aZ7<*_[](:)$é👍", min_size=1), max_size=6).map(" ".join)
views = some.builds(
    View,
    test=some.integers(0, 10**8),
    train=some.none() | some.integers(0, 10**8),
    ask=some.sampled_from(ASKS),
    tests=some.text(max_size=50),
    group=some.text(max_size=50),
    lock=some.booleans(),
    symlog=some.booleans(),
    magnitude=some.booleans(),
    feature=some.none() | some.integers(0, 10**8),
    output=some.none() | some.integers(0, 10**8),
    compare=some.booleans(),
    trial_damping=some.none() | some.floats(0, 1e9),
    flip=some.none() | some.sampled_from(FLIPS),
    threshold=some.none() | some.floats(-1e15, 1e15),
    lesson=some.text(max_size=50),
    step=some.integers(1, 10**8),
    tune=some.text(max_size=50),
    hide=some.lists(some.sampled_from(list(HIDABLE)), unique=True).map(",".join),
    title=LINES.filter(lambda words: len(words) <= SENTENCES["title"]),
    question=LINES.filter(lambda words: len(words) <= SENTENCES["question"]),
    present=some.booleans(),
    panel=some.sampled_from(PANELS),
    version=some.none() | some.integers(0, 10**8),
    strategy=some.text(max_size=50),
    place=some.none() | some.integers(0, 10**8),
)


@given(views)
def test_a_link_restores_the_view(view: View) -> None:
    assert from_query(to_query(view)) == (view, ())


def test_a_link_names_what_differs_from_the_defaults_only() -> None:
    assert to_query(View()) == {}
    assert to_query(View(0)) == {"test": "0"}
    assert to_query(View(4, 2, group="1-3")) == {"test": "4", "train": "2", "group": "1-3"}


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"test": "-1"}, "test point"),
        ({"test": "9" * 30}, "test point"),
        ({"train": "²"}, "training point"),
        ({"ask": "everything"}, "expected one of"),
        ({"lock": "maybe"}, "true or false"),
        ({"feature": "-3"}, "number of a feature"),
        ({"trial_damping": "nan"}, "damping"),
        ({"threshold": "1e99"}, "threshold: expected a value from"),
        ({"flip": "turn"}, "flip: expected one of"),
        ({"panel": "cellar"}, "expected one of"),
        ({"version": "-1"}, "version of the queue"),
        ({"place": "x"}, "number of a card"),
        ({"group": "1" * (LONGEST + 1)}, "characters"),
        ({"step": "-1"}, "step of a lesson"),
        ({"step": "0"}, "count from 1, got 0"),
        ({"title": "x" * 81}, "title: expected at most 80 characters, got 81"),
        ({"question": "x" * 241}, "question: expected at most 240 characters"),
        ({"present": "perhaps"}, "true or false"),
        ({"hide": "group,everything"}, "expected some of"),
    ],
)
def test_a_tampered_link_gives_one_sentence_and_the_default(query: dict[str, str], word: str) -> None:
    view, (sentence,) = from_query(query)
    assert view == View()
    assert word in sentence
    assert sentence.endswith("The default is used.")


def test_the_words_of_a_lesson_link_are_one_line_of_what_can_be_seen() -> None:
    view, problems = from_query({"title": " Who\n\tholds\x00 it?\u202e ", "present": "1"})
    assert (view.title, view.present, problems) == ("Who holds it?", True, ())


@given(some.dictionaries(some.sampled_from(list(View.__dataclass_fields__)), some.text()))
def test_no_link_raises(query: dict[str, str]) -> None:
    view, problems = from_query(query)
    assert isinstance(view, View)
    assert len(problems) <= len(query)


@given(some.sets(some.integers(0, 500)))
def test_ranges_name_rows_and_back(rows: set[int]) -> None:
    chosen = np.array(sorted(rows), dtype=np.int64)
    np.testing.assert_array_equal(rows_of(group_text(chosen), 501, {}), chosen)


def test_groups_by_name_and_by_numbers() -> None:
    assert rows_of("wrong", 20, NAMED).tolist() == [3, 5]
    assert rows_of("", 20, NAMED).tolist() == []
    assert rows_of("7, 2-4,3", 20, NAMED).tolist() == [2, 3, 4, 7]


@pytest.mark.parametrize("text", ["4-2", "20", "1,,2", "a", "-3", "3-", "1-2-3", "٣"])
def test_a_group_that_does_not_exist_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="Group: expected"):
        rows_of(text, 20, NAMED)
