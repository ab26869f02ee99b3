"""Splitting, scaling and flipping against what they promise, on data small enough to count by hand."""

import numpy as np
import pytest

from influence_core.data import DataError, Dataset, Table, flip_labels, load, split
from influence_core.data.split import fit_scaling
from influence_core.settings import DataSettings


def table(counts, train=None, test=None):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(0).normal(size=(len(y), 2))
    ids = np.array([f"row-{row}" for row in range(len(y))])
    return Table(Dataset(x, y, ids, ("a", "b"), tuple(f"class {k}" for k in range(len(counts)))), None, train, test)


def counts(data):
    return np.bincount(data.y, minlength=data.classes).tolist()


def test_every_class_is_divided_in_the_same_proportions():
    parts = split(table([50, 30, 20]), DataSettings(validation_fraction=0.1, test_fraction=0.2), 0)
    assert (counts(parts.train), counts(parts.validation), counts(parts.test)) == ([35, 21, 14], [5, 3, 2], [10, 6, 4])
    assert len({*parts.train.ids, *parts.validation.ids, *parts.test.ids}) == 100


@pytest.mark.parametrize("seed", range(5))
def test_uneven_proportions_differ_by_less_than_one_example(seed):
    sizes = np.array([17, 11, 6])
    parts = split(table(sizes), DataSettings(test_fraction=0.3), seed)
    assert len(parts.test) == round(0.3 * 34)
    assert np.abs(np.array(counts(parts.test)) - len(parts.test) * sizes / 34).max() < 1


def test_rows_fixed_by_the_table_are_kept_in_order():
    parts = split(table([4, 4], train=np.array([0, 6, 2, 5]), test=np.array([7, 1])), DataSettings(), 0)
    assert parts.train.ids.tolist() == ["row-0", "row-6", "row-2", "row-5"]
    assert parts.test.ids.tolist() == ["row-7", "row-1"]


def test_a_table_that_fixes_the_test_rows_trains_on_all_others():
    parts = split(table([4, 4], test=np.array([3])), DataSettings(), 0)
    assert set(parts.train.ids) == {f"row-{row}" for row in range(8)} - {"row-3"}


def test_classes_that_are_too_small_are_refused():
    with pytest.raises(DataError, match="at least 2 training examples of every class, got 1 of 'class 1'"):
        split(table([20, 1]), DataSettings(), 0)
    with pytest.raises(DataError, match="got 0 of 'class 2'"):
        split(table([20, 20, 0]), DataSettings(), 0)
    with pytest.raises(DataError, match="got 1 and 1: use smaller fractions"):
        split(table([1, 1]), DataSettings(), 0)


def test_scaling_leaves_a_column_that_is_constant_up_to_rounding():
    noise = np.tile([1.0, 1 + 2.2e-16], 50)
    x = np.column_stack([np.full(100, 0.1), 1e9 * noise, np.zeros(100), 1e9 + np.arange(100) * 1e-3])
    scaling = fit_scaling(x)
    assert scaling.scale[:3].tolist() == [1, 1, 1]
    assert scaling.scale[3] == pytest.approx(np.arange(100).std() * 1e-3, rel=1e-3)
    assert (scaling.apply(x)[:, [0, 2]] == 0).all()


def test_scaling_is_fitted_on_the_training_part_only():
    source = table([30, 30])
    parts = split(source, DataSettings(test_fraction=0.3), 1)
    rows = [int(name.removeprefix("row-")) for name in parts.train.ids]
    np.testing.assert_allclose(parts.scaling.mean, source.dataset.x[rows].mean(axis=0), rtol=1e-14)
    assert np.abs(parts.scaling.mean - source.dataset.x.mean(axis=0)).min() > 1e-4


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("count", [0, 1, 37, 500])
def test_exactly_the_asked_number_of_labels_changes(classes, count):
    y = np.random.default_rng(1).integers(0, classes, 500)
    before = y.copy()
    changed, flipped = flip_labels(y, count, classes, 7)
    assert flipped.sum() == count == (changed != y).sum()
    assert np.array_equal(changed != y, flipped) and np.array_equal(y, before)
    assert changed.min() >= 0 and changed.max() < classes


def test_flipped_labels_are_uniform_over_the_other_classes():
    changed, _ = flip_labels(np.full(30_000, 2), 30_000, 4, 0)
    shares = np.bincount(changed, minlength=4) / 30_000
    assert shares[2] == 0
    np.testing.assert_allclose(shares[[0, 1, 3]], 1 / 3, atol=4 * np.sqrt(2 / 9 / 30_000))


def test_flips_touch_training_labels_only_and_are_remembered():
    clean, dirty = (load(DataSettings("iris", flip_fraction=share), 2) for share in (0.0, 0.1))
    assert dirty.flipped.sum() == round(0.1 * len(dirty.train)) == 9
    assert np.array_equal(dirty.original_y, clean.train.y)
    assert np.array_equal(dirty.train.y != clean.train.y, dirty.flipped)
    assert dirty.test.fingerprint == clean.test.fingerprint and dirty.fingerprint != clean.fingerprint
    assert np.array_equal(dirty.train.x, clean.train.x)


def test_other_seeds_flip_other_labels():
    y = np.zeros(100, dtype=np.int64)
    assert not np.array_equal(flip_labels(y, 20, 2, 0)[1], flip_labels(y, 20, 2, 1)[1])


def test_impossible_flips_are_refused_with_a_sentence():
    with pytest.raises(DataError, match="at least two classes: set the flipped share to 0"):
        load(DataSettings("diabetes", flip_fraction=0.1), 0)
    with pytest.raises(DataError, match="expected a number from 0 to 3, got 4"):
        flip_labels(np.zeros(3, dtype=np.int64), 4, 2, 0)


def test_missing_numbers_are_refused_when_a_dataset_is_made():
    with pytest.raises(DataError, match="finite numbers"):
        Dataset(np.array([[1.0], [np.nan]]), np.array([0, 1]), np.array(["a", "b"]), ("x",), ("p", "q"))


@pytest.mark.parametrize("size", [1e-100, 1e-12, 1.0, 1e12, 1e50])
def test_scaling_to_and_fro_gives_the_source_whatever_its_unit(size):
    x = np.array([[0.1], [0.7], [-6.7], [0.0]]) * size
    scaling = fit_scaling(x)
    np.testing.assert_allclose(scaling.invert(scaling.apply(x)), x, rtol=1e-6, atol=1e-12 * size)
