"""``python -m influence_core mislabels``: tables, manifests, decisions and errors that are sentences."""

import io
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import Review, analyse, uploads
from influence_core.cli import COMMANDS, main
from influence_core.cli.common import write_table
from influence_core.cli.mislabels import read_decisions
from influence_core.settings import DataSettings, ModelSettings, Settings, to_json
from influence_core.version import __version__
from tests.waiting import PATIENCE

DATA = DataSettings("blobs", (("n", 120),), validation_fraction=0.2, flip_fraction=0.1)
SETTINGS = Settings(DATA, ModelSettings("logistic", 0.02), seed=3)


@pytest.fixture
def arguments(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(to_json(SETTINGS), encoding="utf-8")
    return ["--settings", str(path)]


def digitless(line):
    """Numbers near rounding, such as a residual, are others in every computation."""
    return re.sub(r"\d[\d.]*(e[+-]\d+)?", "0", line)


def test_rank_is_the_review_row_by_row(arguments, tmp_path, capsys):
    out = tmp_path / "queue.parquet"
    assert main(["mislabels", "rank", *arguments, "--by", "loss", "--out", str(out)]) == 0
    table, review = pd.read_parquet(out), Review(analyse(SETTINGS))
    queue = review.ranked("loss")
    assert table["row"].tolist() == queue.tolist()
    assert table["rank"].tolist() == list(range(1, len(queue) + 1))
    assert table["id"].tolist() == review.analysis.problem.split.train.ids[queue].tolist()
    for name in review.signals:
        np.testing.assert_allclose(table[name], review.suspicion(name)[queue], rtol=1e-12)
        np.testing.assert_allclose(table[f"{name}_percentile"], review.percentiles(name)[queue])
    np.testing.assert_allclose(table["label_score"], 1 - table["confident_learning"])
    manifest = json.loads((tmp_path / "queue.manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"] == json.loads(to_json(SETTINGS))
    assert (manifest["rows"], manifest["order"]) == (len(table), "loss")
    assert "helpful" in manifest["sign"]
    assert digitless(manifest["trust"]["line"]) == digitless(review.trust.line)
    assert manifest["versions"]["influence-explorer"] == __version__
    said = capsys.readouterr().err
    assert "AUC" in said
    assert manifest["trust"]["line"] in said


def test_rank_to_the_standard_output(arguments, capsys):
    status = main(["mislabels", "rank", *arguments, "--signals", "self_influence,loss", "--top", "3"])
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert status == 0
    assert table["rank"].tolist() == [1, 2, 3]
    assert "margin" not in table
    assert (np.diff(table["self_influence"]) <= 0).all()


def test_curve_and_its_errors_over_seeds(arguments, capsys):
    assert main(["mislabels", "curve", *arguments, "--seeds", "2"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert set(table["signal"]) == {"self_influence", "loss", "random"}
    assert (table["seeds"] == 2).all()
    assert (table.loc[table["checked"] == 1, "found"] == 1).all()


def test_retrain_by_decisions(arguments, tmp_path, capsys):
    split = analyse(SETTINGS).problem.split
    flips = np.flatnonzero(split.flipped)
    table = pd.DataFrame({"id": split.train.ids[flips], "action": "re-label", "label": ""})
    table["label"] = np.array(split.train.class_names)[split.original_y[flips]]
    table.loc[0, "action"], table.loc[1, "action"] = "keep", "exclude"
    table.to_csv(tmp_path / "decisions.csv", index=False)
    assert main(["mislabels", "retrain", str(tmp_path / "decisions.csv"), *arguments]) == 0
    out, said = capsys.readouterr()
    found = pd.read_csv(io.StringIO(out), index_col="measure")
    assert found.loc["test_loss", "difference"] < 0
    assert (found["low"] <= found["difference"]).all()
    assert (found["difference"] <= found["high"]).all()
    assert f"1 kept, {len(flips) - 2} relabelled, 1 excluded" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,action\n", "label is missing"),
        ("id,action,label\nnobody,keep,\n", "got 'nobody'"),
        ("id,action,label\n{id},burn,\n", "got 'burn'"),
        ("id,action,label\n{id},re-label,9\n", "got '9'"),
        ("id,action,label\n{id},keep,\n{id},keep,\n", "one decision for each"),
    ],
)
def test_decisions_with_mistakes(arguments, tmp_path, capsys, text, message):
    name = analyse(SETTINGS).problem.split.train.ids[0]
    (tmp_path / "decisions.csv").write_text(text.format(id=name), encoding="utf-8")
    assert main(["mislabels", "retrain", str(tmp_path / "decisions.csv"), *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "data.name"], "expected NAME=VALUE"),
        (["--set", "data.name=nowhere"], "expected one of"),
        (["--set", "model.l2=much"], "expected a number"),
        (["--signals", "astrology"], "Unknown signal"),
        (["--out", "queue.xls"], "ends in"),
        (["--settings", "/nowhere/settings.json"], "No such file"),
    ],
)
def test_bad_input_is_a_sentence(arguments, capsys, more, message):
    assert main(["mislabels", "rank", *arguments, *more]) == 2
    assert message in capsys.readouterr().err


def test_a_regression_has_no_labels_to_review(capsys):
    assert main(["mislabels", "rank", "--set", "data.name=diabetes", "--set", "model.name=ridge"]) == 2
    assert "data with classes" in capsys.readouterr().err


def test_settings_one_by_one(capsys):
    words = ["data.name=blobs", "data.n=60", "model.name=softmax", "model.l2=0.1"]
    chosen = [part for word in words for part in ("--set", word)]
    assert main(["mislabels", "rank", *chosen, "--by", "loss", "--signals", "loss"]) == 0
    assert len(pd.read_csv(io.StringIO(capsys.readouterr().out))) == 54


def test_decisions_come_back_as_they_were_written(tmp_path):
    train = SimpleNamespace(ids=np.array(["=1", "'=1", "-5"]), class_names=("@a", "-1"))
    review = SimpleNamespace(
        analysis=SimpleNamespace(problem=SimpleNamespace(split=SimpleNamespace(train=train))), labels=np.zeros(3, int)
    )
    table = pd.DataFrame({"id": train.ids, "action": "re-label", "label": ["-1", "@a", "-1"]})
    write_table(table, tmp_path / "decisions.csv")
    found = read_decisions(tmp_path / "decisions.csv", review)
    assert found.rows.tolist() == [0, 1, 2] and found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "names",
    [
        ("-1", "1"),
        ("=a", "+b"),
        ("@x", "- y"),
        ("'-1", "-1"),
        ("-1.5", "+2"),
        ("\t1", "'=1"),
        ("None", "NA"),
        ("=1", "−1"),
    ],
)
def test_labels_that_look_like_formulas_go_round_through_rank_and_retrain(names, tmp_path, monkeypatch, capsys):
    """The file of ``rank`` with an action and a label added, as a person would, in plain text."""
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    random = np.random.default_rng(0)
    which = np.arange(40) % 2
    frame = pd.DataFrame({"a": random.normal(size=40) + which, "b": random.normal(size=40)})
    raw = uploads.Raw(frame.assign(y=np.array(names, dtype=object)[which]), name="x.csv", sha256="0")
    mapping = uploads.ColumnMapping("y", ("a", "b"), "classification")
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    data = ["--set", "data.name=upload", "--set", f"data.id={key}"]
    out = tmp_path / "queue.csv"
    assert main(["mislabels", "rank", *data, "--signals", "loss", "--by", "loss", "--out", str(out)]) == 0
    table = pd.read_csv(out, dtype=str, keep_default_na=False)
    table["action"], table["label"] = "re-label", table["suggested_label"]
    table.to_csv(out, index=False)
    assert main(["mislabels", "retrain", str(out), *data]) == 0
    assert f"{len(table)} relabelled" in capsys.readouterr().err
    first, second = uploads.upload_store().load(key).dataset.class_names
    table["label"] = np.where(np.arange(len(table)) % 2, f"'{first}", second)  # as some spreadsheets keep it
    table.to_csv(out, index=False)
    assert main(["mislabels", "retrain", str(out), *data]) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_settings_files_are_read_in_the_encodings_of_editors_and_shells(encoding, tmp_path, capsys):
    path = tmp_path / "settings.json"
    text = to_json(SETTINGS)
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    path.write_bytes((mark + text).encode(encoding))
    assert main(["mislabels", "rank", "--settings", str(path), "--signals", "loss", "--by", "loss", "--top", "2"]) == 0
    path.write_bytes(text.encode(encoding))  # without a mark of its own
    assert main(["mislabels", "rank", "--settings", str(path), "--signals", "loss", "--by", "loss", "--top", "2"]) == 0
    path.write_bytes(b'{"v": 1, "data.name": "\xe9\xff"}')
    assert main(["mislabels", "rank", "--settings", str(path)]) == 2
    assert "settings.json: expected a JSON text in UTF-8 or UTF-16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("between", "encoding"), [(";", "cp1252"), ("\t", "utf-16"), (",", "utf-8-sig"), (",", "utf-8")]
)
def test_decisions_from_a_spreadsheet_are_read(between, encoding, tmp_path):
    train = SimpleNamespace(ids=np.array(["Käse", "b,c"]), class_names=("é", "no"))
    review = SimpleNamespace(
        analysis=SimpleNamespace(problem=SimpleNamespace(split=SimpleNamespace(train=train))), labels=np.zeros(2, int)
    )
    table = pd.DataFrame({"id": train.ids, "action": ["re-label", "exclude"], "label": ["no", ""]})
    (tmp_path / "d.csv").write_bytes(table.to_csv(index=False, sep=between).encode(encoding))
    found = read_decisions(tmp_path / "d.csv", review)
    assert (found.rows.tolist(), found.labels.tolist(), found.excluded.tolist()) == ([0, 1], [1, 0], [False, True])


@pytest.mark.slow
def test_the_module_runs_and_lists_its_commands():
    done = subprocess.run(
        [sys.executable, "-m", "influence_core", "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    for name in COMMANDS:
        assert name in done.stdout
