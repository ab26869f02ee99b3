"""Did they matter: curves against refits by scikit-learn, seeded draws, and an interval by its formula."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression, Ridge

from influence_core.analysis import DataError, RemovalQuestion, Task, analyse, removal
from influence_core.analysis.removal import Removal, stored_removal
from influence_core.compute import Cancelled, result_store
from influence_core.settings import DataSettings, ModelSettings, Settings

BLOBS = Settings(DataSettings("blobs", (("n", 150),), test_fraction=0.2), ModelSettings("logistic", 0.01))
TEST = 3
FEW = RemovalQuestion((TEST,), ("nearest", "loss"), shares=(0.02, 0.1), draws=4)


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path / "data"))


def logistic_loss(split, l2, left):
    """Loss at the test point after scikit-learn's fit on some rows; the total penalty n·l2 stays."""
    fit = LogisticRegression(C=1 / (l2 * len(split.train)), solver="newton-cholesky", tol=1e-12, max_iter=500)
    fit.fit(split.train.x[left], split.train.y[left])
    return -float(fit.predict_log_proba(split.test.x[[TEST]])[0, int(split.test.y[TEST])])


def ridge_loss(split, l2, left):
    fit = Ridge(alpha=len(split.train) * l2 / 2).fit(split.train.x[left], split.train.y[left])
    return float((fit.predict(split.test.x[[TEST]])[0] - split.test.y[TEST]) ** 2)


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        (BLOBS, logistic_loss),
        (Settings(DataSettings("diabetes"), ModelSettings("ridge", 0.1), estimator="newton"), ridge_loss),
    ],
)
def test_every_change_is_that_of_a_refit_by_scikit_learn(settings, loss):
    analysis = analyse(settings)
    split, l2, n = analysis.problem.split, settings.model.l2, len(analysis.problem.split.train)
    found = removal.removal(analysis, FEW)
    assert found.sizes.tolist() == [round(0.02 * n), round(0.1 * n)]
    whole = loss(split, l2, np.arange(n))
    for name, order in found.groups.items():
        for k, size in enumerate(found.sizes):
            expected = loss(split, l2, np.setdiff1d(np.arange(n), order[:size])) - whole
            assert found.change[name][k] == pytest.approx(expected, rel=1e-5, abs=1e-9 * abs(whole))
    random = np.random.default_rng([settings.seed, 17])
    for draw in range(FEW.draws):
        order = random.permutation(n)
        for k, size in enumerate(found.sizes):
            expected = loss(split, l2, np.setdiff1d(np.arange(n), order[:size])) - whole
            assert found.random[k, draw] == pytest.approx(expected, rel=1e-5, abs=1e-9 * abs(whole))


def test_the_rankings_are_what_their_names_say():
    analysis = analyse(BLOBS)
    split = analysis.problem.split
    found = removal.removal(analysis, RemovalQuestion((TEST,), ("nearest", "loss", "gradient_dot"), (0.1,), 2))
    scores = analysis.scores([TEST])[:, 0]
    first = next(iter(found.titles))
    assert first == "influence"
    assert scores[found.groups[first]].tolist() == sorted(scores, reverse=True)[: found.sizes[-1]]
    distance = np.linalg.norm(split.train.x - split.test.x[TEST], axis=1)
    assert distance[found.groups["nearest"]].tolist() == pytest.approx(sorted(distance)[: found.sizes[-1]])
    fit = LogisticRegression(C=1 / (0.01 * len(split.train)), tol=1e-10).fit(split.train.x, split.train.y)
    losses = -fit.predict_log_proba(split.train.x)[np.arange(len(split.train)), split.train.y]
    assert losses[found.groups["loss"]].min() >= np.sort(losses)[-found.sizes[-1]] - 1e-4
    assert found.titles["gradient_dot"] == "Gradient dot product"


def test_helpful_points_matter_and_random_ones_do_not():
    """Twelve points that helped raise the loss further than any random dozen; the interval says so."""
    analysis = analyse(BLOBS)
    found = removal.removal(analysis, RemovalQuestion((analysis.problem.start,), (), (0.1,), 10))
    assert found.change["influence"][0] > found.random.max() > found.random.mean()
    assert found.outside("influence").all()
    assert found.sentence().startswith("They mattered")
    assert found.table()["outside"].tolist() == [True]


def test_the_interval_is_that_of_one_more_draw():
    random = np.random.default_rng(0).normal(2.0, 3.0, size=(1, 10))
    found = Removal(np.array([5]), 100, {"a": "A"}, {"a": np.array([2.0])}, random, "nats", {"a": np.arange(5)})
    low, high = stats.t.interval(0.95, 9, random.mean(), random.std(ddof=1) * np.sqrt(1.1))
    assert [found.interval[0][0], found.interval[1][0]] == pytest.approx([low, high])
    assert not found.outside("a").any()


def test_the_sign_of_a_margin_is_turned_and_a_group_of_tests_is_a_mean():
    analysis = analyse(Settings(BLOBS.data, BLOBS.model, quantity="margin"))
    tests = (0, 1, 2)
    found = removal.removal(analysis, RemovalQuestion(tests, (), (0.05,), 2))
    scores = analysis.scores(tests, mean=True)[:, 0]
    order = found.groups["influence"]
    assert scores[order].tolist() == sorted(scores)[: len(order)]
    refit = analysis.problem.group_refit(order, "margin").change[list(tests)].mean()
    assert found.change["influence"][0] == pytest.approx(refit, rel=1e-6)
    assert refit < 0


def test_what_is_finished_is_shown_kept_and_found_again():
    shown, analysis = [], analyse(BLOBS)
    store = result_store()
    task = Task(store=store, show=shown.append)
    found = removal.removal(analysis, FEW, task)
    assert len(shown) == 2
    assert np.isfinite(shown[0].random[0]).all()
    assert np.isnan(shown[0].random[1]).all()
    reused = []
    again = removal.removal(analyse(BLOBS), FEW, Task(store=store, reused=reused.append))
    assert sum(reused) == len({frozenset(order[:k]) for order in found.groups.values() for k in found.sizes}) + 2 * 4
    np.testing.assert_array_equal(again.random, found.random)
    assert stored_removal(analyse(BLOBS), FEW) is not None
    assert stored_removal(analyse(BLOBS), RemovalQuestion((TEST,), shares=(0.05,))) is None


def test_a_run_that_is_cancelled_stops():
    task = Task()
    task.cancel.set()
    with pytest.raises(Cancelled):
        removal.removal(analyse(BLOBS), FEW, task)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (RemovalQuestion(()), "expected some from 0"),
        (RemovalQuestion((9999,)), "expected some from 0"),
        (RemovalQuestion((0,), ("magic",)), "expected one of nearest, cosine"),
        (RemovalQuestion((0,), shares=(1.5,)), "between 0 and 1"),
        (RemovalQuestion((0,), draws=1), "at least 2"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(question, words):
    with pytest.raises(DataError, match=words):
        removal.removal(analyse(BLOBS), question)


def test_a_group_that_takes_a_whole_class_is_left_out():
    settings = Settings(DataSettings("iris", (("classes", "3"),)), ModelSettings("softmax", 0.1))
    found = removal.removal(analyse(settings), RemovalQuestion((0,), (), (0.05, 0.9), 2))
    assert np.isfinite(found.change["influence"][0])
    assert np.isnan(found.change["influence"][1])


@pytest.mark.parametrize(
    ("change", "sign", "verdict"),
    [
        ([9.0, 9.0], 1, "They mattered"),
        ([-9.0, -9.0], -1, "They mattered"),
        ([-9.0, -9.0], 1, "The other way than the scores say"),
        ([9.0, 0.0], 1, "In part"),
        ([0.0, 0.0], 1, "No more than chance"),
    ],
)
def test_a_change_against_the_scores_is_not_called_one_that_mattered(change, sign, verdict):
    random = np.tile(np.linspace(-1, 1, 10), (2, 1))
    orders = {"a": np.arange(5)}
    found = Removal(np.array([2, 5]), 100, {"a": "A"}, {"a": np.array(change)}, random, "nats", orders, sign=sign)
    assert found.sentence().startswith(verdict)
    assert ("the other way." in found.sentence()) == (verdict == "The other way than the scores say")
