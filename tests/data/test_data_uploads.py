"""Uploads: what is read, guessed, filled in, warned about and kept; whatever the bytes, nothing but a DataError."""

import io
import json
import os
import stat
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from influence_core.data import DATASETS, DataError, load, task_of, uploads
from influence_core.data.uploads.checks import leak_strength
from influence_core.data.uploads.limits import plain_text
from influence_core.data.uploads.store import UploadStore
from influence_core.settings import DataSettings


def frame(n=60, seed=0):
    random = np.random.default_rng(seed)
    data = pd.DataFrame(random.normal(size=(n, 3)), columns=["a", "b", "c"])
    return data.assign(town=random.choice(["Bonn", "Köln", "Ulm"], n), label=random.choice(["no", "yes"], n))


def as_csv(data, encoding="utf-8", **how):
    return data.to_csv(index=False, **how).encode(encoding)


def as_parquet(data):
    buffer = io.BytesIO()
    data.to_parquet(buffer, index=False)
    return buffer.getvalue()


def as_npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read(content, name="mine.csv"):
    raw = uploads.read_upload(name, content)
    return raw, uploads.guess_mapping(raw, uploads.describe_columns(raw))


def built(content, name="mine.csv", **changes):
    raw, guess = read(content, name)
    return uploads.build(raw, replace(guess, **changes))


def said(content, name="mine.csv", **changes):
    upload = built(content, name, **changes)
    return uploads.warnings(upload, uploads.describe_columns(uploads.read_upload(name, content)))


@pytest.mark.parametrize("how", [
    {}, {"sep": ";"}, {"sep": "\t"}, {"sep": "|"}, {"sep": ";", "decimal": ","}, {"encoding": "utf-16"},
    {"encoding": "utf-8-sig"}, {"encoding": "latin-1"}, {"lineterminator": "\r\n"},
])  # fmt: skip
def test_every_way_to_write_a_table_gives_the_same_numbers(how):
    data = frame()
    found = built(as_csv(data, **how)).table.dataset
    assert found.feature_names == ("a", "b", "c", "town=Bonn", "town=Köln", "town=Ulm")
    assert np.array_equal(found.x[:, :3], data[["a", "b", "c"]].to_numpy())
    assert np.array_equal(found.x[:, 4], data["town"] == "Köln")
    assert [found.class_names[k] for k in found.y] == data["label"].tolist()


def test_an_encoding_or_separator_that_had_to_be_guessed_is_said():
    notes = " ".join(read(as_csv(frame(), "latin-1", sep=";", decimal=","))[0].notes)
    assert "read as Windows-1252" in notes and "semicolons" in notes and "decimal comma" in notes
    assert not read(as_csv(frame()))[0].notes


def test_a_file_without_column_names_is_numbered():
    raw, guess = read(b"1.5,2,0\n2.5,3,1\n" * 10)
    assert list(raw.frame.columns) == ["column 1", "column 2", "column 3"] and len(raw) == 20
    assert guess.target == "column 3" and guess.task == "classification"


@pytest.mark.parametrize(("columns", "target", "task"), [
    ({"y": range(30), "x": range(30)}, "y", "regression"),
    ({"Label": ["u", "v"] * 15, "x": range(30)}, "Label", "classification"),
    ({"x": np.arange(30) / 7, "species": ["u", "v"] * 15}, "species", "classification"),
    ({"x": np.arange(30) / 7, "n": [0, 1, 2] * 10}, "n", "classification"),
    ({"x": np.arange(30) / 7, "n": np.arange(30) / 3}, "n", "regression"),
    ({"x": np.arange(30) / 7, "id": np.arange(30) ** 2, "y": [0, 1] * 15}, "y", "classification"),
    ({"class": [0.5, 1.5, 2.5] * 10, "x": range(30)}, "class", "regression"),
    ({"x": 1.5, "flag": [True, False] * 15, "date": pd.date_range("2020", periods=30)}, "flag", "classification"),
])  # fmt: skip
def test_target_and_task_are_guessed(columns, target, task):
    guess = read(as_parquet(pd.DataFrame(columns)), "a.parquet")[1]
    assert (guess.target, guess.task) == (target, task)
    assert guess.id == ("id" if "id" in columns else "") and "id" not in guess.features


def test_names_of_rows_parts_and_texts_are_recognised_and_are_no_features():
    data = frame().assign(id=range(60), split=["train", "test", "val"] * 20, comment=[f"said {k}" for k in range(60)])
    upload = built(as_csv(data), hover="comment")
    mapping, table = upload.mapping, upload.table
    assert (mapping.id, mapping.split, mapping.hover) == ("id", "split", "comment")
    assert set(mapping.features) == {"a", "b", "c", "town"} | ({"comment"} & set(mapping.features))
    assert table.train.tolist() == list(range(0, 60, 3)) and table.test.tolist() == list(range(1, 60, 3))
    assert table.validation.tolist() == list(range(2, 60, 3))
    assert table.dataset.ids[7] == "7" and table.dataset.hover[7] == "said 7"
    assert np.array_equal(table.dataset.take(np.array([7])).hover, ["said 7"])


@pytest.mark.parametrize(("choice", "expected"), [("median", 2.0), ("mean", 3.0)])
def test_missing_numbers_become_what_was_chosen(choice, expected):
    data = pd.DataFrame({"x": [1.0, 2.0, 6.0, np.nan, 2.0, 4.0], "label": [0, 1] * 3})
    data = pd.concat([data] * 3, ignore_index=True)
    with pytest.raises(DataError, match="'x': expected a value in every row, got 3 of 18 missing, the first in row 4"):
        built(as_csv(data), numbers="refuse")
    upload = built(as_csv(data), numbers=choice)
    assert upload.table.dataset.x[3, 0] == expected and choice in upload.filled["x"]
    raw, guess = read(as_csv(data))
    assert uploads.gaps(uploads.describe_columns(raw), guess) == uploads.Gaps(numbers=3, texts=0, target=0)


def test_fills_come_from_the_training_rows_of_a_fixed_split():
    data = pd.DataFrame({"x": [1.0, 3.0, np.nan, 100.0, 90.0, 80.0] * 3, "label": [0, 1] * 9,
                         "split": ["train", "train", "train", "test", "test", "test"] * 3})  # fmt: skip
    assert built(as_csv(data), numbers="mean").table.dataset.x[2, 0] == 2.0


def test_missing_texts_become_the_commonest_or_a_category_and_rows_can_be_dropped():
    data = pd.DataFrame({"t": ["u", "u", None, "v"] * 6, "x": range(24), "label": [0, 1] * 12})
    assert built(as_csv(data), texts="frequent").table.dataset.feature_names == ("t=u", "t=v", "x")
    category = built(as_csv(data), texts="category").table.dataset
    assert category.feature_names == ("t=missing", "t=u", "t=v", "x") and category.x[2, 0] == 1
    dropped = built(as_csv(data), texts="drop").table.dataset
    assert len(dropped) == 18 and dropped.ids[2] == "row 4"


def test_gaps_of_an_embedding_are_filled_column_by_column():
    x = np.array([[1.0, 5.0], [3.0, np.nan], [5.0, 7.0]] * 4)
    content = as_npz(x=x, y=np.arange(12) % 2)
    found = built(content, "a.npz", numbers="median").table.dataset.x
    np.testing.assert_array_equal(found, np.where(np.isnan(x), 6.0, x))
    marked = built(content, "a.npz")
    assert marked.table.dataset.feature_names == ("x0", "x1", "x missing")
    np.testing.assert_array_equal(marked.table.dataset.x, np.column_stack([found, np.isnan(x).any(axis=1)]))
    assert marked.filled == {"x": "median, and 'x missing' says in which rows"}
    with pytest.raises(DataError, match="choose how to fill missing values in"):
        built(content, "a.npz", numbers="refuse")


def test_embeddings_come_as_lists_or_arrays_with_pictures_for_display():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(20, 4)).astype(np.float32), ["u", "v"] * 10
    pictures = random.integers(0, 256, (20, 5, 6)).astype(np.uint8)
    encoded = [_png(picture) for picture in pictures]
    table = pa.table({"e": list(x), "picture": encoded, "y": y})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    for name, content in (("a.parquet", buffer.getvalue()), ("a.npz", as_npz(x=x, y=np.array(y), images=pictures))):
        found = built(content, name).table.dataset
        assert np.array_equal(found.x, x.astype(np.float64)) and found.class_names == ("u", "v")
        assert np.array_equal(found.images, pictures)


def test_pictures_in_class_folders_become_pixels():
    pictures = np.random.default_rng(0).integers(0, 256, (12, 6, 7)).astype(np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k, picture in enumerate(pictures):
            archive.writestr(f"all/{'test' if k < 4 else 'train'}/{'cat' if k % 2 else 'dog'}/{k}.png", _png(picture))
    upload = built(buffer.getvalue(), "pets.zip")
    data = upload.table.dataset
    assert data.class_names == ("cat", "dog") and data.images.shape == (12, 6, 7)
    assert np.array_equal(data.x, pictures.reshape(12, -1) / 255.0)
    assert upload.table.test.tolist() == [0, 1, 2, 3] and data.ids[0] == "dog/0.png"
    assert upload.pixels and "12 pictures, grey, as they are: 6 x 7 pixels." not in upload.notes
    assert upload.notes == (
        "12 pictures, grey, as they are: 7 x 6 pixels.", "Folders fix the split: 8 train, 4 test."
    )  # fmt: skip


def test_colour_stays_colour_and_other_sizes_become_one():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(8):
            picture = np.zeros((40 + k, 50, 3), np.uint8)
            picture[..., k % 3] = 200
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", _png(picture))
    data = built(buffer.getvalue(), "pets.zip").table.dataset
    assert data.images.shape == (8, 28, 28, 3) and data.x.shape == (8, 28 * 28 * 3)
    assert (data.images[1] == [0, 200, 0]).all() and data.feature_names[1] == "pixel 0,0 green"


def _png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def test_clean_data_get_no_warning():
    assert said(as_csv(frame(200))) == ()


@pytest.mark.parametrize(("change", "words"), [
    (lambda d: pd.concat([d, d.head(3)]), "3 rows repeat"),
    (lambda d: pd.concat([d, d.head(1).assign(label="no"), d.head(1).assign(label="yes")]), "1 of them come with diff"),
    (lambda d: d.assign(k=1.0), "'k' has the same value in every row"),
    (lambda d: d.assign(label=["yes"] * 5 + ["no"] * (len(d) - 5)), "'yes' has 5 of 200 rows"),
    (lambda d: d.assign(told=(d["label"] == "yes") * 2.0 + d["a"] / 100), "'told' alone nearly determines the target"),
    (lambda d: d.assign(nr=range(len(d))), "'nr' only counts the rows"),
    (lambda d: d.assign(a=d["a"].where(d.index % 2 == 0)), "More than 30% of 'a' were missing"),
    (lambda d: d.head(6).assign(label=["no", "yes"] * 3, d=1.5, e=2.5), "fewer rows than features (6 < 8)"),
])  # fmt: skip
def test_warnings(change, words):
    data = change(frame(200))
    assert any(words in sentence for sentence in said(as_csv(data), numbers="median")), said(
        as_csv(data), numbers="median"
    )


def test_strength_of_a_leak_is_the_share_of_right_answers():
    y = np.array([0, 1] * 50)
    assert leak_strength(y * 3.0, y, 2) == 1.0
    assert leak_strength(np.ones(100), y, 2) == 0.5
    assert leak_strength(np.where(np.arange(100) < 4, 1 - y, y) * 1.0, y, 2) == 0.96
    assert leak_strength(y * 1.0, np.exp(y * 1.0), 0) == pytest.approx(1.0)


def store_of(tmp_path, **more):
    return UploadStore(tmp_path / "uploads", **more)


def test_kept_data_come_back_the_same_from_a_private_folder(tmp_path):
    store, upload = store_of(tmp_path), built(as_csv(frame().assign(split=["train", "test"] * 30)), hover="town")
    key = store.save(upload)
    assert store.save(built(as_csv(frame().assign(split=["train", "test"] * 30)), hover="town")) == key
    found, data = store.load(key), upload.table.dataset
    assert found.dataset.fingerprint == data.fingerprint
    assert np.array_equal(found.dataset.hover, data.hover) and np.array_equal(found.train, upload.table.train)
    assert stat.S_IMODE((store.folder / key).stat().st_mode) == 0o700 == stat.S_IMODE(store.folder.stat().st_mode)
    assert sorted(path.name for path in store.folder.iterdir()) == [key]
    manifest = json.loads((store.folder / key / "manifest.json").read_text())
    assert manifest["file"] == "mine.csv" and manifest["mapping"]["target"] == "label" and manifest["rows"] == 60


def test_data_stored_before_columns_could_be_read_another_way_still_load(tmp_path):
    store, upload = store_of(tmp_path), built(as_csv(frame()), numbers="refuse", texts="refuse", target_gaps="refuse")
    key = store.save(upload)
    path = store.folder / key / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["mapping"]["readings"], manifest["mapping"]["form"]
    path.write_text(json.dumps(manifest | {"version": 1}))
    assert store.manifest(key)["mapping"]["target"] == "label"
    assert store.load(key).dataset.fingerprint == upload.table.dataset.fingerprint
    path.write_text(json.dumps(manifest | {"version": 4}))
    with pytest.raises(DataError, match="which this server does not hold"):
        store.load(key)


def test_another_mapping_or_another_byte_is_another_upload(tmp_path):
    one = built(as_csv(frame()))
    keys = {uploads.upload_fingerprint(upload) for upload in (
        one, built(as_csv(frame())), built(as_csv(frame()), features=("a",)), built(as_csv(frame(seed=1))),
    )}  # fmt: skip
    assert len(keys) == 3 and all(len(key) == 32 for key in keys)


def test_the_least_recently_used_make_room(tmp_path):
    many = [built(as_csv(frame(200, seed))) for seed in range(3)]
    one = store_of(tmp_path).save(many[0])
    size = sum(path.stat().st_size for path in (tmp_path / "uploads" / one).iterdir())
    store = store_of(tmp_path, max_bytes=int(2.5 * size))
    os.utime(store.folder / one, (1, 1))
    two = store.save(many[1])
    os.utime(store.folder / two, (2, 2))
    store.load(one)  # used again
    (store.folder / ".part-x").mkdir()
    os.utime(store.folder / ".part-x", (3, 3))  # a server that was killed while writing
    three = store.save(many[2])
    assert {path.name for path in store.folder.iterdir()} == {one, three}


@pytest.mark.parametrize("key", ["", "x", "../../etc/passwd", "A" * 32, "a" * 31, "a" * 32 + "\n", "/" + "a" * 31])
def test_only_fingerprints_are_looked_up(tmp_path, key):
    with pytest.raises(DataError, match="Expected the 32 digits of uploaded data"):
        store_of(tmp_path).load(key)


def test_data_that_are_not_here_or_are_damaged_are_said_to_be(tmp_path):
    store = store_of(tmp_path)
    with pytest.raises(DataError, match="This link is about uploaded data a{32}, which this server does not hold"):
        store.load("a" * 32)
    key = store.save(built(as_csv(frame())))
    path = store.folder / key / "arrays.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="got damaged ones: upload the file again"):
        store.load(key)


def test_the_registry_loads_what_a_link_names(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    key = uploads.upload_store().save(built(as_csv(frame().assign(split=["train", "test", "val"] * 20))))
    chosen = DataSettings("upload", (("id", key),))
    split = load(chosen, 0)
    assert (len(split.train), len(split.validation), len(split.test)) == (20, 20, 20)
    assert np.abs(split.train.x.mean(axis=0)).max() < 1e-12
    assert task_of(chosen) == "classification" and task_of(DataSettings("diabetes")) == "regression"
    assert task_of(DataSettings("upload")) is None and task_of(DataSettings("nothing")) is None
    assert not DATASETS["upload"].present
    with pytest.raises(DataError, match="choose a file on the Data page"):
        load(DataSettings("upload"), 0)


@pytest.mark.parametrize(("text", "plain"), [
    ("a\u202eb", "ab"), ("a\u200db\u200e", "a\u200db\u200e"), ("a\0b\nc", "ab c"), ("  a   b ", "a b"),
    ("<b>é", "<b>é"), ("x" * 99, "x" * 79 + "…"),
])  # fmt: skip
def test_a_strangers_text_becomes_one_harmless_line(text, plain):
    assert plain_text(text) == plain


ENDINGS = list(uploads.READERS)
STARTS = {
    "parquet": b"PAR1", "npz": b"PK\x03\x04", "spreadsheet": b"PK\x03\x04", "feather": b"ARROW1\0\0",
    "npy": b"\x93NUMPY", "json": b'{"x": 1}\n', "arff": b"@relation x\n", "libsvm": b"1 1:1\n",
}  # fmt: skip
SEEDS = {
    "csv": as_csv(frame(12)), "parquet": as_parquet(frame(12)),
    "npz": as_npz(x=np.ones((9, 2)), y=np.arange(9) % 3), "zip": b"",
}  # fmt: skip


def pets():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(8):
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", _png(np.full((3, 4), 30 * k, np.uint8)))
    return buffer.getvalue()


def refused_or_read(name, content):
    try:
        raw = uploads.read_upload(name, content)
        mapping = uploads.guess_mapping(raw, uploads.describe_columns(raw))
        uploads.warnings(uploads.build(raw, mapping), uploads.describe_columns(raw))
    except DataError as error:
        assert str(error).endswith(".") and "\n" not in str(error)


@settings(max_examples=60)
@given(st.sampled_from(ENDINGS), st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_a_data_error(ending, content):
    refused_or_read(f"a.{ending}", STARTS.get(ending, b"") + content)


@settings(max_examples=80)
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2000), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_files_raise_nothing_but_a_data_error(ending, place, bytes_, cut):
    content = SEEDS[ending] or pets()
    place %= len(content)
    refused_or_read(f"a.{ending}", content[:place] + (b"" if cut else bytes_ + content[place + len(bytes_) :]))


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_random_texts_raise_nothing_but_a_data_error(text):
    refused_or_read("a.csv", text.encode("utf-8", errors="surrogatepass"))


@settings(max_examples=15)
@given(st.data())
def test_a_random_table_is_the_same_set_through_every_format(data):
    n, d = data.draw(st.integers(8, 20)), data.draw(st.integers(1, 4))
    numbers = st.floats(-1e12, 1e12, allow_subnormal=False).map(lambda value: round(value, 6))
    x = np.array(data.draw(st.lists(st.lists(numbers, min_size=d, max_size=d), min_size=n, max_size=n)))
    word = st.text("äbcß z", min_size=1, max_size=6).map(lambda text: f"w{text.strip()}")
    words = data.draw(st.lists(word, min_size=2, max_size=2, unique=True))
    y = [words[k % 2] for k in range(n)]
    names = [f"f{k}" for k in range(d)]
    table = pd.DataFrame(x, columns=names).assign(y=y)
    sets = [
        built(as_csv(table)), built(as_csv(table, sep="\t"), "a.tsv"), built(as_parquet(table), "a.parquet"),
        built(as_npz(x=x, y=np.array(y), feature_names=np.array(names)), "a.npz"),
    ]  # fmt: skip
    prints = {upload.table.dataset.fingerprint for upload in sets}
    assert len(prints) == 1
    assert np.array_equal(sets[0].table.dataset.x, x) and sets[0].table.dataset.feature_names == tuple(names)
