"""Arrays under the names that people give them: roles, parts, axes of colours, and forms of targets."""

from __future__ import annotations

import io

import numpy as np
import pytest

from influence_core.data import DataError, uploads
from influence_core.data.uploads.roles import role_of
from tests.data.workbooks import named

N = 24
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(N, 3)), np.arange(N) % 3
GREY = RANDOM.integers(0, 256, (N, 5, 4)).astype(np.uint8)
COLOUR = RANDOM.integers(0, 256, (N, 5, 4, 3)).astype(np.uint8)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def built(name="a.npz", **arrays):
    raw = uploads.read_upload(name, npz(**arrays))
    return raw, uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw)))


def refused(content, name="a.npz"):
    with pytest.raises(DataError) as caught:
        uploads.read_upload(name, content)
    return str(caught.value)


@pytest.mark.parametrize(("x", "y"), [
    ("x", "y"), ("X", "y"), ("X", "Y"), ("data", "target"), ("data", "labels"), ("features", "labels"),
    ("embeddings", "label"), ("arr_0", "arr_1"), ("arr_1", "arr_0"), ("inputs", "targets"), ("vectors", "who"),
])  # fmt: skip
def test_features_and_target_are_found_by_name_or_by_shape(x, y):
    raw, upload = built(**{x: X, y: Y})
    assert np.array_equal(upload.table.dataset.x, X) and upload.table.dataset.y.tolist() == Y.tolist()
    usual = x in {"x", "X", "features", "embeddings", "data", "inputs"}
    assert usual or f"'{x}' was taken for the features and '{y}' for the target" in raw.notes[0]


@pytest.mark.parametrize(("name", "part", "role"), [
    ("x_train", "train", "x"), ("X_train", "train", "x"), ("XTrain", "train", "x"), ("trainX", "train", "x"),
    ("train_x", "train", "x"), ("train_images", "train", "images"), ("train_labels", "train", "y"),
    ("test_labels", "test", "y"), ("y_val", "validation", "y"), ("valid_targets", "validation", "y"),
    ("training_data", "train", "x"), ("Y_test", "test", "y"), ("class_names", "", "class_names"),
    ("train_mean", "", ""), ("x_train_test", "", ""), ("DESCR", "", ""), ("xy", "", ""),
])  # fmt: skip
def test_names_say_part_and_role(name, part, role):
    assert role_of(name) == (part, role)


@pytest.mark.parametrize("names", [
    ("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels"),
    ("X_train", "Y_train", "X_test", "Y_test"), ("train_data", "train_target", "test_data", "test_target"),
])  # fmt: skip
def test_fixed_parts_are_put_together_and_used(names):
    arrays = dict(zip(names, (GREY[:16], Y[:16], GREY[16:], Y[16:]), strict=True))
    raw, upload = built(**arrays, n_classes=np.int64(3))
    data, table = upload.table.dataset, upload.table
    assert np.array_equal(data.images, GREY) and np.array_equal(data.x, GREY.reshape(N, -1) / 255)
    assert data.y.tolist() == Y.tolist()
    assert table.train.tolist() == [*range(16)] and table.test.tolist() == [*range(16, N)]
    assert f"Arrays used: {', '.join(names)}." in raw.notes
    assert "Arrays of other names were left out: n_classes." in raw.notes


def test_a_validation_part_is_kept_and_a_part_without_labels_is_not():
    parts = {"x_train": X[:12], "y_train": Y[:12], "x_val": X[12:18], "y_val": Y[12:18]}
    raw, upload = built(**parts, x_test=X[18:], y_test=Y[18:])
    assert upload.table.validation.tolist() == [*range(12, 18)]
    raw = uploads.read_upload("a.npz", npz(**parts, x_test=X[18:]))
    assert len(raw) == 18 and "left out: x_test." in " ".join(raw.notes)


@pytest.mark.parametrize(("pictures", "shown", "words"), [
    (GREY[..., None], GREY, "The last axis of (24, 5, 4, 1) was read as grey."),
    (GREY[:, None], GREY, "The second axis of (24, 1, 5, 4) was read as grey."),
    (np.moveaxis(COLOUR, -1, 1), COLOUR, "The second axis of (24, 3, 5, 4) was read as red, green and blue."),
    (np.concatenate([COLOUR, GREY[..., None]], axis=3), COLOUR, "Opacity is left out."), (COLOUR, COLOUR, ""),
    (np.asfortranarray(COLOUR), COLOUR, ""),
])  # fmt: skip
def test_the_axis_of_colours_is_found(pictures, shown, words):
    raw, upload = built(x=pictures, y=Y)
    data = upload.table.dataset
    assert np.array_equal(data.images, shown) and np.array_equal(data.x, shown.reshape(N, -1) / 255)
    assert words in " ".join(raw.notes)


@pytest.mark.parametrize(("values", "top"), [
    (GREY / 255.0, 1.0), ((GREY % 17).astype(np.float64), 16.0), (GREY.astype(np.float32), 255.0),
    (GREY.astype(np.int64), 255.0), ((GREY > 99), 1.0), (GREY.astype(np.uint16) * 257, 65535.0),
])  # fmt: skip
def test_pictures_of_other_numbers_are_features_as_they_are(values, top):
    raw, upload = built(x=values, y=Y)
    data = upload.table.dataset
    assert np.array_equal(data.x, values.reshape(N, -1).astype(np.float64))
    high = 1.0 if values.max() <= 1 else 255.0 if 64 <= values.max() <= 255 else values.max()
    assert np.array_equal(data.images, np.round(255 * values.astype(np.float64) / high))
    assert "features as they are" in " ".join(raw.notes) and high <= top


def test_flat_features_with_float_pictures_beside_them_are_both_used():
    raw, upload = built(data=GREY.reshape(N, -1) / 16.0, images=GREY / 16.0, target=Y, target_names=np.array([7, 8, 9]))
    assert upload.table.dataset.class_names == ("7", "8", "9") and upload.table.dataset.images.shape == GREY.shape


@pytest.mark.parametrize(("y", "classes"), [
    (np.eye(3)[Y], ("0", "1", "2")), (np.eye(3, dtype=bool)[Y], ("0", "1", "2")), (Y[:, None], ("0", "1", "2")),
    (Y.astype(">i4"), ("0", "1", "2")), (Y.astype(np.float16), ("0", "1", "2")), (Y == 1, ("False", "True")),
    (np.array(["NA", "01", "1e5"])[Y], ("01", "1e5", "NA")), (np.array([b"u", b"v", b"w"])[Y], ("u", "v", "w")),
    (np.eye(2, dtype=np.uint8)[Y % 2], ("0", "1")),
])  # fmt: skip
def test_every_form_of_target_gives_the_classes(y, classes):
    raw, upload = built(x=X, y=y)
    assert upload.table.dataset.class_names == classes
    assert ("one-hot" in " ".join(raw.notes)) == (y.ndim == 2 and y.shape[1] > 1)


@pytest.mark.parametrize("kind", [">f8", ">f4", "<f2", "f4", ">i2", "u1", "?", "g"])
def test_every_kind_of_number_is_the_same_number(kind):
    x = np.round(4 * np.abs(X)).astype(kind)
    assert np.array_equal(built(x=x, y=Y)[1].table.dataset.x, x.astype(np.float64))


def test_class_names_ids_and_texts_come_along():
    arrays = {"x": X, "y": Y, "classes": np.array(["a", "b", "c"]), "ids": np.array([f"{k:03d}" for k in range(N)])}
    raw, upload = built(**arrays, texts=np.array([f"said {k}" for k in range(N)]))
    data = upload.table.dataset
    assert data.class_names == ("a", "b", "c") and data.ids[7] == "007" and data.hover[3] == "said 3"


@pytest.mark.parametrize(("content", "words"), [
    (npz(foo=X, bar=np.ones((9, 2))), "got foo (24, 3), bar (9, 2): save them under these names"),
    (npz(x=X), "got x (24, 3)"), (npz(y=Y), "got y (24,)"), (npz(), "got nothing"),
    (npz(**{f"a{k}": X for k in range(9)}), "a5 (24, 3) and 3 more"),
    (npz(x=X, y=np.int64(3)), "a single one of shape ()"), (npz(x=X, y=np.array([{}] * N, object)), "numbers or texts"),
    (npz(x=X, y=np.ones((N, 2))), "one-hot rows"), (npz(x=X, y=np.ones((N, 2, 2))), "the shape (24, 2, 2)"),
    (npz(x_train=X, y_train=Y[:5], x_test=X, y_test=Y), "Array y_train: expected 24 values"),
    (npz(x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y), "expected equal shapes but for the rows"),
    (npz(x_train=X, y_train=Y, test_images=GREY, y_test=Y), "under one name in all parts"),
    (npz(x=COLOUR[..., :2], y=Y), "got uint8 (24, 5, 4, 2)"),
    (npz(x=np.full((N, 3, 3), np.nan), y=Y), "finite numbers"),
    (npz(x=X, features=X, y=Y), "got two under its names, 'x' and 'features'"),
], ids=named)  # fmt: skip
def test_arrays_that_cannot_be_guessed_are_listed_with_their_shapes(content, words):
    assert words in refused(content)


def test_an_array_with_fields_is_a_table_and_others_say_what_to_save():
    records = np.zeros(N, [("a", ">f8"), ("e", "f4", (2,)), ("name", "U4"), ("label", "S3")])
    records["a"], records["e"], records["label"] = X[:, 0], X[:, :2], [b"yes", b"no"] * 12
    raw = uploads.read_upload("a.npy", npy(records))
    assert raw.frame["a"].tolist() == X[:, 0].tolist() and raw.frame["label"].tolist() == ["yes", "no"] * 12
    assert np.array_equal(raw.blocks["e"].values, records["e"])
    for array in (X, np.array([{}], object), np.float64(1)):
        assert "np.savez('data.npz', x=x, y=y)" in refused(npy(array), "a.npy")
    assert "numbers or texts" in refused(npy(np.zeros(9, [("a", "c8"), ("b", "f8")])), "a.npy")
