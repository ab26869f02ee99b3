"""``mislabels queue|queues|export|import`` against a store of its own."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import Analysis, Given, Problem, Review, uploads
from influence_core.annotations import Answer, decide, next_card, open_store, queues, read_csv, run_settings
from influence_core.cli import main
from influence_core.reviewing import under_review
from influence_core.settings import DataSettings, ModelSettings, Settings, from_json, to_json

DATA = DataSettings("mnist", (("size", 60),), flip_fraction=0.1)
SETTINGS = Settings(DATA, ModelSettings("logistic", 0.5), seed=3)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A command on the settings above, with a fresh store; what it wrote to the standard output."""
    monkeypatch.setenv("INFLUENCE_DB_URL", f"sqlite:///{tmp_path / 'store.sqlite'}")
    path = tmp_path / "settings.json"
    path.write_text(to_json(SETTINGS), encoding="utf-8")

    def run(*words, status=0):
        assert main(["mislabels", *words, "--settings", str(path)]) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    return run


def test_a_queue_holds_the_scores_of_the_core(call):
    assert "queue version 1: 60 cards by loss" in call("queue", "--strategy", "loss", "--by", "Ada")
    rows, store = under_review(Problem(SETTINGS)), open_store()
    (queue,) = queues(store, rows.fingerprint)
    kept = run_settings(store, queue.run)
    assert from_json(json.dumps(kept["settings"])) == SETTINGS
    card = next_card(store, queue.id, "Ada")
    split, inside = next(half for half in rows.halves(SETTINGS.seed) if card.position in half[1])
    review, row = _review(split), inside.tolist().index(card.position)
    for name in ("self_influence", "loss", "random"):
        assert card.scores[name] == pytest.approx(review.suspicion(name)[row])
    assert (card.given, card.predicted) == (review.labels[row], review.fitted_probabilities[row].argmax())
    table = pd.read_csv(io.StringIO(call("queues")))
    assert table["version"].tolist() == [1]
    assert table["created_by"].tolist() == ["Ada"]


def test_export_and_import_go_round(call, tmp_path):
    call("queue")
    out = tmp_path / "out"
    written = call("export", str(out)).split()
    assert {path.name for path in out.iterdir()} == {name.rsplit("/", 1)[-1] for name in written}
    issues = pd.read_parquet(out / "label_issues.parquet")
    rows = under_review(Problem(SETTINGS))
    split, inside = rows.halves(SETTINGS.seed)[0]
    assert issues["id"].tolist() == rows.split.train.ids.tolist() and len(issues) == 60
    found = issues["self_influence"].to_numpy()[inside]
    np.testing.assert_allclose(found, _review(split).suspicion("self_influence"))
    tasks = json.loads((out / "label_studio_tasks.json").read_text(encoding="utf-8"))
    assert tasks[0]["data"]["image"].startswith("data:image/png;base64,")
    tasks[0]["annotations"] = [_chosen(tasks[0], rows)]
    (tmp_path / "back.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert "1 answers stored" in call("import", str(tmp_path / "back.json"))
    assert "1 known" in call("import", str(tmp_path / "back.json"))
    call("export", str(out), "--rows", "decided")
    assert len(pd.read_parquet(out / "label_issues.parquet")) == 1


def _review(split):
    """The model of one half, fitted without the review's own path."""
    return Review(Analysis(SETTINGS, Problem(SETTINGS, given=Given(split))))


def _chosen(task, rows):
    """An annotation as Label Studio writes it, for the other class."""
    found = task["predictions"][0]["result"][0]
    other = rows.split.train.class_names[1 - int(rows.split.train.y[0])]
    result = {**found, "value": {"choices": [other]}, "id": "a1"}
    return {
        "id": 7,
        "result": [result],
        "was_cancelled": False,
        "lead_time": 2.0,
        "completed_by": {"email": "ada@x.org"},
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "out"), "make one first"),
        (("import", "nowhere.json"), "make one first"),
        (("queue", "--limit", "0"), "at least one card"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    said = call(*words, status=2)
    assert said.startswith("error: ")
    assert message in said


def test_a_clean_table_leaves_in_the_schema_it_was_uploaded_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(40, 2)).round(3), columns=["a", "b"])
    table["remark"] = ["00000", "01730", "None", "NA", "TRUE", "1e5", "=1+1", " x ", 'a "b"', "1,5"] * 4  # no feature
    table["label"] = np.where(table["a"] > 0, "yes", "no")
    file = tmp_path / "mine.csv"
    file.write_bytes(table.to_csv(index=False, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC).encode("utf-16"))
    mapping = uploads.ColumnMapping("label", ("a", "b"), "classification")
    key = uploads.upload_store().save(uploads.build(uploads.read_upload("mine.csv", file.read_bytes()), mapping))
    settings = ["--set", "data.name=upload", "--set", f"data.id={key}", "--set", "model.l2=0.1"]

    def call(*words, status=0):
        assert main(["mislabels", *words, *settings]) == status
        return capsys.readouterr()

    call("queue", "--by", "Ada")
    store = open_store()
    rows = under_review(Problem(Settings(DataSettings("upload", (("id", key),)), ModelSettings("logistic", 0.1))))
    split = rows.split
    (queue,) = queues(store, rows.fingerprint)
    card = next_card(store, queue.id, "Ada")
    assert set(card.scores) >= {"self_influence", "loss", "gradient_norm", "margin", "random"}  # as the page has them
    decide(replace(store, clock=lambda: card.served_at + 1), card, Answer("re-label", card.suggested))
    out = tmp_path / "out"
    call("export", str(out), "--table", str(file))
    row = int(split.train.ids[card.position].split()[1]) - 1
    lines = file.read_bytes().decode("utf-16").split("\r\n")
    given, other = (f'"{word}"' for word in ("yes", "no")[:: 1 if table.loc[row, "label"] == "yes" else -1])
    assert lines[row + 1].endswith(given)
    lines[row + 1] = lines[row + 1].removesuffix(given) + other
    assert (out / "dataset_clean.csv").read_bytes() == "\r\n".join(lines).encode("utf-16")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert "only corrected labels and excluded rows differ" in manifest["dataset_clean.csv"]
    assert manifest["files"]["dataset_clean.csv"]["rows"] == 40
    call("export", str(out))
    assert list(read_csv((out / "dataset_clean.csv").read_bytes()).columns) == ["id", "a", "b", "label"]
    file.write_text("a,b,remark,label\n1,2,x,yes\n")
    assert "got another one" in call("export", str(out), "--table", str(file), status=2).err
