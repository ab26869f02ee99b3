"""``data``: from a file to scores, signals and refits in a Parquet file, and sentences where that cannot be."""

import errno
import json
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from influence_core.cli import main
from influence_core.compute.executor import executor
from influence_core.data.stored import opened


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(300, 4)), columns=list("abcd"))
    table["kind"] = np.where(table["a"] + random.normal(size=300) > 0, "up", "down")
    table.insert(0, "key", [f"k{row}" for row in range(300)])
    table.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def added(folder):
    return main(["data", "add", str(folder / "table.csv"), "--name", "mine", "--id", "key", "--test", "0.2"])


def test_a_file_is_stored_listed_and_checked(folder, capsys):
    assert added(folder) == 0
    assert main(["data", "list"]) == 0
    assert main(["data", "check", "mine"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == said[3]
    assert said[1:3] == ["Target: 'kind', the last column; another one by --target.", "'kind' is read as 2 classes."]
    assert "test rows, 4 features (float64), 2 classes" in said[0]
    assert added(folder) == 2
    assert "already: choose another name" in capsys.readouterr().err


def test_scores_signals_and_refits_are_files_with_a_manifest(folder, capsys):
    added(folder)
    chosen = ["--set", "model.l2=0.01", "--set", "estimator=newton"]
    assert main(["data", "scores", "mine", "--out", str(folder / "s.parquet"), "--test", "0", "3", *chosen]) == 0
    assert "1 pass over 0 MB" in capsys.readouterr().err
    scores = pd.read_parquet(folder / "s.parquet")
    train = opened("mine").train
    assert scores["id"].tolist() == [name.decode() for name in train.ids]
    assert [name.split(" (")[1] for name in scores.columns[2:]] == ["test row 0)", "test row 3)"]
    assert main(["data", "signals", "mine", "--out", str(folder / "g.parquet"), *chosen]) == 0
    assert {"loss", "margin", "leverage", "self_influence"} < set(pd.read_parquet(folder / "g.parquet").columns)
    assert main(["data", "loo", "mine", "--out", str(folder / "l.parquet"), "--strongest", "9", *chosen]) == 0
    refits = pd.read_parquet(folder / "l.parquet")
    strongest = scores.iloc[:, 2].abs().nlargest(9)
    assert refits["row"].tolist() == strongest.index.tolist()
    np.testing.assert_allclose(refits["predicted"], scores.iloc[strongest.index, 2])
    np.testing.assert_allclose(refits["measured"], refits["predicted"], rtol=0.05)
    manifest = json.loads((folder / "l.manifest.json").read_text())
    assert manifest["sign"].startswith("change = test loss without")
    assert manifest["settings"]["model.l2"] in (0.01, "0.01")
    assert manifest["converged"]
    assert manifest["unit"] == "nats" and manifest["residual"] < 1e-10
    assert manifest["read"][0].startswith("Target: 'kind'")


def test_other_labels_groups_means_and_all_refits_are_files(folder, capsys):
    added(folder)
    chosen, train, test = ["--set", "model.l2=0.01"], opened("mine").train, opened("mine").test

    def made(*words):
        out = folder / f"{words[0]}.parquet"
        assert main(["data", words[0], "mine", "--out", str(out), *words[1:], *chosen]) == 0
        return pd.read_parquet(out), json.loads((folder / f"{words[0]}.manifest.json").read_text())

    every = made("scores", "--test", *map(str, range(len(test))))[0].iloc[:, 2:]
    mean, _ = made("scores", "--mean")
    np.testing.assert_allclose(mean["mean over all test rows"], every.mean(axis=1), rtol=1e-9, atol=1e-15)
    other, said = made("relabel", "--test", "3")
    assert 0 <= said["residual"] < 1e-8
    given = np.array(["down", "up"])[train.y]
    assert (other["other label"].to_numpy() != given).all()
    group, said = made("group", "--row", "7", "2", "--test", "0", "1")
    np.testing.assert_allclose(group["first order"], every.iloc[[2, 7], :2].sum(), rtol=1e-9)
    np.testing.assert_allclose(group["one-step Newton"], group["first order"], rtol=0.2)
    assert said["rows"] == [2, 7] and 0 <= said["residual"] < 1e-8
    refits, said = made("loo", "--all", "--test", "0")
    assert len(refits) == said["rows"] == said["certified"] == len(train)
    assert np.corrcoef(refits["measured"], every.iloc[:, 0])[0, 1] > 0.999
    assert 0.9 < np.polyfit(every.iloc[:, 0], refits["measured"], 1)[0] < 1.2
    assert "passes over 0 MB" in capsys.readouterr().err


@pytest.mark.slow
def test_passes_of_other_processes_are_the_same_files(folder):
    added(folder)
    for words in (["scores", "--test", "0", "3"], ["signals"], ["loo", "--all", "--test", "0"]):
        found = []
        for cluster in ("threads", "local:2"):
            out, more = folder / f"{cluster[:5]}.parquet", ["--set", "model.l2=0.01", "--cluster", cluster]
            assert main(["data", words[0], "mine", "--out", str(out), *words[1:], *more]) == 0
            found.append(pd.read_parquet(out))
        pd.testing.assert_frame_equal(*found, rtol=1e-6)
    executor("local:2").close()


def test_parameters_beyond_room_are_asked_in_passes(folder, capsys, monkeypatch):
    added(folder)
    monkeypatch.setattr("influence_core.streamed.products.MOST_PARAMETERS", 4)
    chosen, out = ["--set", "model.l2=0.01"], folder / "s.parquet"
    assert main(["data", "scores", "mine", "--out", str(out), "--test", "0", "3", *chosen]) == 0
    fit, asked = capsys.readouterr().err.splitlines()[:2]
    assert re.search(r"the fit: 200 passes over 0 MB, about \d+ s, at most \d+ MB of memory", fit)
    assert re.match(r"\d+ passes over 0 MB", asked)
    assert json.loads((folder / "s.manifest.json").read_text())["residual"] < 1e-7
    assert main(["data", "loo", "mine", "--out", str(out), "--strongest", "5", *chosen]) == 0
    refits = pd.read_parquet(out)
    np.testing.assert_allclose(refits["measured"], refits["predicted"], rtol=0.1)
    capsys.readouterr()
    for words in (["signals"], ["loo", "--all"], ["scores", "--set", "estimator=newton"]):
        assert main(["data", words[0], "mine", "--out", str(folder / "no.parquet"), *words[1:], *chosen]) == 2
        assert "which is held for up to 4 parameters; here are 5." in capsys.readouterr().err
    assert not list(folder.glob("no.*"))


def test_a_disk_that_fills_up_while_scores_are_written_is_a_sentence(folder, capsys, monkeypatch):
    added(folder)

    def full(*_arguments, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    assert main(["data", "signals", "mine", "--out", str(folder / "g.parquet"), "--set", "model.l2=0.01"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not list(folder.glob("g.*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scores", "yours", "--out", "a.parquet"], "no stored data set 'yours': expected one of mine"),
        (["scores", "mine", "--out", "a.csv"], "expected a .parquet file"),
        (["scores", "mine", "--out", "a.parquet", "--test", "999"], "Test rows: expected numbers from 0"),
        (["scores", "mine", "--out", "a.parquet", "--set", "model.l2=0"], "penalty l2 > 0"),
        (["scores", "mine", "--out", "a.parquet", "--set", "model.name=mlp"], "linear predictor"),
        (["loo", "mine", "--out", "a.parquet", "--test", "0", "1"], "one --test row"),
        (["group", "mine", "--out", "a.parquet", "--row", "-1"], "Rows that leave: expected some from 0"),
        (["scores", "mine", "--out", "a.parquet", "--mean", "--set", "estimator=newton"], "estimator=influence"),
        (["add", "nothing.csv", "--name", "b"], "there is no such file"),
        (["add", "table.txt", "--name", "b"], "no such file|expected a file ending"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, capsys, monkeypatch, words, said):
    monkeypatch.chdir(folder)
    added(folder)
    capsys.readouterr()
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert "error: " in error
    assert re.search(said, error)
    assert not (folder / "a.parquet").exists()
