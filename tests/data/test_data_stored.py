"""Stored data sets: the same numbers as in memory, resumed where they stopped, refused when hostile."""

import errno
import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from influence_core.compute import Cancelled, Task
from influence_core.data import DATASETS, DataError, load, task_of
from influence_core.data.stored import Intake, add, dialect, opened, pictures, sources, stored_names
from influence_core.data.stored.growing import Growing
from influence_core.settings import DataSettings, Settings, resolve


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sources, "ROWS", 37)
    monkeypatch.setattr(sources, "BYTES", 4_000)
    return tmp_path / "data" / "stored"


def frame(n=400):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "name": [f"row {k}" for k in range(n)],
            "age": random.integers(18, 90, n),
            "town": random.choice(["Bern", "Köln", "Oslo"], n),
            "income": random.normal(3e4, 1e4, n).round(2),
            "left": random.choice(["no", "yes"], n),
        }
    )


def saved(table, tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_comes_back_as_pandas_reads_it(tmp_path, ending):
    table = frame()
    found = add(saved(table, tmp_path, ending), "people", Intake(identity="name", test=0.25))
    assert stored_names() == ("people",)
    assert found.feature_names == ("age", "town=Bern", "town=Köln", "town=Oslo", "income")
    assert found.class_names == ("no", "yes")
    by_name = table.set_index("name")
    assert len(found.train) + len(found.test) == 400
    assert 60 < len(found.test) < 140
    for part in (found.train, found.test):
        rows = by_name.loc[np.char.decode(np.asarray(part.ids))]
        np.testing.assert_array_equal(part.x[:, 0], rows["age"])
        np.testing.assert_array_equal(part.x[:, 2], rows["town"] == "Köln")
        np.testing.assert_array_equal(part.x[:, 4], rows["income"])
        np.testing.assert_array_equal(np.array(found.class_names)[part.y], rows["left"])
    mean, scale = found.scaling.mean, found.scaling.scale
    np.testing.assert_allclose(mean, np.asarray(found.train.x).mean(0), rtol=1e-13)
    np.testing.assert_allclose(scale, np.asarray(found.train.x).std(0), rtol=1e-12)
    few = found.dataset(np.arange(3))
    np.testing.assert_allclose(few.x, (np.asarray(found.test.x[:3]) - mean) / scale)


@pytest.mark.parametrize("kind", ["uint8", "float16", "float32", "float64", ">f4"])
def test_arrays_keep_their_type_and_rows(tmp_path, kind):
    random = np.random.default_rng(1)
    x, y = random.integers(0, 200, (150, 4, 5)).astype(kind), random.integers(0, 3, 150)
    np.savez_compressed(tmp_path / "a.npz", x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    found = add(tmp_path / "a.npz", "digits")
    assert found.train.x.dtype == np.dtype(kind).newbyteorder("=")
    np.testing.assert_array_equal(found.train.x, x[:100].reshape(100, 20))
    np.testing.assert_array_equal(found.test.y, y[100:])
    assert found.class_names == ("0", "1", "2")


def test_a_resorted_and_grown_file_keeps_names_and_split(tmp_path):
    table = frame().drop(columns="name")
    more = pd.concat([table.sample(frac=1, random_state=0), frame(60).drop(columns="name")])
    add(saved(table, tmp_path, "csv"), "before")
    add(saved(more, tmp_path, "parquet"), "after")
    before, after = opened("before"), opened("after")
    assert set(before.train.ids.tolist()) <= set(after.train.ids.tolist())
    assert set(before.test.ids.tolist()) <= set(after.test.ids.tolist())


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    path, whole = saved(frame(2_000), tmp_path, "csv"), frame(2_000)
    add(path, "whole", Intake(identity="name"))
    seen, task = [], Task(report=lambda done, _total: seen.append(done) or (len(seen) == 45 and task.cancel.set()))
    with pytest.raises(Cancelled):
        add(path, "stopped", Intake(identity="name"), task)
    assert stored_names() == ("whole",)
    again = []
    found = add(path, "stopped", Intake(identity="name"), Task(report=lambda done, _total: again.append(done)))
    assert again[0] > 20 * 37  # the first forty chunks were not written again
    for name in ("x", "y", "ids", "scaling"):
        one, other = (np.load(f.folder / f"{name}.npy") for f in (found, opened("whole")))
        np.testing.assert_array_equal(one, other)
    assert len(whole) == len(found.train) + len(found.test)
    found.verify()


@pytest.mark.parametrize(
    ("change", "reading", "said"),
    [
        ({"age": "many"}, Intake(), "'age', row 8: expected a number as in most rows, got 'many'.*--drop"),
        ({"age": ""}, Intake(), "'age': 1 cells are missing.*--fill"),
        ({"left": ""}, Intake(), "'left', row 8: the target is missing"),
        ({}, Intake(target="nothing"), "no column 'nothing'"),
        ({}, Intake(drop=("nothing",)), "no column 'nothing'"),
        ({}, Intake(target="name", drop=("left",)), "'name': class 'row 0' has fewer than 3 rows"),
        ({}, Intake(test=0), "share between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_row_and_cure(tmp_path, change, reading, said):
    table = frame().astype(str)
    for column, cell in change.items():
        table.loc[7, column] = cell
    identity = "" if reading.target == "name" else "name"
    with pytest.raises(DataError, match=said):
        add(saved(table, tmp_path, "csv"), "bad", replace(reading, identity=identity))
    assert stored_names() == ()


DIALECTS = {
    "semicolons and decimal commas": {"sep": ";", "decimal": ",", "date_format": "%d.%m.%Y"},
    "tabs in UTF-16": {"sep": "\t", "encoding": "utf-16", "date_format": "%Y-%m-%d"},
    "Windows-1252, day first": {"encoding": "cp1252", "date_format": "%d/%m/%Y"},
    "bars": {"sep": "|", "date_format": "%Y-%m-%d %H:%M:%S"},
}


@pytest.mark.parametrize("first", [2**20, 3_000])
@pytest.mark.parametrize("how", DIALECTS)
def test_a_table_of_another_dialect_is_the_same_data(tmp_path, monkeypatch, how, first):
    monkeypatch.setattr(dialect, "FIRST", first)  # told by the whole file, or by its first few dozen rows
    table = frame().assign(when=pd.date_range("2019-12-30", periods=400, freq="31h"))
    table = table[["name", "age", "when", "town", "income", "left"]]
    table.to_csv(tmp_path / "table.csv", index=False, **DIALECTS[how])
    found = add(tmp_path / "table.csv", "people", Intake(identity="name", test=0.25))
    assert found.feature_names[1] == "when year"
    assert found.feature_names[-4:] == ("town=Bern", "town=Köln", "town=Oslo", "income")
    names = [name.removeprefix("when ") for name in found.feature_names if name.startswith("when ")]
    assert {"year", "month", "day", "weekday"} <= {*names}
    for part in (found.train, found.test):
        rows = table.set_index("name").loc[np.char.decode(np.asarray(part.ids))]
        np.testing.assert_array_equal(part.x[:, -1], rows["income"])
        for k, name in enumerate(names, 1):
            np.testing.assert_array_equal(
                part.x[:, k], getattr(rows["when"].dt, name.replace("weekday", "day_of_week"))
            )
    assert any("'when'" in note for note in found.notes)
    dropped = add(tmp_path / "table.csv", "fewer", Intake(identity="name", drop=("when",)))
    assert "when year" not in dropped.feature_names


def test_dates_of_a_parquet_file_are_numbers(tmp_path):
    table = frame().assign(when=pd.date_range("2019-12-30", periods=400, freq="D"))[["when", "name", "age", "left"]]
    found = add(saved(table, tmp_path, "parquet"), "people", Intake(identity="name"))
    assert found.feature_names == ("when year", "when month", "when day", "when weekday", "age")


def test_a_stray_cell_behind_the_first_block_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dialect, "FIRST", 3_000)
    table = frame().astype({"income": object})
    table.loc[301, "income"] = "much"
    table.to_csv(tmp_path / "table.csv", index=False, sep=";", decimal=",")
    with pytest.raises(DataError, match="'income', row 302: expected a number as in most rows, got 'much'"):
        add(tmp_path / "table.csv", "people", Intake(identity="name"))


def zipped(path, names, shape=(6, 5), shift=0):
    """Pictures by name, each of a content of its own; what they hold."""
    held = {}
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            random = np.random.default_rng([shift, *name.encode()])
            held[name] = random.integers(0, 256, shape, dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(held[name]).save(buffer, "PNG")
            archive.writestr(name, buffer.getvalue())
        archive.writestr("__MACOSX/cat/._1.png", b"nothing")
    return held


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_a_zip_of_pictures_is_stored_pixel_for_pixel(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(pictures, "AT_ONCE", 7)
    names = [f"pets/{kind}/{k}.png" for k in range(25) for kind in ("dog", "cat")]
    held = zipped(tmp_path / "pets.zip", names, shape)
    found = add(tmp_path / "pets.zip", "pets", Intake(test=0.3))
    assert (found.class_names, found.picture) == (("cat", "dog"), shape)
    assert found.notes[0].startswith("50 pictures, ")
    stored = {
        tuple(x): found.class_names[y]
        for part in (found.train, found.test)
        for x, y in zip(part.x, part.y, strict=True)
    }
    assert stored == {tuple(picture.ravel()): name.split("/")[1] for name, picture in held.items()}
    assert found.dataset(np.arange(2)).images.shape == (2, *shape)
    zipped(tmp_path / "again.zip", names[::-1], shape)  # packed in another order, the same data
    again = add(tmp_path / "again.zip", "again", Intake(test=0.3))
    assert again.checksums == found.checksums


def test_folders_fix_the_split_of_pictures_and_their_classes(tmp_path):
    names = [f"{part}/{kind}/{k}.png" for part in ("train", "test") for kind in "ab" for k in range(4)]
    zipped(tmp_path / "split.zip", names)
    found = add(tmp_path / "split.zip", "split")
    assert (len(found.train), len(found.test)) == (8, 8)
    zipped(tmp_path / "one.zip", ["a/1.png", "a/2.png"])
    with pytest.raises(DataError, match="one.zip: expected pictures in at least two folders, one per class"):
        add(tmp_path / "one.zip", "one")
    content = (tmp_path / "split.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cut.zip: expected a zip archive, got a damaged or cut one"):
        add(tmp_path / "cut.zip", "cut")


def test_names_by_the_hundred_are_no_feature(tmp_path):
    with pytest.raises(DataError, match="'name': more than 100 different texts.*--drop 'name'"):
        add(saved(frame(), tmp_path, "csv"), "bad")


def test_gaps_filled_with_the_mean_have_a_column_of_their_own(tmp_path):
    table = frame().astype(str)
    table.loc[:9, "income"] = "NA"
    found = add(saved(table, tmp_path, "csv"), "gaps", Intake(identity="name", fill=True))
    assert found.feature_names[-2:] == ("income", "income missing")
    x = np.concatenate([found.train.x, found.test.x])
    assert x[:, -1].sum() == 10
    assert any(note.startswith("Column 'income': missing cells get the mean") for note in found.notes)
    assert any("'NA'" in note or "NA," in note for note in found.notes)
    np.testing.assert_allclose(x[x[:, -1] == 1, -2], frame().income[10:].mean())


def spoil(folder, how):
    if how == "cut":
        path = folder / "x.npy"
        path.write_bytes(path.read_bytes()[:-8])
    elif how == "names":
        (folder / "ids.npy").write_bytes(b"no array")
    elif how == "gone":
        (folder / "ids_test.npy").unlink()
    elif how == "type":
        np.save(folder / "x.npy", np.load(folder / "x.npy").astype(np.int32))
    elif how == "width":
        np.save(folder / "x.npy", np.load(folder / "x.npy")[:, 1:])
    elif how == "manifest":
        (folder / "manifest.json").write_text('{"format": 1, "files": []}')
    elif how == "later":
        said = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**said, "format": 2}))


@pytest.mark.parametrize("how", ["cut", "names", "gone", "type", "width", "manifest", "later"])
def test_a_damaged_folder_is_refused_in_a_sentence(tmp_path, shelf, how):
    add(saved(frame(), tmp_path, "csv"), "people", Intake(identity="name"))
    spoil(shelf / "people", how)
    with pytest.raises(DataError, match="Add the data set again"):
        opened("people").check()


def test_a_file_changed_while_in_use_and_one_with_a_flipped_bit_are_noticed(tmp_path, shelf):
    found = add(saved(frame(), tmp_path, "csv"), "people", Intake(identity="name"))
    found.check()
    content = bytearray((shelf / "people" / "x.npy").read_bytes())
    content[-3] ^= 1
    (shelf / "people" / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match="was changed while it was in use"):
        found.check()
    with pytest.raises(DataError, match="checksum differs"):
        opened("people").verify()
    (shelf / "people" / "x.npy").unlink()
    with pytest.raises(DataError, match=r"x\.npy is not there: put it back, or let every machine"):
        found.check()


def test_a_disk_that_is_full_is_a_sentence_and_room_lets_it_go_on(tmp_path, monkeypatch):
    path, few = saved(frame(), tmp_path, "csv"), Intake(identity="name")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(DataError, match="people: needs 0.0 GB more in the data folder, 0.0 are free"):
        add(path, "people", few)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    append, seen = Growing.append, []

    def full(self, rows):
        seen.append(rows)
        if len(seen) == 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, rows)

    monkeypatch.setattr(Growing, "append", full)
    with pytest.raises(DataError, match="people could not be stored .No space left on device.: make room, then go on"):
        add(path, "people", few)
    assert stored_names() == ()
    monkeypatch.setattr(Growing, "append", append)
    found = add(path, "people", few)
    found.verify()
    assert len(found.train) + len(found.test) == 400


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 61, "-a", "å"])
def test_names_stay_on_the_shelf(name):
    with pytest.raises(DataError, match="Expected a name"):
        opened(name)


def test_hostile_arrays_are_refused(tmp_path):
    y = np.arange(10)
    for x, said in (
        (np.full((10, 2), np.nan), "missing or infinite"),
        (np.array([["a"]] * 10), "expected features that are numbers"),
        (np.zeros((9, 2)), "expected n rows and n targets"),
        (np.zeros(10), "expected n rows and n targets"),
        (np.zeros((10, 0)), "expected 1 to"),
        (np.zeros((10, 1, 1, 1, 1)), "at most four dimensions"),
        (np.asfortranarray(np.ones((10, 2))), "Fortran order"),
        (np.array([[{}]] * 10), "damaged header|plain numbers"),
    ):
        np.savez(tmp_path / "a.npz", X=x, y=y)
        with pytest.raises(DataError, match=said):
            add(tmp_path / "a.npz", "bad")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="could not be read"):
        add(tmp_path / "a.npz", "bad")
    np.savez(tmp_path / "a.npz", X=np.zeros((10, 2)), y=np.zeros(10, dtype=int))
    with pytest.raises(DataError, match="at least two classes"):
        add(tmp_path / "a.npz", "bad")


def test_a_sample_is_a_data_set_of_its_own(tmp_path):
    with pytest.raises(DataError, match="Nothing is stored on this server yet"):
        load(DataSettings("stored"), 0)
    assert not DATASETS["stored"].present
    random = np.random.default_rng(2)
    x, y = random.integers(0, 9, (900, 2)).astype(np.float32), random.integers(0, 2, 900)
    np.savez(tmp_path / "a.npz", X=x, y=y)
    stored = add(tmp_path / "a.npz", "grid")
    chosen = DataSettings("stored", (("set", "grid"), ("rows", 100), ("tests", 30)), standardise=False)
    first, again, other = (load(chosen, seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert (len(first.train), len(first.test)) == (100, 30)
    assert len({*first.train.ids, *first.test.ids}) == 130  # though most of these rows occur several times
    rows = [int(name.split("row ")[1][:-1]) for name in first.train.ids]
    np.testing.assert_array_equal(first.train.x, stored.train.x[rows])
    np.testing.assert_array_equal(first.train.y, stored.train.y[rows])
    options = resolve(chosen.options, DATASETS["stored"].options)
    assert f"A random sample of 100 of {len(stored.train)} training rows of grid" in DATASETS["stored"].said(options)
    assert task_of(chosen) == "classification"
    with pytest.raises(DataError, match="no stored data set 'other': expected one of grid"):
        load(replace(chosen, options=(("set", "other"),)), 0)


def test_a_set_added_again_under_its_name_has_other_keys(tmp_path, shelf):
    chosen = Settings(data=DataSettings("stored", (("set", "same"),)))
    keys = []
    for shift in (0, 1, 0):
        x = np.random.default_rng(3).normal(size=(300, 2)) + shift
        np.savez(tmp_path / "a.npz", X=x, y=np.arange(300) % 2)
        add(tmp_path / "a.npz", "same")
        keys.append((chosen.key(), chosen.key("data", "seed"), chosen.key("model")))
        shutil.rmtree(shelf / "same")
    first, second, third = keys
    assert first == third  # the same content is the same data
    assert first[:2] != second[:2]
    assert first[2] == second[2]
    assert chosen.key() not in {first[0], second[0]}
