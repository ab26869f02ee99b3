"""The bundled sets: which rows, which names, and files that are not what they should be."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from influence_core.data import DataError, load
from influence_core.data.bundled import FIRES_COLUMNS, SAMPLE_DATA, fires_dataset, read_fires
from influence_core.data.images import balanced_rows, read_digits
from influence_core.settings import DataSettings

CSV = (
    ",".join(FIRES_COLUMNS)
    + "\n7,5,mar,fri,86.2,26.2,94.3,5.1,8.2,51,6.7,0,0\n7,4,oct,tue,90.6,35.4,669.1,6.7,18,33,0.9,0,2.5\n"
)


def load_all(name, **options):
    """All examples of a source, unscaled and without flips."""
    split = load(DataSettings(name, tuple(options.items()), standardise=False), 0)
    return split, {*split.train.ids, *split.test.ids}


def test_bundled_file_is_the_one_that_the_table_describes():
    for name in ("mnist_5000.npz", "forestfires.csv"):
        digest = hashlib.sha256((SAMPLE_DATA / name).read_bytes()).hexdigest()
        assert digest in (SAMPLE_DATA / "README.md").read_text(encoding="utf-8")
    images, labels = read_digits(SAMPLE_DATA / "mnist_5000.npz", ("x", "y"))
    assert images.shape == (5000, 28, 28) and np.bincount(labels).tolist() == [500] * 10


def test_mnist_pixels_are_the_pictures_and_labels_the_digits():
    images, labels = read_digits(SAMPLE_DATA / "mnist_5000.npz", ("x", "y"))
    split, _ = load_all("mnist", digits="4,0,9", size=90)
    assert split.train.class_names == ("0", "4", "9") and split.train.feature_names[29] == "pixel 1,1"
    for part in (split.train, split.test):
        rows = [int(name.removeprefix("mnist-")) for name in part.ids]
        assert np.array_equal(part.images, images[rows])
        assert np.array_equal(part.x, images[rows].reshape(-1, 784) / 255)
        assert np.array_equal(np.array([0, 4, 9])[part.y], labels[rows])


def test_a_size_is_spread_evenly_and_smaller_sizes_are_subsets():
    labels = np.repeat([0, 1, 2], [100, 5, 100])
    large, small = balanced_rows(labels, [0, 1, 2], 45, 3), balanced_rows(labels, [0, 1, 2], 12, 3)
    assert np.bincount(labels[large]).tolist() == [20, 5, 20] and np.bincount(labels[small]).tolist() == [4, 4, 4]
    assert set(small) < set(large) and (np.diff(large) > 0).all()
    assert not np.array_equal(large, balanced_rows(labels, [0, 1, 2], 45, 4))
    assert np.array_equal(balanced_rows(labels, [0, 2], 10**6, 0), np.flatnonzero(labels != 1))


def test_ids_do_not_depend_on_the_digits_or_the_size_chosen():
    _, pair = load_all("mnist", digits="1,7", size=1000)
    _, every = load_all("mnist", digits="all", size=5000)
    assert len(pair) == 1000 and len(every) == 5000 and pair < every


def test_a_held_out_row_alone_is_asked_about():
    split, names = load_all("mnist", size=100, held_out=6)
    assert len(split.test) == 1 and len(split.train) == 99
    assert sorted(names)[6] == split.test.ids[0]


def test_iris_with_two_classes_is_versicolor_against_virginica():
    bunch = load_iris()
    two, names = load_all("iris", classes="2")
    assert two.train.class_names == ("versicolor", "virginica") and len(names) == 100
    rows = [int(name.removeprefix("iris-")) for name in two.train.ids]
    assert np.array_equal(two.train.x, bunch.data[rows]) and np.array_equal(two.train.y, bunch.target[rows] - 1)
    three, names = load_all("iris", classes="3")
    assert three.train.class_names == ("setosa", "versicolor", "virginica") and len(names) == 150


def test_small_digits_are_shown_in_full_contrast():
    split, names = load_all("digits", digits="all")
    assert len(names) == 1797 and split.train.images.shape[1:] == (8, 8) and split.train.images.max() == 255
    np.testing.assert_allclose(split.train.x * 255, split.train.images.reshape(-1, 64), atol=1e-12)


def test_breast_cancer_and_diabetes_keep_the_words_and_units_of_their_sources():
    split, names = load_all("breast_cancer")
    assert split.train.class_names == ("malignant", "benign") and len(names) == 569
    assert (split.train.y == 0).mean() == pytest.approx(212 / 569, abs=0.002)
    diabetes, names = load_all("diabetes")
    y = np.r_[diabetes.train.y, diabetes.test.y]
    assert diabetes.train.target_name.startswith("disease progression after one year")
    assert sorted(y) == sorted(load_diabetes().target) and (y.min(), y.max()) == (25, 346)
    age = diabetes.train.x[:, diabetes.train.feature_names.index("age, years")]
    assert 18 <= age.min() < age.max() <= 90


def write(path: Path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


GOOD = {"x": np.zeros((3, 784), np.uint8), "y": np.array([0, 9, 1], np.uint8)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.zeros((3, 783), np.uint8)}, "expected uint8 pixels"),
        ({"x": np.zeros((2, 784), np.uint8)}, "expected uint8 pixels"),
        ({"x": np.zeros((3, 784))}, "got float64"),
        ({"y": np.array([0, 9, 1])}, "and int64"),
        ({"y": np.array([0, 10, 1], np.uint8)}, "digits from 0 to 9, got 10"),
        ({"y": np.array([{}, 1, 2], object)}, "damaged or holds something else"),
        ({"x": np.zeros((0, 784), np.uint8), "y": np.zeros(0, np.uint8)}, "expected uint8 pixels"),
    ],
)
def test_arrays_that_are_no_digits_are_refused(tmp_path, change, words):
    assert read_digits(write(tmp_path / "good.npz", **GOOD), ("x", "y"))[0].shape == (3, 28, 28)
    with pytest.raises(DataError, match=words):
        read_digits(write(tmp_path / "bad.npz", **GOOD | change), ("x", "y"))


def test_files_that_are_missing_or_damaged_are_refused(tmp_path):
    with pytest.raises(DataError, match="Expected the file gone.npz"):
        read_digits(tmp_path / "gone.npz", ("x", "y"))
    whole = write(tmp_path / "whole.npz", x=np.random.default_rng(0).integers(0, 255, (3, 784), np.uint8), y=GOOD["y"])
    content = whole.read_bytes()
    middle = len(content) // 2
    broken = content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 20]) + content[middle + 20 :]
    for damaged in (b"", b"no archive", content[:middle], broken):
        whole.write_bytes(damaged)
        with pytest.raises(DataError, match="whole.npz is damaged"):
            read_digits(whole, ("x", "y"))
    single = tmp_path / "single.npy"
    np.save(single, GOOD["x"])
    with pytest.raises(DataError, match="damaged or holds something else"):
        read_digits(single, ("x", "y"))
    with pytest.raises(DataError, match="damaged or holds something else"):
        read_digits(write(tmp_path / "other.npz", z=GOOD["x"]), ("x", "y"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("area", "size", "expected the columns"),
        ("oct", "okt", "months jan to dec"),
        ("tue", "2", "days mon to sun"),
        ("94.3", "dry", "expected numbers in all columns"),
        ("94.3", "", "expected numbers in all columns"),
        ("94.3", "inf", "expected numbers in all columns"),
    ],
)
def test_a_table_that_is_not_the_fires_is_refused(tmp_path, old, new, words):
    path = tmp_path / "forestfires.csv"
    path.write_text(CSV.replace(old, new, 1))
    with pytest.raises(DataError, match=words):
        read_fires(path)


def test_month_and_day_as_numbers_or_as_columns(tmp_path):
    path = tmp_path / "forestfires.csv"
    path.write_text(CSV)
    ordinal, one_hot = (fires_dataset(read_fires(path), encoding) for encoding in ("ordinal", "one-hot"))
    assert ordinal.x[:, ordinal.feature_names.index("month")].tolist() == [3, 10]
    assert ordinal.x[:, ordinal.feature_names.index("day")].tolist() == [5, 2]
    assert {"month=mar", "month=oct", "day=fri", "day=tue"} < set(one_hot.feature_names)
    assert one_hot.x[:, one_hot.feature_names.index("day=tue")].tolist() == [0, 1]
    assert ordinal.y.tolist() == one_hot.y.tolist() == [0, 2.5] and ordinal.target_name == "burned area, ha"
    assert "temperature, °C" in ordinal.feature_names and ordinal.ids.tolist() == ["fire-00000", "fire-00001"]
    assert "area" not in " ".join(ordinal.feature_names)


def test_the_real_fires_hold_out_one_row():
    options = (("held_out", 41),)
    split = load(DataSettings("forest_fires", options, standardise=False), 0)
    assert split.test.ids.tolist() == ["fire-00041"] and split.train.x.shape == (516, 12)
    wide = load(DataSettings("forest_fires", (("encoding", "one-hot"), *options)), 0)
    assert wide.train.x.shape == (516, 10 + 12 + 7)
    assert wide.train.y.max() == 1090.84
