"""Copies and remoteness against the obvious loops, and how often a test point of the same law is called far."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from influence_core.analysis.witnesses import FAR
from influence_core.compute.sparse import rows_of
from influence_core.data import DATASETS, load
from influence_core.data.neighbours import ANCHORS, Crowd, Surroundings, copies
from influence_core.settings import DataSettings


def test_copies_have_one_number():
    x = np.array([[0.0, 1.0], [2.0, 1.0], [-0.0, 1.0], [2.0, 1.0], [0.0, 1.0 + 1e-15]])
    np.testing.assert_array_equal(copies(x), [0, 1, 0, 1, 2])


def test_remoteness_is_nearest_over_the_quantile_of_nearest():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(80, 3)), random.normal(size=(9, 3)) * 4
    own = cdist(train, train)
    np.fill_diagonal(own, np.inf)
    expected = cdist(test, train).min(1) / np.quantile(own.min(1), 0.99)
    np.testing.assert_allclose(Surroundings.of(train).remoteness(test), expected, rtol=1e-9)


def test_features_without_variation_do_not_count():
    random = np.random.default_rng(1)
    train, test = random.normal(size=(50, 2)), random.normal(size=(5, 2))
    wide = np.hstack([train, np.full((50, 1), 7.0)]), np.hstack([test, np.full((5, 1), 1e6)])
    expected = Surroundings.of(train).remoteness(test)
    np.testing.assert_allclose(Surroundings.of(wide[0]).remoteness(wide[1]), expected, rtol=1e-12)


def test_all_training_points_copies():
    pairs = np.repeat(np.random.default_rng(2).normal(size=(20, 2)), 2, axis=0)
    found = Surroundings.of(pairs).remoteness(np.array([pairs[0], [50.0, 50.0]]))
    assert found[0] < 1e-6
    assert found[1] > FAR
    np.testing.assert_array_equal(Surroundings.of(np.ones((4, 2))).remoteness(np.ones((1, 2))), [0.0])


@pytest.mark.parametrize("name", [name for name, source in DATASETS.items() if source.present and not source.file])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_test_points_of_bundled_data_are_far(name, seed):
    split = load(DataSettings(name, test_fraction=0.3), seed)
    far = Surroundings.of(split.train.x).remoteness(split.test.x) > FAR
    assert far.mean() <= 0.03
    train, test = (rows_of(part.x, slice(None)) for part in (split.train, split.test))
    moved = test + 20 * train.std(0) * (np.ptp(train, axis=0) > 0)
    assert (Surroundings.of(train).remoteness(moved) > FAR).mean() > 0.9


def test_many_points_are_compared_through_anchors():
    random = np.random.default_rng(3)
    train, test = random.normal(size=(3 * ANCHORS, 2)), random.normal(size=(2_000, 2))
    found = Surroundings.of(train).remoteness(test)
    assert (found > 1).mean() == pytest.approx(0.01, abs=0.01)
    assert Surroundings.of(train).remoteness(np.array([[8.0, 8.0]]))[0] > FAR


@pytest.mark.parametrize("d", [1, 2, 5, 300])
@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-6])
def test_near_copies_are_found_in_any_dimension(d, noise):
    random = np.random.default_rng(4)
    x = random.normal(size=(400, d))
    x[[3, 90, 200]] = x[17] + noise * random.normal(size=(3, d)) / d**0.5
    assert set(Crowd(x).near(17)) == {3, 90, 200}
    assert {3, 90, 200, 17} - set(Crowd(x).near(90)) == {90}


@pytest.mark.parametrize("d", [1, 2, 5, 300])
def test_chance_is_not_called_a_copy(d):
    x = np.random.default_rng(5).normal(size=(1_000, d))
    x[:, 0] *= 3
    crowd = Crowd(x)
    assert sum(bool(len(crowd.near(row))) for row in range(1_000)) <= 10


def test_a_test_point_among_the_training_points():
    x = np.random.default_rng(6).normal(size=(50, 3))
    assert list(Crowd(x).same(x[7])) == [7]
    assert list(Crowd(x).same(x[7] + 1e-3)) == []
