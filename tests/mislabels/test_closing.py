"""Decisions applied: labels, exclusions, refit and held-out noise band; curves over the share checked."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core.analysis import (
    Analysis,
    Cancelled,
    Corrections,
    DataError,
    Problem,
    Review,
    SignalError,
    Task,
    analyse,
    checking_curve,
    corrected_review,
    duplicate_groups,
    outcome,
    scores,
)
from influence_core.analysis.closing import BeforeAfter, paired_bootstrap
from influence_core.analysis.problem import Given
from influence_core.compute import ResultStore
from influence_core.data import corrected
from influence_core.settings import DataSettings, ModelSettings, Settings

SETTINGS = Settings(
    DataSettings("blobs", (("n", 200),), flip_fraction=0.2, test_fraction=0.3), ModelSettings("logistic", 0.01), seed=1
)


@cache
def review() -> Review:
    return Review(analyse(SETTINGS))


def decisions(rows, labels, excluded=()) -> Corrections:
    rows = np.asarray(rows, dtype=np.int64)
    return Corrections(rows, np.asarray(labels, dtype=np.int64), np.isin(rows, np.asarray(excluded)))


def test_labels_and_exclusions_are_applied_and_nothing_else():
    split = review().analysis.problem.split
    flips = np.flatnonzero(split.flipped)
    rows = [flips[0], flips[1], 5]
    new = corrected(split, decisions(rows, [split.original_y[flips[0]], 0, split.train.y[5]], excluded=[flips[1]]))
    assert len(new.train) == len(split.train) - 1
    assert flips[1] not in [np.flatnonzero(split.train.ids == name)[0] for name in new.train.ids]
    np.testing.assert_array_equal(new.train.x, np.delete(split.train.x, flips[1], 0))
    expected = split.train.y.copy()
    expected[flips[0]] = split.original_y[flips[0]]
    np.testing.assert_array_equal(new.train.y, np.delete(expected, flips[1]))
    assert new.flipped.sum() == split.flipped.sum() - 2
    assert new.test is split.test


@pytest.mark.parametrize(
    ("rows", "labels", "excluded", "message"),
    [
        ([1, 1], [0, 1], [], "one decision for each"),
        ([-1], [0], [], "from 0 to"),
        ([10**6], [0], [], "from 0 to"),
        ([1], [2], [], "classes from 0 to 1"),
    ],
)
def test_decisions_that_cannot_be_applied(rows, labels, excluded, message):
    with pytest.raises(DataError, match=message):
        corrected(review().analysis.problem.split, decisions(rows, labels, excluded))


def test_a_class_must_stay():
    split = review().analysis.problem.split
    ones = np.flatnonzero(split.train.y == 1)
    with pytest.raises(DataError, match="at least 2 training points of every class"):
        corrected(split, decisions(ones, split.train.y[ones], excluded=ones))
    with pytest.raises(DataError, match="one length"):
        Corrections(np.arange(2), np.arange(3), np.zeros(2, dtype=bool))


def test_the_refit_is_the_one_of_scikit_learn_with_the_same_total_penalty():
    split = review().analysis.problem.split
    rows = np.arange(8)
    chosen = decisions(rows, split.original_y[rows], excluded=[0, 3])
    problem = Problem(SETTINGS, corrections=chosen)
    keep, y = np.ones(len(split.train), dtype=bool), split.train.y.copy()
    y[rows], keep[[0, 3]] = split.original_y[rows], False
    fit = LogisticRegression(C=1 / (0.01 * len(split.train)), solver="newton-cholesky", tol=1e-12, max_iter=500)
    fit.fit(split.train.x[keep], y[keep])
    np.testing.assert_allclose(problem.fitted.theta.numpy(), [*fit.coef_[0], *fit.intercept_], rtol=1e-6)
    assert problem.accuracy(problem.fitted.theta) == pytest.approx(fit.score(split.test.x, split.test.y))


def test_outcome_of_fixing_every_flip():
    before = review()
    split = before.analysis.problem.split
    rows = np.arange(len(split.train))
    after = corrected_review(before, decisions(rows, split.original_y))
    found = outcome(before, after)
    clean = Problem(replace(SETTINGS, data=replace(SETTINGS.data, flip_fraction=0.0)))
    assert found.accuracy.before == 1 - before.analysis.problem.misclassified.mean()
    assert found.accuracy.after == 1 - clean.misclassified.mean()
    assert found.accuracy.low <= found.accuracy.difference <= found.accuracy.high
    assert found.loss.difference < 0
    assert found.loss.clear
    assert (found.kept, found.relabelled, found.excluded) == ((~split.flipped).sum(), split.flipped.sum(), 0)
    assert found.differed == (split.original_y != before.predicted).sum()
    assert after.suspicion("loss").mean() < before.suspicion("loss").mean()
    assert not after.analysis.problem.split.flipped.any()
    assert "bootstrap" in found.how
    assert "unique minimum" in found.how


def test_keeping_everything_changes_nothing():
    before = review()
    rows = np.arange(5)
    found = outcome(before, corrected_review(before, decisions(rows, before.labels[rows])))
    assert found.accuracy.difference == 0
    assert found.loss.difference == pytest.approx(0, abs=1e-9)
    assert not found.loss.clear
    assert (found.kept, found.relabelled) == (5, 0)


@pytest.mark.parametrize(("size", "clear"), [(0.0, False), (1e-15, False), (1e-6, True)])
def test_rounding_alone_is_no_clear_change(size, clear):
    for low, high in ((0.9 * size, 1.1 * size), (-1.1 * size, -0.9 * size)):
        assert BeforeAfter(0.5, 0.5 + (low + high) / 2, low, high).clear == clear


def test_a_band_without_the_noise_of_seeds_says_so():
    before = Review(analyse(replace(SETTINGS, model=ModelSettings("logistic", 0.01, fit="adamw"))))
    found = outcome(before, corrected_review(before, decisions([0], [before.labels[0]])))
    assert "another seed gives another model" in found.how


def test_the_old_review_stays_and_corrections_do_not_pile_up():
    before = review()
    after = corrected_review(before, decisions([0], [1 - before.labels[0]]))
    assert before.labels[0] != after.labels[0]
    assert before.analysis.problem.key() != after.analysis.problem.key()
    with pytest.raises(DataError, match="all decisions at once"):
        corrected_review(after, decisions([1], [0]))
    with pytest.raises(DataError, match="some decisions first"):
        outcome(before, before)


def test_bootstrap_band_covers_as_a_normal_one():
    values = np.random.default_rng(0).normal(0.1, 1, size=400)
    low, high = paired_bootstrap(values, seed=0)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.15 * half)
    assert paired_bootstrap(np.zeros(10), 0) == (0, 0)
    assert paired_bootstrap(np.array([0.5]), 0) == (0.5, 0.5)


CURVE = replace(SETTINGS, data=replace(SETTINGS.data, options=(("n", 150),)))


def test_curves_start_and_end_where_they_must():
    found = checking_curve(CURVE, ["self_influence"], seeds=range(4), fractions=(0, 0.1, 0.3, 1))
    assert list(found.found) == ["self_influence", "loss", "random"]
    for name, values in found.found.items():
        assert values.shape == (4, 4)
        assert (np.diff(values, axis=1) >= 0).all()
        np.testing.assert_array_equal(values[:, 0], 0)
        np.testing.assert_array_equal(values[:, -1], 1)
        np.testing.assert_array_equal(found.accuracy[name][:, -1], found.clean)
        np.testing.assert_array_equal(found.accuracy[name][:, 0], found.accuracy["loss"][:, 0])
    assert found.found["self_influence"][:, 2].mean() > found.found["random"][:, 2].mean() + 0.2
    assert found.auc["self_influence"].mean() > 0.8 > 0.65 > found.auc["random"].mean()
    for number, seed in enumerate(found.seeds):
        clean = Problem(replace(CURVE, seed=seed, data=replace(CURVE.data, flip_fraction=0.0)))
        assert found.clean[number] == 1 - clean.misclassified.mean()


def test_accuracy_after_fixing_is_that_of_the_problem_with_these_labels():
    found = checking_curve(CURVE, ["loss"], seeds=[2], fractions=[0.2])
    problem = Problem(replace(CURVE, seed=2))
    again = Review(Analysis(problem.settings, problem))
    checked = again.ranked("loss")[: round(0.2 * len(again.labels))]
    labels = problem.split.original_y[checked]
    fixed = replace(problem, corrections=decisions(checked, labels))
    assert found.accuracy["loss"][0, 0] == 1 - fixed.misclassified.mean()


def test_finished_seeds_are_kept_and_a_cancelled_run_goes_on(tmp_path):
    kept = []
    task = Task(store=ResultStore(tmp_path, 10**8), reused=kept.append)
    first = checking_curve(CURVE, seeds=[0, 1], fractions=[0.1], task=task)
    assert kept == []
    again = checking_curve(CURVE, seeds=[0, 1, 2], fractions=[0.1], task=task)
    assert kept == [1, 1]
    np.testing.assert_allclose(again.found["loss"][:2], first.found["loss"])
    task.cancel.set()
    with pytest.raises(Cancelled):
        checking_curve(CURVE, seeds=[7], fractions=[0.1], task=task)


def test_what_a_curve_needs():
    with pytest.raises(DataError, match="flipped share above 0"):
        checking_curve(replace(CURVE, data=replace(CURVE.data, flip_fraction=0.0)))
    with pytest.raises(DataError, match="shares from 0 to 1"):
        checking_curve(CURVE, fractions=[2.0])
    with pytest.raises(SignalError, match="Unknown signal"):
        checking_curve(CURVE, ["x"], seeds=[0])


def test_scores_are_what_a_store_needs():
    found, split = scores(review()), review().analysis.problem.split
    n = len(split.train)
    assert set(found.signals) == set(review().signals)
    assert found.cross_validated
    np.testing.assert_allclose(found.p_given + found.p_suggested, 1)  # two classes
    np.testing.assert_array_equal(found.suggested, 1 - found.labels)
    np.testing.assert_array_equal(found.predicted != found.labels, found.p_given < 0.5)
    np.testing.assert_allclose(found.label_score, found.p_given)
    assert found.is_issue.shape == (n,)
    assert found.metrics["test_accuracy"] == 1 - review().analysis.problem.misclassified.mean()
    cheap = scores(review(), ["loss"])
    assert not cheap.cross_validated
    np.testing.assert_allclose(-np.log(cheap.p_given), cheap.signals["loss"], rtol=1e-9)
    hinge = Review(analyse(replace(SETTINGS, model=ModelSettings("hinge", 0.01))))
    assert set(scores(hinge).p_given) <= {0.0, 1.0}


def test_groups_of_near_duplicates_chain():
    found = Review(analyse(SETTINGS))
    x = found.analysis.problem.split.train.x.copy()
    x[5] = x[9] = x[2]
    x[7] = x[4] + 1e-9
    train = replace(found.analysis.problem.split.train, x=x)
    problem = Problem(SETTINGS, given=Given(replace(found.analysis.problem.split, train=train)))
    groups = duplicate_groups(Review(Analysis(SETTINGS, problem)), [9, 7])
    assert groups[[2, 5, 9]].tolist() == [2, 2, 2]
    assert groups[[4, 7]].tolist() == [4, 4]
