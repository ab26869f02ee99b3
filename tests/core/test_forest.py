"""What a forest leans on, against scikit-learn's predictions, loops over leaves, and trees fitted on other tables."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from influence_core.analysis import DataError, Task, forest, load
from influence_core.compute import Cancelled
from influence_core.settings import DataSettings, SettingsError

SPLITS = {
    "two classes": load(DataSettings("breast_cancer", test_fraction=0.2), 0),
    "three classes": load(DataSettings("iris", (("classes", "3"),), test_fraction=0.3), 0),
    "a number": load(DataSettings("diabetes", test_fraction=0.2), 0),
}
every = pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)


def grown(split, trees=12, leaf=3, seed=0, task=None):
    return forest.grown(split.train, trees, leaf, seed, task or Task())


def one_hot(data, y):
    return np.eye(data.classes)[y] if data.classes else np.asarray(y, float)[:, None]


def said_by(tree, x, classes):
    """What scikit-learn itself says, (m, c)."""
    if not classes:
        return tree.predict(x)[:, None]
    found = np.zeros((len(x), classes))
    found[:, tree.classes_.astype(int)] = tree.predict_proba(x)
    return found


def watched(test):
    return test.y if test.classes else np.zeros(len(test), int)


@every
def test_the_prediction_is_the_weighted_mean_of_labels(split):
    made, x = grown(split), split.test.x
    weights, _ = made.weights(x, watched(split.test))
    own = np.mean([said_by(tree, x, split.train.classes) for tree in made.trees], 0)
    np.testing.assert_allclose(weights.T @ one_hot(split.train, split.train.y), own, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-12)
    assert weights.min() >= 0


@every
def test_it_is_so_for_a_forest_that_scikit_learn_has_grown(split):
    kind = RandomForestClassifier if split.train.classes else RandomForestRegressor
    theirs = kind(15, random_state=3, min_samples_leaf=2).fit(split.train.x, split.train.y)
    counts = np.stack([np.bincount(rows, minlength=len(split.train)) for rows in theirs.estimators_samples_])
    made = forest.Forest(split.train, tuple(theirs.estimators_), counts)
    weights, _ = made.weights(split.test.x, watched(split.test))
    said = said_by(theirs, split.test.x, split.train.classes)
    np.testing.assert_allclose(weights.T @ one_hot(split.train, split.train.y), said, rtol=1e-12, atol=1e-12)


@every
def test_changes_with_the_trees_as_they_are_match_loops_over_leaves(split):
    made, test, y = grown(split, trees=5), split.test, one_hot(split.train, split.train.y)
    tests, rows = [0, 3, 7], []
    for found in made.leanings(test, tests):
        k = watched(test)[found.test]
        labels = one_hot(split.train, found.other)
        for place, i in enumerate(found.rows[:8]):
            gone = new = 0.0
            for tree, bag in zip(made.trees, made.counts, strict=True):
                leaf = tree.apply(test.x[[found.test]])[0]
                inside = [
                    (int(b), row) for row, b in enumerate(bag) if b and tree.apply(split.train.x[[row]])[0] == leaf
                ]
                before = sum(b * y[row, k] for b, row in inside) / sum(b for b, _ in inside)
                left = [(b, row) for b, row in inside if row != i]
                gone += sum(b * y[row, k] for b, row in left) / sum(b for b, _ in left) - before
                other = sum(b * (labels[place, k] if row == i else y[row, k]) for b, row in inside)
                new += other / sum(b for b, _ in inside) - before
            assert found.removed[place] == pytest.approx(gone / 5, rel=1e-9, abs=1e-12)
            assert found.relabelled[place] == pytest.approx(new / 5, rel=1e-9, abs=1e-12)
        rows.append(found.rows)
        assert (np.diff(found.weight) <= 0).all()


@every
def test_blocks_do_not_change_anything(split, monkeypatch):
    made = grown(split)
    whole = made.leanings(split.test, range(6))
    monkeypatch.setattr(forest, "blocks", lambda total, *_: (slice(k, k + 1) for k in range(total)))
    for one, other in zip(whole, made.leanings(split.test, range(6)), strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_allclose(one.removed, other.removed, rtol=1e-12, atol=1e-15)


def fitted_again(made, split, row, y=None):
    """Mean change of every prediction: the same samples, on a table without the row or with other labels."""
    kept = np.delete(np.arange(len(split.train)), row) if y is None else np.arange(len(split.train))
    change, y = 0.0, split.train.y if y is None else y
    for tree, bag in zip(made.trees, made.counts, strict=True):
        again = type(tree)(**tree.get_params()).fit(split.train.x[kept], y[kept], sample_weight=bag[kept])
        change += said_by(again, split.test.x, split.train.classes) - said_by(tree, split.test.x, split.train.classes)
    return change / len(made.trees)


@every
def test_regrown_trees_are_those_of_other_tables(split):
    made = grown(split, trees=6)
    moved = sorted(made.leanings(split.test, range(20)), key=lambda found: np.abs(found.removed).max())[-2:]
    for found in moved:
        truth, at = made.regrown(split.test, found, Task()), (found.test, watched(split.test)[found.test])
        for place, row in enumerate(found.rows[:5]):
            y = split.train.y.copy()
            y[row] = found.other[place]
            assert truth.removed[place] == pytest.approx(fitted_again(made, split, row)[at], rel=1e-9, abs=1e-12)
            assert truth.relabelled[place] == pytest.approx(fitted_again(made, split, row, y)[at], rel=1e-9, abs=1e-12)
        assert np.abs(truth.removed[:5]).max() > 0
        np.testing.assert_array_equal(truth.weight, found.weight)


def test_the_truth_counts_its_trees_and_can_be_cancelled():
    split, seen = SPLITS["three classes"], []
    made = grown(split)
    found = made.leanings(split.test, [2])[0]
    made.regrown(split.test, found, Task(lambda done, total: seen.append((done, total))))
    trees = 2 * int((made.counts[:, found.rows] > 0).sum())
    assert seen == [(k, trees) for k in range(trees)]
    task = Task()
    task.cancel.set()
    with pytest.raises(Cancelled):
        made.regrown(split.test, found, task)
    with pytest.raises(Cancelled):
        grown(split, task=task)


def test_what_is_said_of_the_truth_is_its_agreement():
    split = SPLITS["a number"]
    made = grown(split)
    found = made.leanings(split.test, [1])[0]
    truth = made.regrown(split.test, found, Task())
    r = np.corrcoef(found.removed, truth.removed)[0, 1]
    slope = np.polyfit(found.removed, truth.removed, 1)[0]
    said = found.against(truth).split("removed ")[1]
    numbers = [float(part.split(" = ")[1]) for part in said.split(", ")[:2]]
    np.testing.assert_allclose(numbers, [r, slope], atol=6e-4)
    table = found.table(split.train, truth)
    np.testing.assert_array_equal(table["regrown removed"], truth.removed)
    assert table["id"].tolist() == split.train.ids[found.rows].tolist()
    assert table.index.tolist() == found.rows.tolist()


def test_the_other_label_is_one_that_moves_the_prediction():
    split = SPLITS["three classes"]
    for found in grown(split).leanings(split.test, range(20)):
        own, k = split.train.y[found.rows], split.test.y[found.test]
        assert (own != found.other).all()
        assert ((found.other == k) == (own != k)).all()
        np.testing.assert_allclose(found.relabelled, np.where(own == k, -1, 1) * found.weight, rtol=1e-12)


def test_the_same_seed_grows_the_same_forest_and_another_one_another():
    split = SPLITS["a number"]
    x, at = split.test.x, watched(split.test)
    one, same, other = (grown(split, seed=seed).weights(x, at)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_what_is_no_table_is_refused_with_a_reason():
    train = SPLITS["a number"].train
    wide = train.with_features(np.zeros((len(train), 1001)), tuple(f"x{k}" for k in range(1001)))
    with pytest.raises(DataError, match="up to 1,000 columns, got 1,001"):
        forest.grown(wide, 10, 5, 0, Task())
    texts = replace(train, texts=np.array(["a"] * len(train), dtype=object), kind="")
    assert "got texts" in forest.why_not(texts)
    assert "at least 10 training points, got 4" in forest.why_not(train.take(np.arange(4)))
    assert not forest.why_not(train)
    with pytest.raises(SettingsError, match="Fewest points of a leaf"):
        forest.grown(train, 10, 1, 0, Task())
