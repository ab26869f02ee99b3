"""Drawings: text and points are two forms of one thing, and any small plane problem can become one."""

import re
import urllib.parse

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from influence_core.data import DataError, drawn, load
from influence_core.data.drawn import DEFAULT, EDGE, MOST_POINTS, Point, draw, parse, shortage, text_of
from influence_core.settings import DataSettings, Settings, SettingsError, from_query, to_query

WHOLE = st.integers(-EDGE, EDGE)
POINTS = st.lists(st.builds(Point, st.sampled_from("abcde"), st.booleans(), WHOLE, WHOLE), max_size=MOST_POINTS)
SMALL = "a0_0.a10_-10.b200_200.b190_210.A5_5.B150_160"


@given(POINTS)
def test_text_and_points_are_two_forms_of_one_thing(points: list[Point]) -> None:
    text = text_of(points)
    assert parse(text) == tuple(points)
    assert len(text) <= 13 * len(points)
    assert urllib.parse.quote_plus(text) == text  # a link shows it as it is


@given(st.text(alphabet="abEF01289-_.,: é٣", max_size=40))
def test_a_text_is_refused_with_a_sentence_or_is_the_only_text_of_its_points(text: str) -> None:
    try:
        points = parse(text)
    except SettingsError as error:
        assert str(error).startswith("Point")
    else:
        assert text_of(points) == text


@given(POINTS)
def test_a_drawing_loads_or_says_what_is_missing(points: list[Point]) -> None:
    settings = DataSettings("drawn", (("points", text_of(points)),))
    lacking = shortage(points)
    letters = {p.letter for p in points}
    trained = [p.letter for p in points if not p.test]
    enough = all(trained.count(letter) >= 2 for letter in letters) and len(letters) >= 2
    assert (lacking == "") == (enough and len(trained) < len(points))
    if lacking:
        with pytest.raises(DataError, match=re.escape(lacking)):
            load(settings, 0)
        return
    split = load(settings, 0)
    for part, test in ((split.train, False), (split.test, True)):
        mine = [(k, p) for k, p in enumerate(points) if p.test is test]
        np.testing.assert_array_equal(part.x, [(p.x / 100, p.y / 100) for _, p in mine])
        assert list(part.ids) == [f"drawn-{k:05d}" for k, _ in mine]
        assert [part.class_names[y] for y in part.y] == [f"class {p.letter}" for _, p in mine]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a1_2;b3_4", "Point 1: expected a letter from a to e"),
        ("a1_2.", "Point 2: expected a letter"),
        ("f1_2", "got 'f1_2'"),
        ("a01_2", "got 'a01_2'"),
        ("a-0_2", "got 'a-0_2'"),
        ("a1.5_2", "Point 1"),
        ("a٣_2", "Point 1"),
        ("a1_2\n", "Point 1"),
        ("a1_2.a1001_0", "Point 2: expected coordinates from -1000 to 1000 hundredths"),
        ("<img src=x onerror=alert(1)>", "Point 1"),
        (".".join(["a1_2"] * 301), "at most 300, got more"),
        ("9" * 10**7, "Point"),
        ("." * 10**7, "at most 300"),
    ],
)
def test_hostile_texts_are_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        load(DataSettings("drawn", (("points", text),)), 0)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one test point, got none"),
        ("a0_0.a1_1.b5_5.b6_6", "one test point, got none"),
        ("a0_0.a1_1.A5_5", "two classes, got a only"),
        ("a0_0.a1_1.b5_5.A5_5", "got 1 of class b"),
        ("a0_0.a1_1.b5_5.b5_5.C5_5", "got 0 of class c"),
    ],
)
def test_what_a_model_lacks_is_said(text: str, words: str) -> None:
    assert words in shortage(parse(text))


def test_features_are_used_as_they_are_and_moving_one_point_moves_nothing_else() -> None:
    before = load(DataSettings("drawn", (("points", SMALL),)), 0)
    after = load(DataSettings("drawn", (("points", SMALL.replace("a10_-10", "a900_-10")),)), 7)
    assert (before.scaling.scale == 1).all() and (before.scaling.mean == 0).all()
    assert np.array_equal(before.test.x, after.test.x)
    assert np.flatnonzero((before.train.x != after.train.x).any(1)).tolist() == [1]


def test_the_usual_drawing_is_analysable_and_one_point_lies_far_out() -> None:
    split = load(DataSettings("drawn"), 0)
    assert shortage(parse(DEFAULT)) == "" and len(split.train) == 41 and len(split.test) == 6
    reach = np.abs(split.train.x).sum(1)
    assert reach.argmax() == 40 and split.train.class_names[split.train.y[40]] == "class a"


@pytest.mark.parametrize(
    "settings",
    [
        DataSettings("blobs", (("n", 200),), flip_fraction=0.1),
        DataSettings("blobs", (("n", 250),), validation_fraction=0.2, standardise=False, flip_fraction=0.05),
        DataSettings("moons", (("n", 300), ("noise", 0.3)), test_fraction=0.3),
    ],
)
def test_a_plane_problem_becomes_a_drawing_with_the_same_rows_and_flips(settings: DataSettings) -> None:
    split = load(settings, 3)
    text = draw(split)
    copy = load(DataSettings("drawn", (("points", text),), flip_fraction=settings.flip_fraction), 3)
    for old, new in ((split.train, copy.train), (split.test, copy.test)):
        assert np.abs(split.scaling.invert(old.x) - new.x).max() <= 0.005 + 1e-9
        assert np.array_equal(old.y, new.y)
    assert np.array_equal(split.flipped, copy.flipped) and np.array_equal(split.original_y, copy.original_y)
    assert draw(copy) == text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DataSettings("blobs"), "At most 300 points can be edited by hand, these are 600"),
        (DataSettings("blobs", (("n", 100), ("mean1_x", -10.0), ("sigma", 5.0))), "within ±10"),
        (DataSettings("iris"), "two features"),
        (DataSettings("linear_example"), "two features and two to 5 classes"),
    ],
)
def test_what_cannot_be_drawn_says_why(settings: DataSettings, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        draw(load(settings, 0))


def test_a_drawing_in_a_link_comes_back() -> None:
    settings = Settings(data=DataSettings("drawn", (("points", SMALL),)))
    query = to_query(settings)
    assert query["data.points"] == SMALL
    assert from_query(query) == (settings, ())
    assert drawn.parse(SMALL)[0] == Point("a", False, 0, 0)
