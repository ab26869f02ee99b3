"""The board's pure parts: what it sends, what it takes from a browser, how the plane is divided."""

import json
import struct

import numpy as np
import pytest

from pages.components.browser.board import (
    HALVES,
    LONGEST,
    MOST_POINTS,
    Board,
    Colours,
    Event,
    Plane,
    event_of,
    half_for,
    plane_of,
)
from pages.components.browser.map import MapView

GOOD = {"seq": 3, "points": "a1_2.B3_4", "asked": 1, "selected": 0, "live": False}


def read(message: bytes) -> dict:
    (length,) = struct.unpack("<I", message[:4])
    header = json.loads(message[4 : 4 + length])
    at = 4 + length
    for name, kind, size in header["arrays"]:
        header[name] = np.frombuffer(message, "<f4" if kind == "f" else "<i4", size, at)
        at += 4 * size
    return header


def test_a_well_formed_event_is_read_and_undo_has_no_drawing() -> None:
    assert event_of(GOOD) == Event(3, "a1_2.B3_4", 1, 0, False)
    assert event_of(GOOD | {"asked": None, "selected": None, "live": True}) == Event(3, "a1_2.B3_4", live=True)
    assert event_of({"seq": 4, "undo": True, "points": "ignored"}) == Event(4)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": -1}, {"seq": "3"}, {"seq": True}, {"seq": 2**60}, {"seq": None}, {"points": None}, {"points": 5},
        {"points": "a" * (LONGEST + 1)}, {"points": ["a1_2"]}, {"asked": -1}, {"asked": MOST_POINTS}, {"asked": 1.0},
        {"selected": "0"}, {"selected": [0]}, {"live": 1}, {"live": None}, {"undo": "yes", "points": None},
    ],
)  # fmt: skip
def test_hostile_events_are_ignored(change: dict) -> None:
    assert event_of(GOOD | change) is None


@pytest.mark.parametrize("value", [None, 7, "edited", [GOOD], {}])
def test_other_values_are_no_event(value: object) -> None:
    assert event_of(value) is None


def test_the_plane_holds_every_point_and_never_shrinks() -> None:
    for reach in np.linspace(0, 10, 101):
        assert half_for(float(reach)) >= reach
    assert [half_for(0.5), half_for(3.2), half_for(3.9), half_for(10.0)] == [HALVES[0], 4.0, 6.0, HALVES[-1]]
    assert half_for(0.5, least=6.0) == 6.0


def test_boundary_of_two_classes_is_where_they_are_equally_likely() -> None:
    x = np.linspace(-2, 2, 41)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(x, x)], 1)
    p = 1 / (1 + np.exp(-(grid @ [2.0, 1.0] - 0.5)))
    plane = plane_of(x, np.stack([1 - p, p], 1), np.array([0, 3]))
    assert np.abs(np.concatenate(plane.boundary) @ [2.0, 1.0] - 0.5).max() < 1e-3
    at = (plane.kind == 3).ravel()
    assert np.array_equal(at, grid @ [2.0, 1.0] > 0.5)
    np.testing.assert_allclose(plane.strength.ravel(), np.abs(2 * p - 1), atol=1e-12)


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.4, 0.0, -0.7)])  # lines as long as each other, and not
def test_boundaries_of_three_classes_separate_the_two_likeliest(offset: tuple[float, ...]) -> None:
    x = np.linspace(-2, 2, 61)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(x, x)], 1)
    weights = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    raw = np.exp(grid @ weights.T + offset)
    plane = plane_of(x, raw / raw.sum(1, keepdims=True), np.arange(3))
    places = np.concatenate(plane.boundary)
    ends = np.sort(places @ weights.T + offset, axis=1)
    assert np.abs(ends[:, 2] - ends[:, 1]).max() < 0.15  # linear within a cell of the grid
    assert (places[:, 1] > 1).any() and (places[:, 1] < -1).any()
    assert set(plane.kind.ravel()) == {0, 1, 2}
    assert 0 <= plane.strength.min() < 0.05 and plane.strength.max() > 0.9


def test_message_holds_the_drawing_and_the_colours_in_the_order_of_the_text() -> None:
    x = np.linspace(-2, 2, 3)
    plane = Plane(np.ones((3, 3), int), np.full((3, 3), 0.5), [np.array([[0.0, 1.0], [2.0, 3.0]])])
    view = MapView(limit=2.0, unit="nats", alt="said aloud")
    colours = Colours(np.array([1.5, np.nan, -9.0]), np.array([0, 1, 1]), np.array([2]), plane, view)
    board = Board("a1_2.B3_4.b5_6", 4.0, asked=1, seq=9, undo=True, colours=colours)
    got = read(board.message)
    assert (got["points"], got["half"], got["asked"], got["selected"]) == ("a1_2.B3_4.b5_6", 4.0, 1, None)
    assert (got["seq"], got["undo"], got["sentence"], got["alt"], got["limit"]) == (9, True, "", "said aloud", 2.0)
    assert got["scores"][0] == 1.5 and np.isnan(got["scores"][1]) and got["scores"][2] == -9
    assert got["labels"].tolist() == [0, 1, 1] and got["flipped"].tolist() == [2]
    assert [got[f"boundary_{axis}"][:2].tolist() for axis in "xy"] == [[0, 2], [1, 3]]
    assert len(got["field_class"]) == len(x) ** 2
    plain = read(Board("a1_2", 2.0, sentence="Why not.").message)
    assert plain["sentence"] == "Why not." and "scores" not in plain
