"""Generators against the law they draw from, and the linear example against its published numbers."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from influence_core.data import DATASETS, DataError, load
from influence_core.data.generators import optimal_boundary
from influence_core.settings import DataSettings, SettingsError, resolve

CASES = [
    (np.array([-1.0, -1.0]), np.array([1.0, 1.0]), 1.0, 0.5),
    (np.array([0.5, -2.0]), np.array([1.5, 0.0]), 1.3, 0.2),
    (np.array([3.0, 1.0]), np.array([2.0, -1.0]), 0.7, 0.85),
]


@pytest.mark.parametrize(("mean1", "mean2", "sigma", "share1"), CASES)
def test_boundary_separates_where_the_posterior_changes_sides(mean1, mean2, sigma, share1):
    boundary = optimal_boundary(mean1, mean2, sigma, share1)
    grid = np.stack(np.meshgrid(np.linspace(-6, 6, 121), np.linspace(-6, 6, 121)), axis=-1).reshape(-1, 2)
    density1, density2 = (multivariate_normal(mean, sigma**2 * np.eye(2)).logpdf(grid) for mean in (mean1, mean2))
    log_odds = density2 + np.log(1 - share1) - density1 - np.log(share1)
    side = grid @ np.array(boundary.weights) - boundary.offset
    clear = np.abs(log_odds) > 1e-9
    assert np.array_equal(side[clear] > 0, log_odds[clear] > 0)
    assert 0 < (side > 0).mean() < 1
    np.testing.assert_allclose(side / sigma**2, log_odds, atol=1e-9)


@pytest.mark.parametrize(("mean1", "mean2", "sigma", "share1"), CASES)
def test_bayes_error_is_what_the_best_rule_gets_wrong(mean1, mean2, sigma, share1):
    n = 400_000
    random = np.random.default_rng(11)
    second = random.random(n) >= share1
    x = np.where(second[:, None], mean2, mean1) + sigma * random.standard_normal((n, 2))
    # The decision is by the density itself, not by the boundary under test.
    near1, near2 = (((x - mean) ** 2).sum(axis=1) / (2 * sigma**2) for mean in (mean1, mean2))
    guess = np.log(1 - share1) - near2 > np.log(share1) - near1
    error = (guess != second).mean()
    boundary = optimal_boundary(mean1, mean2, sigma, share1)
    assert abs(boundary.bayes_error - error) < 4 * np.sqrt(error * (1 - error) / n)


def test_blobs_have_the_means_width_and_balance_that_were_asked_for():
    options = (("n", 20_000), ("mean1_x", 2.0), ("mean2_y", -3.0), ("sigma", 0.5), ("balance", 0.3))
    split = load(DataSettings("blobs", options, standardise=False, test_fraction=0.01), 0)
    x, y = split.train.x, split.train.y
    for label, mean in enumerate(([2.0, -1.0], [1.0, -3.0])):
        np.testing.assert_allclose(x[y == label].mean(axis=0), mean, atol=0.03)
        np.testing.assert_allclose(x[y == label].std(axis=0), 0.5, atol=0.02)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.015)
    assert split.boundary is not None
    side = x @ np.array(split.boundary.weights) > split.boundary.offset
    assert (side != y).mean() == pytest.approx(split.boundary.bayes_error, abs=0.005)


def test_blobs_on_one_spot_or_with_an_empty_class_are_refused():
    same = (("mean1_x", 1.0), ("mean1_y", 1.0))
    with pytest.raises(SettingsError, match="move one of them"):
        load(DataSettings("blobs", same), 0)
    with pytest.raises(DataError, match="at least 2 examples of each class, the draw gave"):
        load(DataSettings("blobs", (("n", 10), ("balance", 0.02))), 0)


def test_moons_without_noise_lie_on_two_half_circles():
    split = load(DataSettings("moons", (("n", 300), ("noise", 0.0)), standardise=False), 0)
    x, y = split.train.x, split.train.y
    radius = np.linalg.norm(x - np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5]), axis=1)
    np.testing.assert_allclose(radius, 1, atol=1e-12)


def test_linear_example_gives_the_published_fit():
    split = load(DataSettings("linear_example"), 5)
    assert split.train.x.shape == (100, 2) and np.array_equal(split.train.ids, split.test.ids)
    theta_hat = np.linalg.solve(split.train.x.T @ split.train.x, split.train.x.T @ split.train.y)
    np.testing.assert_allclose(theta_hat, [0.27816619, 0.71295385], atol=5e-9)
    assert (split.test.y[7] - split.test.x[7] @ theta_hat) ** 2 == pytest.approx(0.00720099, abs=5e-9)
    # The points that the published comparison names.
    for point in ([0.43758721, 0.891773], [0.0202184, 0.83261985], [0.34535168, 0.92808129]):
        assert np.abs(split.train.x - point).max(axis=1).min() < 1e-8


def test_generator_options_have_usable_defaults():
    for name in ("blobs", "moons"):
        source = DATASETS[name]
        assert resolve((), source.options)["n"] == len(source.make(resolve((), source.options), 0).dataset) == 600
