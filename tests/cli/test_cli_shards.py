"""``--shard i/k`` and ``merge``: the parts are the whole, and what does not belong together is named."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from influence_core.cli import main, shards
from influence_core.compute.shard import Shard
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError, to_json

BLOBS = DataSettings("blobs", (("n", 60),), test_fraction=0.4)
CONVEX = Settings(BLOBS, ModelSettings("logistic", 0.05), quantity="margin")
TRAINED = Settings(BLOBS, ModelSettings("mlp", 0.001, options=(("epochs", 3), ("layers", 1), ("width", 4))))
FLIPPED = replace(CONVEX, data=replace(BLOBS, flip_fraction=0.2))
CASES = {
    "scores": (CONVEX, ["scores"], 2),
    "scores of a network": (TRAINED, ["scores", "--test", *map(str, range(20))], 2),
    "loo": (CONVEX, ["loo", "--test", "3", "1"], 3),
    "loo of this run": (TRAINED, ["loo"], 3),
    "loo over seeds": (TRAINED, ["loo", "--truth", "seeds", "--test", "2"], 2),
    "lds": (CONVEX, ["lds", "--subsets", "7"], 3),
    "lds of this run": (TRAINED, ["lds", "--subsets", "21"], 2),
    "lds over seeds": (TRAINED, ["lds", "--subsets", "21", "--truth", "seeds", "--seeds", "2"], 3),
    "curve": (FLIPPED, ["mislabels", "curve", "--seeds", "5", "--signals", "margin,self_influence"], 3),
}


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("influence_core.analysis.truth.PIECE", 0.0)  # ten runs a piece, as dear ones have


def ask(tmp_path, settings, words, out, *more, status=0):
    path = tmp_path / "settings.json"
    path.write_text(to_json(settings), encoding="utf-8")
    assert main([*words, "--settings", str(path), "--out", str(tmp_path / out), *more]) == status
    return tmp_path / out


def parts(tmp_path, settings, words, count, out="part.parquet", folder=None):
    """Every shard in a store of its own, as on another machine; the last one first."""
    made = []
    for index in reversed(range(1, count + 1)):
        ask(tmp_path, settings, words, out, "--shard", f"{index}/{count}")
        made.append(tmp_path / f"{out.split('.')[0]}.shard-{index}-of-{count}.npz")
    return [str(path) for path in made]


def merged(tmp_path, made, out="merged.parquet", status=0):
    assert main(["merge", *made, "--out", str(tmp_path / out)]) == status
    return tmp_path / out


def manifest(out):
    return json.loads(out.with_name(f"{out.stem}.manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_all_shards_are_the_command_in_one_piece(name, tmp_path, monkeypatch):
    settings, words, count = CASES[name]
    made = parts(tmp_path, settings, words, count)
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "another"))  # nothing is found, all is computed again
    whole = ask(tmp_path, settings, words, "whole.parquet")
    together = merged(tmp_path, made)
    one, other = pd.read_parquet(whole), pd.read_parquet(together)
    assert list(one.columns) == list(other.columns)
    for column in one:
        if one[column].dtype.kind == "f":
            # The certificate is a ratio of rounding errors: of it only that it is small is a result.
            loose = 1e-6 if column == "certificate" else 1e-12
            scale = np.nan_to_num(np.abs(one[column])).max()
            np.testing.assert_allclose(other[column], one[column], rtol=0, atol=loose * scale, err_msg=str(column))
        else:
            assert one[column].tolist() == other[column].tolist()
    if words[0] != "mislabels":  # a curve in one piece has no manifest
        a, b = manifest(whole), manifest(together)
        assert set(a) == set(b)
        for name in set(a) - {"lds", "standard_error", "noise"}:
            assert a[name] == b[name], name
        assert b.get("lds", 0.0) == pytest.approx(a.get("lds", 0.0), abs=1e-12)


def test_shards_of_different_computations_are_told_apart(tmp_path, capsys):
    first = parts(tmp_path, CONVEX, ["loo"], 2)
    for changed, words, said in (
        (replace(CONVEX, model=replace(CONVEX.model, l2=0.1)), ["loo"], "settings.model.l2 is"),
        (CONVEX, ["loo", "--test", "1"], "asked.test is"),
        (replace(CONVEX, seed=3), ["loo"], "settings.seed is"),
        (CONVEX, ["lds", "--subsets", "5"], "word is"),
    ):
        other = parts(tmp_path, changed, words, 2, out="other.csv")
        merged(tmp_path, [first[0], other[1]], status=2)
        assert said in capsys.readouterr().err
    merged(tmp_path, [*first, *parts(tmp_path, CONVEX, ["loo"], 3, out="thirds.csv")[:1]], status=2)
    assert "is one of 2 shards" in capsys.readouterr().err


def rewritten(path, **changes):
    """The same file as a machine with something else would have written it."""
    held = shards.read_shard(path)
    return shards.write_shard({**held.about, **changes}, held.found, held.shard, path.with_name("rewritten.csv"))


def test_other_versions_data_and_runs_are_refused_with_advice(tmp_path, capsys):
    made = parts(tmp_path, CONVEX, ["loo"], 2)
    held = shards.read_shard(tmp_path / "part.shard-1-of-2.npz")
    for changes, said in (
        ({"versions": dict(held.about["versions"]) | {"torch": "1.0"}}, "run every shard with the same versions"),
        ({"data_fingerprint": "0" * 32}, "run every shard on the same data"),
        ({"parameters": "f" * 32}, "on the same type of processor"),
    ):
        other = rewritten(tmp_path / "part.shard-1-of-2.npz", **changes)
        merged(tmp_path, [made[0], str(other)], status=2)
        assert said in capsys.readouterr().err
    assert not (tmp_path / "merged.parquet").exists()


def test_what_is_missing_twice_or_damaged_is_named(tmp_path, capsys):
    made = parts(tmp_path, CONVEX, ["loo"], 5)
    merged(tmp_path, [made[0], made[2]], status=2)
    assert "3 of 5 shards are missing: 1/5, 2/5, 4/5." in capsys.readouterr().err
    merged(tmp_path, [*made, made[1]], status=2)
    assert "Shard 4/5 is here twice" in capsys.readouterr().err
    whole = (tmp_path / "part.shard-1-of-5.npz").read_bytes()
    (tmp_path / "part.shard-1-of-5.npz").write_bytes(whole[: len(whole) // 2])
    merged(tmp_path, made, status=2)
    assert "part.shard-1-of-5.npz: expected a file that --shard has written" in capsys.readouterr().err
    np.savez(tmp_path / "part.shard-1-of-5.npz", x=np.zeros(3))
    merged(tmp_path, made, status=2)
    assert "expected a file that --shard has written" in capsys.readouterr().err


def test_numbers_that_were_changed_in_a_shard_are_noticed(tmp_path, capsys):
    made = parts(tmp_path, CONVEX, ["loo"], 2)
    with np.load(made[0]) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["pieces/change"][0, 0] += 1e-9
    np.savez(made[0], **arrays)
    merged(tmp_path, made, status=2)
    assert "its content is not what --shard has written" in capsys.readouterr().err


def test_a_shard_that_would_be_empty_or_cannot_be_read_is_refused(tmp_path, capsys):
    ask(tmp_path, CONVEX, ["scores", "--test", "1"], "x.csv", "--shard", "2/2", status=2)
    assert "this work has 1 pieces, so expected 1 shards at most" in capsys.readouterr().err
    for wrong in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(SystemExit):
            ask(tmp_path, CONVEX, ["loo"], "x.csv", f"--shard={wrong}")
    assert "expected I/K with I from 1 to K" in capsys.readouterr().err
    assert main(["mislabels", "curve", "--shard", "1/2"]) == 2
    assert "--shard: expected --out FILE" in capsys.readouterr().err


def test_shares_are_neighbours_and_cover_everything_once():
    for many in range(1, 30):
        for count in range(1, many + 1):
            shares = [Shard(index, count).of(range(many)) for index in range(count)]
            assert [piece for share in shares for piece in share] == list(range(many))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(SettingsError, match="expected 3 shards at most"):
        Shard(0, 4).of(range(3))
