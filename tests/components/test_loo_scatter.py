"""The LOO scatter: what is sent is what was measured and predicted, and the words name every number."""

import json
import struct

import numpy as np
import pytest

from influence_core.agreement import agreement
from pages.components.browser.loo_scatter import TOP, Look, Pairs, layers, picked, scatter_message, summary
from pages.components.browser.map import MapView, Scene, map_message

RANDOM = np.random.default_rng(0)
MEASURED = RANDOM.normal(size=60)
PREDICTED = 0.8 * MEASURED + 0.05 * RANDOM.normal(size=60)
SCENE = Scene(
    fingerprint="f",
    train_xy=np.zeros((60, 2)),
    test_xy=np.zeros((7, 2)),
    train_class=np.zeros(60, int),
    test_class=np.zeros(7, int),
    class_names=(),
    train_labels=[f"train-{i}" for i in range(60)],
    test_labels=[f"test-{i}" for i in range(7)],
    flipped=np.zeros(60, bool),
    axis_titles=("x", "y"),
)


def unpacked(pairs: Pairs, look: Look) -> dict:
    raw = scatter_message(SCENE, pairs, look)
    length = struct.unpack_from("<I", raw)[0]
    found = json.loads(raw[4 : 4 + length])
    offset = 4 + length
    for name, kind, size in found["arrays"]:
        found[name] = np.frombuffer(raw, "<f4" if kind == "f" else "<i4", size, offset)
        offset += 4 * size
    return found


def test_every_point_travels_with_both_changes_and_no_text() -> None:
    found = unpacked(Pairs(MEASURED, PREDICTED), Look(sign=-1, selected=5, group=np.array([3, 1])))
    np.testing.assert_allclose(found["measured"], MEASURED, rtol=1e-6)
    np.testing.assert_allclose(found["predicted"], PREDICTED, rtol=1e-6)
    assert (found["sign"], found["selected"], found["group"].tolist(), found["side"]) == (-1, 5, [3, 1], "train")
    sizes = [len(scatter_message(SCENE, Pairs(*RANDOM.normal(size=(2, n))), Look())) for n in (1_000, 8_000)]
    assert sizes[1] - sizes[0] == pytest.approx(8 * 7_000, abs=16)


def test_what_the_map_shows_is_not_sent_again() -> None:
    look, pairs = Look(sign=-1), Pairs(MEASURED, PREDICTED, coloured=-PREDICTED)
    found, sent = unpacked(pairs, look), map_message(SCENE, -PREDICTED, MapView(), lasso=False)
    assert "predicted" not in found and f'"coloured":"{found["coloured"]}"'.encode() in sent
    assert len(scatter_message(SCENE, pairs, look)) < len(scatter_message(SCENE, Pairs(MEASURED, PREDICTED), look))
    assert unpacked(Pairs(MEASURED, PREDICTED, coloured=PREDICTED), look)["coloured"] != found["coloured"]


def test_the_strongest_twenty_and_the_others_have_their_own_r() -> None:
    rest, top = layers(Pairs(MEASURED, PREDICTED))
    assert sorted([*rest, *top]) == list(range(60)) and len(top) == TOP
    assert np.abs(PREDICTED[rest]).max() <= np.abs(PREDICTED[top]).min()
    for rows, name in zip((rest, top), unpacked(Pairs(MEASURED, PREDICTED), Look())["names"], strict=True):
        assert f"r = {np.corrcoef(MEASURED[rows], PREDICTED[rows])[0, 1]:.3f}" in name


def test_axes_are_equal_for_changes_and_free_for_rankings() -> None:
    pairs = Pairs(MEASURED, 100 * PREDICTED)
    assert unpacked(pairs, Look())["reach"] == [pytest.approx(106 * np.abs(PREDICTED).max())] * 2
    reach = unpacked(pairs, Look(unit="a ranking", equal=False))["reach"]
    assert reach == pytest.approx([106 * np.abs(PREDICTED).max(), 1.06 * np.abs(MEASURED).max()])


def test_refits_without_a_certificate_are_left_out() -> None:
    measured = MEASURED.copy()
    strongest = int(np.abs(PREDICTED).argmax())
    measured[strongest] = np.nan
    assert strongest not in np.concatenate(layers(Pairs(measured, PREDICTED)))
    found = unpacked(Pairs(measured, PREDICTED), Look())
    assert np.isnan(found["measured"][strongest]) and found["names"][1].startswith("20")
    assert np.isfinite(found["reach"]).all()


@pytest.mark.parametrize("values", [np.full(3, np.nan), np.zeros(3), np.ones(3), np.zeros(0)])
def test_nothing_to_correlate_is_said(values: np.ndarray) -> None:
    found = unpacked(Pairs(values, np.zeros(len(values))), Look())
    assert all("r = undefined" in name for name in found["names"]) and min(found["reach"]) > 0


def test_both_axes_say_their_sign_in_words() -> None:
    found = unpacked(Pairs(MEASURED, PREDICTED), Look("nats", "nats", sign=-1, ends=("helpful", "harmful")))
    assert found["words"] == "← helpful | harmful →"
    assert found["titles"] == [
        "predicted, nats",
        "measured by refits, nats",
    ]


@pytest.mark.parametrize(("side", "count"), [("train", 60), ("test", 7)])
def test_a_click_names_a_point_of_its_side(side, count) -> None:
    assert picked(SCENE, side, {"fingerprint": "f", "index": count - 1}) == count - 1
    for event in (None, [], "f", {}, {"index": 0}, {"fingerprint": "g", "index": 0}):
        assert picked(SCENE, side, event) is None
    for index in (count, -1, True, 1.0, "1", None, [0], 2**70):
        assert picked(SCENE, side, {"fingerprint": "f", "index": index}) is None


def test_the_summary_names_every_number() -> None:
    found = agreement(MEASURED, PREDICTED)
    text = summary(found)
    assert f"r = {found.r}" in text
    assert f"slope = {found.slope}" in text
    assert "n = 60" in text
    assert "slope" not in summary(found, sized=False) and f"ρ = {found.rho}" in summary(found, sized=False)
