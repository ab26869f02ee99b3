"""``python -m influence_core scores | loo | lds | flip``: the core's numbers, manifests and exit codes."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from influence_core.analysis import (
    FlipQuestion,
    RemovalQuestion,
    Task,
    analyse,
    forest,
    fragility,
    removal,
    removal_means,
)
from influence_core.analysis.rivals import RIVALS
from influence_core.cli import main, questions
from influence_core.compute.executor import executor
from influence_core.settings import DataSettings, ModelSettings, Settings, to_json
from influence_core.version import __version__

BLOBS = DataSettings("blobs", (("n", 60),), test_fraction=0.2)
CONVEX = Settings(BLOBS, ModelSettings("logistic", 0.05), quantity="margin")
NETWORK = Settings(BLOBS, ModelSettings("mlp", 0.001, options=(("epochs", 5), ("layers", 1), ("width", 4))))
both = pytest.mark.parametrize("settings", [CONVEX, NETWORK], ids=["logistic", "mlp"])


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def ask(word, settings, tmp_path, *more, status=0, ending="parquet"):
    path, out = tmp_path / "settings.json", tmp_path / f"result.{ending}"
    document = json.loads(to_json(settings)) | {"view": {"test": 3}}  # as the app's "settings as a file" writes it
    path.write_text(json.dumps(document), encoding="utf-8")
    assert main([word, "--settings", str(path), "--out", str(out), *more]) == status
    return out


def manifest_of(out):
    beside = json.loads(out.with_name("result.manifest.json").read_text(encoding="utf-8"))
    inside = json.loads(pq.read_schema(out).metadata[b"PANDAS_ATTRS"])["influence_explorer"]
    assert inside == beside
    return beside


@pytest.mark.slow
def test_scores_of_other_processes_are_the_same_file(tmp_path):
    settings = replace(CONVEX, data=replace(BLOBS, options=(("n", 200),)))
    alone = pd.read_parquet(ask("scores", settings, tmp_path))
    there = pd.read_parquet(ask("scores", settings, tmp_path, "--cluster", "local:2"))
    executor("local:2").close()
    assert there.shape[1] == 2 + 40  # three chunks
    pd.testing.assert_frame_equal(there, alone, rtol=1e-10)


@both
def test_scores_are_the_analysis(settings, tmp_path):
    out = ask("scores", settings, tmp_path)
    table, analysis = pd.read_parquet(out), analyse(settings)
    assert table["id"].tolist() == analysis.problem.split.train.ids.tolist()
    assert list(table.columns[2:]) == analysis.problem.split.test.ids.tolist()
    np.testing.assert_allclose(table.iloc[:, 2:], analysis.scores(), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(table["mean over all test points"], analysis.scores().mean(1), rtol=1e-4, atol=1e-7)
    manifest = manifest_of(out)
    assert manifest["settings"] == json.loads(to_json(settings))
    helpful = "> 0: removing it hurts" if settings is NETWORK else "< 0: removing it lowers this, so it is helpful"
    assert helpful in manifest["sign"]
    assert manifest["data_fingerprint"] == analysis.problem.split.fingerprint
    assert manifest["versions"]["torch"].startswith("2.")
    assert manifest["versions"]["influence-explorer"] == __version__
    assert manifest["rows"] == len(table)


def test_some_test_points_and_other_formats(tmp_path):
    out = ask("scores", CONVEX, tmp_path, "--test", "4", "0", ending="csv")
    np.testing.assert_allclose(pd.read_csv(out).iloc[:, 2:], analyse(CONVEX).scores([4, 0]), rtol=1e-9)


@both
def test_loo_is_measured(settings, tmp_path):
    out = ask("loo", settings, tmp_path)
    table, analysis = pd.read_parquet(out), analyse(settings)
    refits = analysis.problem.loo(settings.quantity)
    np.testing.assert_allclose(table.iloc[:, 2:], refits.change, rtol=1e-6, atol=1e-9)
    manifest = manifest_of(out)
    assert manifest["certified"] == len(table)
    if settings is NETWORK:
        first = str(analysis.problem.split.test.ids[0])
        assert manifest["noise"][first] == pytest.approx(refits.noise_of([0]))
    else:
        assert table["certificate"].max() <= 1e-6


@both
def test_lds_has_a_row_per_test_point(settings, tmp_path):
    out = ask("lds", settings, tmp_path, "--subsets", "8")
    table, manifest = pd.read_parquet(out), manifest_of(out)
    assert len(table) == len(analyse(settings).problem.split.test)
    assert manifest["lds"] == pytest.approx(table["lds"].mean())
    assert (manifest["subsets"], manifest["seeds"]) == (8, 1)
    if settings is CONVEX:
        assert manifest["lds"] > 0.8


def test_flip_has_a_row_per_test_point_and_the_sets_beside_it(tmp_path):
    out = ask("flip", CONVEX, tmp_path, "--test", "4", "0", "--share", "0.4")
    table, manifest, problem = pd.read_parquet(out), manifest_of(out), analyse(CONVEX).problem
    split = problem.split
    assert table["id"].tolist() == [str(split.test.ids[j]) for j in (4, 0)]
    for j, row in zip((4, 0), table.itertuples(), strict=True):
        found = fragility.fragility(problem, FlipQuestion(j, share=0.4))
        assert row.answer == found.sentence
        assert row.rows == ",".join(map(str, found.turned.rows))
        assert manifest["sets"][row.id] == split.train.ids[found.turned.rows].tolist()
    assert manifest["quantity"] == "margin"
    assert manifest["sign"].startswith("margin > 0")


def test_flip_by_a_threshold_and_only_what_is_wrong(tmp_path, capsys):
    ridge = Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1))
    out = ask("flip", ridge, tmp_path, "--test", "0", "--threshold", "150")
    assert pd.read_parquet(out)["threshold"].tolist() == [150.0]
    ask("flip", CONVEX, tmp_path, "--want", "right", status=2)
    assert "No test point is misclassified" in capsys.readouterr().err
    noisy = replace(CONVEX, data=DataSettings("blobs", (("n", 200),), test_fraction=0.5, flip_fraction=0.2))
    out = ask("flip", noisy, tmp_path, "--want", "right")
    problem = analyse(noisy).problem
    assert problem.misclassified.any()
    assert pd.read_parquet(out)["id"].tolist() == problem.split.test.ids[problem.misclassified].tolist()
    ask("flip", NETWORK, tmp_path, "--test", "0", status=2)
    assert "needs a model with a linear predictor" in capsys.readouterr().err


def test_what_could_not_be_written_is_refused_before_anything_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(questions, "analyse", None)
    for name in ("nowhere/x.csv", "x.xlsx"):
        assert main(["lds", "--set", "model.name=mlp", "--out", str(tmp_path / name)]) == 2
    assert "does not exist. Make it first." in capsys.readouterr().err


def test_what_is_wrong_is_a_sentence_and_a_status(tmp_path, capsys):
    ask("scores", CONVEX, tmp_path, "--test", "99", status=2)
    assert "--test: expected numbers from 0 to 11, got 99." in capsys.readouterr().err
    ask("lds", CONVEX, tmp_path, "--subsets", "1", status=2)
    ask("scores", CONVEX, tmp_path, ending="xlsx", status=2)
    assert "--out: expected a name that ends in" in capsys.readouterr().err
    missing = tmp_path / "nothing.json"
    assert main(["scores", "--settings", str(missing), "--out", str(tmp_path / "x.csv")]) == 2
    with pytest.raises(SystemExit):
        main(["scores", "--settings", str(missing)])


@both
def test_removal_is_the_core_s_curve(settings, tmp_path):
    table = pd.read_parquet(
        out := ask(
            "removal", settings, tmp_path, "--test", "3", "--shares", "0.05", "0.1", "--draws", "2", "--rivals", "loss"
        )
    )
    found = removal.removal(analyse(settings), RemovalQuestion((3,), ("loss",), (0.05, 0.1), 2))
    assert table["points"].tolist() == [2, 5] * 2
    assert table["ranking"].tolist() == [title for title in found.titles.values() for _ in range(2)]
    np.testing.assert_allclose(table["change"], np.concatenate(list(found.change.values())), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(table["random_low"][:2], found.interval[0], rtol=1e-3, atol=1e-6)
    assert set(table["id"]) == {analyse(settings).problem.split.test.ids[3]}
    assert manifest_of(out)["draws"] == 2
    ask("removal", settings, tmp_path, "--rivals", "magic", "--test", "3", status=2)


@both
def test_the_mean_over_test_points_is_the_core_s_and_says_which_truth(settings, tmp_path):
    asked = ("--test", "3", "1", "--shares", "0.1", "--draws", "2", "--mean", "--truth", "seeds")
    table = pd.read_parquet(out := ask("removal", settings, tmp_path, *asked))
    analysis = analyse(settings)
    found = removal_means(analysis, RemovalQuestion((3, 1), None, (0.1,), 2, "seeds"))
    np.testing.assert_allclose(table["gain"], found.table()["gain"], rtol=1e-4, atol=1e-7)
    assert table["ranking"].tolist()[1:5] == [entry.title for entry in RIVALS.values()]
    truths = analysis.problem.truths
    way = truths.get("seeds", analysis.problem.truth).way
    assert manifest_of(out)["measured"] == (way.short or way.name)
    assert table["test_points"].tolist() == [2] * len(table)


def test_a_forest_is_the_core_s_and_measured_where_asked(tmp_path, capsys):
    asked = ("--test", "3", "1", "--trees", "8", "--leaf", "2")
    table = pd.read_parquet(out := ask("forest", CONVEX, tmp_path, *asked, "--regrow"))
    split = analyse(CONVEX).problem.split
    made = forest.grown(split.train, 8, 2, CONVEX.seed, Task())
    found = made.leanings(split.test, [3, 1])
    np.testing.assert_allclose(table["weight"], np.concatenate([one.weight for one in found]), rtol=1e-9)
    truth = np.concatenate([made.regrown(split.test, one, Task()).removed for one in found])
    np.testing.assert_allclose(table["regrown removed"], truth, rtol=1e-9, atol=1e-12)
    assert table["test"].drop_duplicates().tolist() == split.test.ids[[3, 1]].tolist()
    assert "< 0: removing it lowers this, so it is helpful" in manifest_of(out)["sign"]
    assert "regrown removed" not in pd.read_parquet(ask("forest", CONVEX, tmp_path, *asked))
    ask("forest", CONVEX, tmp_path, "--leaf", "1", status=2)
    assert "Fewest points of a leaf: expected a value from 2" in capsys.readouterr().err
