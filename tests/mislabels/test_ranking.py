"""Rankings and what they find: exact counts, ties by id, AUC as the share of pairs."""

import itertools

import numpy as np
import pytest

from influence_core.mislabels import auc, detection, mean_and_error, percentiles, places, rank

IDS = np.array([f"row-{k:05d}" for k in range(8)])


def test_most_suspicious_first_and_ties_by_id():
    suspicion = np.array([1.0, 3.0, 3.0, 0.0, 3.0, 1.0, 9.0, 0.0])
    assert rank(suspicion, places(IDS)).tolist() == [6, 1, 2, 4, 0, 5, 3, 7]
    assert rank(suspicion, places(IDS[::-1])).tolist() == [6, 4, 2, 1, 5, 0, 7, 3]


def test_the_queue_does_not_depend_on_the_order_of_the_rows():
    random = np.random.default_rng(0)
    suspicion = random.integers(0, 3, size=8).astype(float)
    shuffle = random.permutation(8)
    queue = IDS[rank(suspicion, places(IDS))]
    shuffled = IDS[shuffle][rank(suspicion[shuffle], places(IDS[shuffle]))]
    assert queue.tolist() == shuffled.tolist()


def test_places_follow_the_sorted_ids():
    ids = np.array(["b", "a", "d", "c"])
    assert ids[np.argsort(places(ids))].tolist() == ["a", "b", "c", "d"]


def test_what_is_no_number_has_no_place():
    with pytest.raises(ValueError, match="NaN in row 1"):
        rank(np.array([0.0, np.nan]), places(IDS[:2]))


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_pairs_in_the_right_order(seed):
    random = np.random.default_rng(seed)
    suspicion, flipped = random.integers(0, 6, size=30).astype(float), random.random(30) < 0.3
    pairs = list(itertools.product(suspicion[flipped], suspicion[~flipped]))
    expected = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])
    assert auc(suspicion, flipped).value == pytest.approx(expected, rel=1e-12)
    assert auc(-suspicion, flipped).value == pytest.approx(1 - expected, rel=1e-12)
    assert auc(np.exp(suspicion), flipped).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("flipped", [np.zeros(8, dtype=bool), np.ones(8, dtype=bool)])
def test_auc_needs_both_kinds(flipped):
    assert auc(np.arange(8.0), flipped).value is None


def test_exact_counts_of_found_flips():
    suspicion = np.array([8.0, 7, 6, 5, 4, 3, 2, 1])
    flipped = np.array([True, False, True, False, False, True, False, False])
    found = detection(suspicion, flipped, places(IDS), [0, 0.25, 0.375, 0.75, 1])
    assert found.checked.tolist() == [0, 2, 3, 6, 8]
    assert found.found.tolist() == [0, 1, 2, 3, 3]
    np.testing.assert_allclose(found.recall, [0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(found.precision, [np.nan, 1 / 2, 2 / 3, 1 / 2, 3 / 8])
    assert found.auc.value == pytest.approx((5 + 4 + 2) / 15)  # correct points below each flip


def test_without_flips_there_is_no_recall():
    found = detection(np.arange(8.0), np.zeros(8, dtype=bool), places(IDS), [0.5])
    assert found.found.tolist() == [0]
    assert np.isnan(found.recall).all()


def test_percentiles_count_ties_half():
    np.testing.assert_allclose(percentiles(np.array([3.0, 1, 2, 2])), [87.5, 12.5, 50, 50])


def test_mean_and_standard_error():
    values = np.array([[1.0, 2], [3, 2], [8, 2]])
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(mean, [4, 2])
    np.testing.assert_allclose(error, [np.sqrt((9 + 1 + 16) / 2 / 3), 0])
    assert np.isnan(mean_and_error(values[:1])[1]).all()
