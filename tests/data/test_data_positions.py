"""Where points are drawn."""

import numpy as np
import pytest

from influence_core.data import Dataset, Table, load
from influence_core.data import split as divide
from influence_core.data.positions import positions
from influence_core.settings import DataSettings


def test_two_features_are_drawn_in_their_own_units() -> None:
    split = load(DataSettings("blobs"), 0)
    found = positions(split)
    np.testing.assert_allclose(found.train, split.train.x * split.scaling.scale + split.scaling.mean)
    assert found.axes == split.train.feature_names


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits"])
def test_more_features_are_drawn_on_the_principal_axes(name: str) -> None:
    split = load(DataSettings(name), 0)
    found = positions(split)
    centred = split.train.x - split.train.x.mean(0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found.train), np.abs((u * s)[:, :2]), rtol=1e-6, atol=1e-8)
    expected = (split.test.x - split.train.x.mean(0)) @ vt[:2].T
    np.testing.assert_allclose(np.abs(found.test), np.abs(expected), rtol=1e-6, atol=1e-8)
    assert f"{s[0] ** 2 / (s**2).sum():.0%}" in found.axes[0]


def test_the_two_axes_of_wide_data_are_the_principal_ones() -> None:
    random, n, d = np.random.default_rng(0), 80, 1_200
    x = random.normal(size=(n, d)) + random.normal(size=(n, 2)) @ (random.normal(size=(2, d)) * [[5.0], [3.0]])
    names = tuple(f"f{k}" for k in range(d))
    data = Dataset(x, np.arange(n) % 2, np.array([str(k) for k in range(n)]), names, ("a", "b"))
    found = positions(divide(Table(data), DataSettings(standardise=False), 0))
    again = positions(divide(Table(data), DataSettings(standardise=False), 0))
    train = x[[int(name) for name in divide(Table(data), DataSettings(standardise=False), 0).train.ids]]
    u, s, _ = np.linalg.svd(train - train.mean(0), full_matrices=False)
    error = np.abs(np.abs(found.train) - np.abs((u * s)[:, :2])).max(0) / s[:2]
    assert error.max() < 1e-3
    assert np.array_equal(found.train, again.train)
