"""Every source of the registry keeps the promises that the rest of the project builds on."""

import re
from dataclasses import replace

import numpy as np
import pytest

from influence_core.compute import data_folder
from influence_core.compute.sparse import stored
from influence_core.data import DATASETS, DataError, load
from influence_core.settings import DataSettings, SettingsError

ASKED_ABOUT_THEMSELVES = {"linear_example"}
SMALL = {"mnist": (("size", 200),), "mnist_large": (("size", 200),)}


@pytest.fixture(params=list(DATASETS))
def settings(request):
    source = DATASETS[request.param]
    if not source.present:
        pytest.skip(f"{source.file or 'a stored data set'} is not in {data_folder()}")
    return DataSettings(request.param, SMALL.get(request.param, ()), validation_fraction=0.1, test_fraction=0.2)


def test_registry_lists_the_sources_in_the_order_of_the_menu():
    assert list(DATASETS) == [
        "mnist", "blobs", "moons", "drawn", "iris", "breast_cancer", "digits", "spam_assassin", "state_of_the_union",
        "linear_example", "diabetes", "mnist_large", "forest_fires", "stored", "upload",
    ]  # fmt: skip


def test_same_seed_same_split_other_seed_other_split(settings):
    first, again, other = load(settings, 3), load(settings, 3), load(settings, 4)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_the_linear_example_is_the_same_for_every_seed():
    first, other = (load(DataSettings("linear_example"), seed) for seed in (0, 1))
    assert first.fingerprint == other.fingerprint


def test_values_are_finite_ids_unique_and_kinds_as_declared(settings):
    source, split = DATASETS[settings.name], load(settings, 0)
    for part in (split.train, split.validation, split.test):
        assert part.x.dtype == np.float64
        assert np.isfinite(stored(part.x)[0]).all() and np.isfinite(part.y).all()
        assert len(set(part.ids)) == len(part) > 0
        assert (part.images is not None) == source.image
        assert not any(array.flags.writeable for array in stored(part.x))
    assert (split.train.y.dtype == np.int64) == (source.task == "classification") == (split.train.classes > 1)
    assert len(set(split.train.feature_names)) == split.train.x.shape[1]
    assert not split.flipped.any()
    assert source.summary.endswith(".") and source.title


def test_parts_do_not_overlap_unless_the_source_says_so(settings):
    split = load(settings, 1)
    train, validation, test = (set(part.ids) for part in (split.train, split.validation, split.test))
    assert not train & validation
    if settings.name in ASKED_ABOUT_THEMSELVES:
        assert train < test
    else:
        assert not train & test and not validation & test


def test_training_part_is_standardised_and_the_others_use_its_scaling(settings):
    split, raw = load(settings, 0), load(replace(settings, standardise=False), 0)
    assert np.array_equal(raw.scaling.mean, np.zeros_like(raw.scaling.mean))
    assert np.array_equal(raw.scaling.scale, np.ones_like(raw.scaling.scale))
    if not DATASETS[settings.name].standardise:
        assert split.fingerprint == raw.fingerprint
        return
    varies = np.ptp(raw.train.x, axis=0) > 0
    assert varies.any()
    assert np.abs(split.train.x.mean(axis=0)).max() < 1e-12
    assert np.abs(split.train.x.var(axis=0)[varies] - 1).max() < 1e-12
    assert (split.train.x[:, ~varies] == 0).all() and (split.scaling.scale[~varies] == 1).all()
    expected = (raw.test.x - raw.train.x.mean(axis=0)) / np.where(varies, raw.train.x.std(axis=0), 1)
    np.testing.assert_allclose(split.test.x, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(split.scaling.invert(split.test.x), raw.test.x, rtol=1e-9, atol=1e-9)


def test_an_example_keeps_its_content_under_other_seeds(settings):
    if DATASETS[settings.name].make.__module__.endswith("generators"):
        pytest.skip("another seed draws other points")
    plain = replace(settings, standardise=False)
    first, other = load(plain, 0), load(plain, 5)
    at = {name: row for row, name in enumerate(other.train.ids)}
    common = [(row, at[name]) for row, name in enumerate(first.train.ids) if name in at]
    assert common
    for row, twin in common:
        kept = first.train.x if first.train.texts is None else first.train.texts  # words are those of the split
        assert np.array_equal(kept[row], (other.train.x if first.train.texts is None else other.train.texts)[twin])
        assert first.train.class_names == other.train.class_names and first.train.y[row] == other.train.y[twin]


def test_other_draws_of_a_generator_have_other_ids():
    ids = [
        set(load(DataSettings(name, options), seed).train.ids)
        for name in ("blobs", "moons")
        for options, seed in (((), 0), ((), 1), ((("n", 50),), 0))
    ]
    assert len(set.union(*ids)) == sum(map(len, ids))


@pytest.mark.parametrize(
    ("name", "option", "value", "words"),
    [
        ("mnist", "digits", "11", "Digits: expected 'all' or at least two"),
        ("mnist", "digits", "1,1", "at least two different digits"),
        ("mnist", "digits", "7", "at least two different digits"),
        ("mnist", "digits", "", "got ''"),
        ("mnist", "digits", "1,²", "got '1,²'"),
        ("mnist", "size", 5001, "expected a value from 20 to 5000, got 5001"),
        ("mnist", "size", "many", "expected a whole number"),
        ("mnist", "held_out", 1000, "expected -1 or a row from 0 to 999, got 1000"),
        ("digits", "digits", "3;8", "got '3;8'"),
        ("blobs", "n", 10**9, "got 1000000000"),
        ("blobs", "n", -1, "got -1"),
        ("blobs", "sigma", 0.0, "got 0.0"),
        ("blobs", "balance", float("nan"), "Share of class 1"),
        ("moons", "noise", -0.1, "Noise"),
        ("iris", "classes", "4", "expected one of 2, 3, got '4'"),
        ("iris", "colour", "blue", "Unknown option 'colour'"),
    ],
)
def test_options_outside_their_range_are_refused_with_a_sentence(name, option, value, words):
    with pytest.raises(SettingsError, match=re.escape(words)):
        load(DataSettings(name, ((option, value),)), 0)


def test_unknown_source_and_seed_are_refused_with_a_sentence():
    with pytest.raises(SettingsError, match=r"expected one of mnist, .*, got 'minst'"):
        load(DataSettings("minst"), 0)
    with pytest.raises(SettingsError, match="Seed: expected a whole number"):
        load(DataSettings("iris"), -1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("test_fraction", 0.0), ("test_fraction", 1.0), ("flip_fraction", 0.6), ("validation_fraction", -0.1)],
)
def test_fractions_outside_their_range_are_refused(field, value):
    with pytest.raises(SettingsError, match=f"{field}: expected a value from"):
        load(replace(DataSettings("iris"), **{field: value}), 0)


def test_fractions_that_leave_too_little_are_refused():
    with pytest.raises(SettingsError, match="sum below 1"):
        load(DataSettings("iris", validation_fraction=0.5, test_fraction=0.5), 0)
    with pytest.raises(DataError, match="at least 2 training examples of every class, got 1 of"):
        load(DataSettings("mnist", (("digits", "all"), ("size", 20)), test_fraction=0.5), 0)
