"""The experiments of the lessons, against refits and dense algebra that share no code with them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core import teaching
from influence_core.analysis import MODELS, analyse
from influence_core.settings import DataSettings, ModelSettings, Settings, SettingsError

BLOBS = Settings(DataSettings("blobs", (("n", 60),), test_fraction=0.2), ModelSettings("logistic", 0.05))
FEW = Settings(DataSettings("diabetes", test_fraction=0.9), ModelSettings("linear", 0.0))


@pytest.fixture(scope="module")
def blobs():
    return analyse(BLOBS)


def design(analysis):
    train = analysis.problem.split.train
    return np.column_stack([train.x, np.ones(len(train))]), train.y


def sklearn_theta(x, y, l2, weights=None, n=None):
    found = LogisticRegression(C=1 / (l2 * (n or len(x))), tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    found.fit(x[:, :-1], y, sample_weight=weights)
    return np.append(found.coef_[0], found.intercept_)


def dense(analysis, test, l2=0.05):
    """H, all g_i and q at θ̂, by NumPy."""
    x, y = design(analysis)
    theta = analysis.problem.fitted.theta.numpy()
    p = 1 / (1 + np.exp(-x @ theta))
    h = (x * (p * (1 - p))[:, None]).T @ x / len(x) + l2 * np.diag([1.0] * (x.shape[1] - 1) + [0.0])
    at = np.append(analysis.problem.split.test.x[test], 1.0)
    q = (1 / (1 + np.exp(-at @ theta)) - analysis.problem.split.test.y[test]) * at
    return h, (p - y)[:, None] * x, q


def test_stretch_of_least_squares_is_one_over_one_minus_the_hat_diagonal():
    analysis = analyse(FEW)
    table = teaching.stretch(analysis)
    x, y = design(analysis)
    hat = np.diag(x @ np.linalg.solve(x.T @ x, x.T))
    assert hat.max() > 0.5
    np.testing.assert_allclose(table.leverage, hat, atol=1e-9)
    whole = np.linalg.lstsq(x, y, rcond=None)[0]
    for row in (0, int(hat.argmax()), 17):
        kept = np.delete(np.arange(len(x)), row)
        moved = np.linalg.norm(np.linalg.lstsq(x[kept], y[kept], rcond=None)[0] - whole)
        assert table.loo[row] == pytest.approx(moved, rel=1e-6)
        assert table.ratio[row] == pytest.approx(1 / (1 - hat[row]), rel=1e-6)


def test_stretch_of_logistic_regression_is_measured_by_refits(blobs):
    table, (x, y) = teaching.stretch(blobs), design(blobs)
    row = int(table.leverage.argmax())
    kept = np.arange(len(x)) != row
    moved = sklearn_theta(x[kept], y[kept], 0.05, n=len(x)) - sklearn_theta(x, y, 0.05)
    assert table.loo[row] == pytest.approx(np.linalg.norm(moved), rel=1e-4)
    assert table.ratio[row] > 1


def test_directions_add_up_to_both_scores(blobs):
    h, g, q = dense(blobs, 2)
    for row in (0, 11):
        table = teaching.by_direction(blobs, row, 2)
        assert (np.diff(table.eigenvalue) <= 0).all()
        np.testing.assert_allclose(table.eigenvalue, np.linalg.eigvalsh(h)[::-1], rtol=1e-9)
        assert table.gradient_dot.sum() == pytest.approx(q @ g[row] / len(g), rel=1e-8)
        assert table.influence.sum() == pytest.approx(q @ np.linalg.solve(h, g[row]) / len(g), rel=1e-8)


def test_theta_slope_is_the_derivative_of_refits(blobs):
    x, y = design(blobs)
    unit, step = np.eye(len(x))[7], 1e-4
    ends = [sklearn_theta(x, y, 0.05, 1 + sign * len(x) * step * unit) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(teaching.theta_slope(blobs, 7), slope, rtol=1e-4, atol=1e-6 * np.abs(slope).max())


def test_damping_agreement_is_that_of_dense_solves(blobs):
    measured = blobs.problem.loo().change[:, 2]
    table = teaching.damping_agreement(blobs, 2, (0.0, 0.3, 1e6), measured)
    h, g, q = dense(blobs, 2)
    for row in table.itertuples():
        scores = g @ np.linalg.solve(h + row.damping * np.eye(3), q) / len(g)
        assert row.relative_error == pytest.approx(
            np.linalg.norm(scores - measured) / np.linalg.norm(measured), rel=1e-6
        )
        slope, _ = np.polyfit(scores, measured, 1)
        assert row.slope == pytest.approx(slope, rel=1e-5)
    assert table.cosine.iloc[-1] == pytest.approx(1, abs=1e-9)
    assert table.relative_error.iloc[0] < 0.3 < 0.9 < table.relative_error.iloc[-1]
    with pytest.raises(SettingsError, match="at least one damping"):
        teaching.damping_agreement(blobs, 2, (), measured)


def test_the_sharp_hinge_is_lost_and_the_smoothed_one_is_not():
    truth = teaching.exact_changes(0)
    assert truth.shape == (90, 10)
    sharp, smooth = (teaching.at_temperature(t, 0, truth) for t in (0.0, 0.01))
    np.testing.assert_array_equal(sharp.loo_loss_change, truth.ravel())
    size = np.linalg.norm(truth)
    assert np.linalg.norm(sharp.loss_change) > 100 * size
    assert 0.3 * size < np.linalg.norm(smooth.loss_change) < 3 * size
    assert np.corrcoef(smooth.loss_change, smooth.loo_loss_change)[0, 1] > 0.5


def test_a_network_beside_a_linear_model_brings_its_usual_penalty() -> None:
    assert teaching.second_settings(BLOBS, "softmax").model.l2 == BLOBS.model.l2
    network = teaching.second_settings(BLOBS, "mlp")
    assert network.model.l2 == MODELS["mlp"].l2 != BLOBS.model.l2
    assert teaching.second_settings(network, "logistic").model.l2 == MODELS["logistic"].l2


def test_joined_scores_are_those_of_each_model_and_places_are_distances(blobs):
    settings = teaching.second_settings(BLOBS, "hinge")
    assert settings.data == BLOBS.data and settings.model.l2 == 0.05
    second = analyse(settings)
    found = teaching.joined(blobs, second, 3)
    h, g, q = dense(blobs, 3)
    np.testing.assert_allclose(found.table["first"], g @ np.linalg.solve(h, q) / len(g), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.table["second"], second.scores([3])[:, 0], rtol=1e-9)
    x, _ = design(blobs)
    theta = blobs.problem.fitted.theta.numpy()
    np.testing.assert_allclose(found.table.place_first, x @ theta / np.linalg.norm(theta[:2]), rtol=1e-9)
    assert found.places == ("signed distance to the boundary",) * 2
    strongest = found.top("first", 3, 1)
    assert (np.diff(found.table["first"].to_numpy()[strongest]) <= 0).all()
    assert found.table["first"].max() == found.table["first"][strongest[0]]
    assert (found.table["second"].to_numpy()[found.top("second", 5, -1)] < 0).all()


@pytest.mark.parametrize("name", ["iris", "linear_example"])
def test_every_applicable_model_can_be_joined(name):
    options = (("classes", "3"),) if name == "iris" else ()
    model = "softmax" if name == "iris" else "ridge"
    first = analyse(Settings(DataSettings(name, options), ModelSettings(model, 0.01)))
    for other in teaching.applicable(first):
        found = teaching.joined(first, analyse(teaching.second_settings(first.settings, other)), 0)
        assert np.isfinite(found.table[["first", "second", "place_first", "place_second"]].to_numpy()).all()


def test_growing_groups_add_up_and_end_at_the_refit(blobs):
    (x, y), n = design(blobs), len(blobs.problem.split.train)
    scores = blobs.scores([2])[:, 0]
    order = np.argsort(-scores, kind="stable")
    table = teaching.growing(blobs, 2, order, (1, 5, 12))
    np.testing.assert_allclose(table.first_order, np.cumsum(scores[order])[[0, 4, 11]], rtol=1e-9)
    at, label = np.append(blobs.problem.split.test.x[2], 1.0), blobs.problem.split.test.y[2]

    def loss(theta):
        return np.logaddexp(0, -(2 * label - 1) * (at @ theta))

    whole = loss(sklearn_theta(x, y, 0.05))
    for size, measured in zip(table["size"], table.measured, strict=True):
        kept = np.delete(np.arange(n), order[:size])
        assert measured == pytest.approx(loss(sklearn_theta(x[kept], y[kept], 0.05, n=n)) - whole, rel=1e-4)
    last = table.iloc[-1]
    assert last.first_order < last.measured and abs(last.newton - last.measured) < abs(last.first_order - last.measured)


def test_training_noise_is_other_seeds_of_the_same_training():
    options = (("batch_size", 8), ("epochs", 3))
    settings = Settings(BLOBS.data, ModelSettings("logistic", 0.05, fit="adamw", options=options))
    table = teaching.training_noise(settings, 3, 0, (0, 1, 2))
    assert table.loss_with.nunique() == 3
    again = teaching.training_noise(settings, 3, 0, (1,))
    np.testing.assert_allclose(again, table.iloc[[1]], rtol=1e-9)
    newton = Settings(BLOBS.data, ModelSettings("logistic", 0.05))
    exact = teaching.training_noise(newton, 3, 0, (0, 1))
    analysis = analyse(newton)
    (x, y), kept = design(analysis), np.arange(len(analysis.problem.split.train)) != 3
    theta = sklearn_theta(x[kept], y[kept], 0.05)
    at, label = np.append(analysis.problem.split.test.x[0], 1.0), analysis.problem.split.test.y[0]
    assert np.ptp(exact.loss_with) < 1e-9 < np.ptp(table.loss_with)
    assert exact.loss_without[0] == pytest.approx(np.logaddexp(0, -(2 * label - 1) * (at @ theta)), rel=1e-5)


def test_mismatch_is_found_in_the_strongest_points_and_cured_by_coverage():
    poor, rich = (analyse(teaching.mismatch.settings(more)) for more in (0, 30))
    before, after = teaching.mismatch.by_group(poor), teaching.mismatch.by_group(rich)
    assert before.train.tolist() == [120, 4] and after.train.tolist() == [120, 34]
    assert before.accuracy[1] < 0.4 < 0.7 < after.accuracy[1]
    assert min(before.accuracy[0], after.accuracy[0]) > 0.9
    split = poor.problem.split
    inside = teaching.mismatch.in_subgroup(split, split.train)
    asked = teaching.mismatch.in_subgroup(split, split.test) & poor.problem.misclassified
    scores = poor.scores([int(np.flatnonzero(asked)[0])])[:, 0]
    assert inside[np.argsort(-np.abs(scores))[:2]].all()
    # The test points are those of the poor training set, and the predictions those of an independent fit.
    assert (rich.problem.split.test.x == split.test.x).all()
    x, y = design(poor)
    f = np.column_stack([split.test.x, np.ones(len(split.test))]) @ sklearn_theta(x, y, 0.01)
    np.testing.assert_array_equal((f > 0) != split.test.y, poor.problem.misclassified)


def test_poison_stays_in_its_bound_and_flips_an_independent_refit():
    analysis = analyse(Settings(DataSettings("digits"), ModelSettings("logistic", 0.01)))
    found = teaching.least(analysis, 0, 0.5, 16)
    assert found is not None and found.flipped and len(found.rows) <= 8
    assert np.abs(found.after - found.before).max() <= 0.5 + 1e-12
    everyone = analysis.problem.split.train.x
    assert (found.after >= everyone.min(0)).all() and (found.after <= everyone.max(0)).all()
    split = analysis.problem.split
    at, sign = np.append(split.test.x[0], 1.0), 2 * split.test.y[0] - 1
    x, y = design(analysis)
    assert sign * (at @ sklearn_theta(x, y, 0.01)) > 0
    moved = x.copy()
    moved[found.rows, :-1] = found.after
    margin = sign * (at @ sklearn_theta(moved, y, 0.01))
    assert margin < 0 and margin == pytest.approx(found.path.margin.iloc[-1], abs=1e-4)
    assert (np.diff(found.path.loss[:4]) > 0).all()
    everywhere = np.column_stack([split.test.x, np.ones(len(split.test))])
    sides = [everywhere @ sklearn_theta(data, y, 0.01) > 0 for data in (x, moved)]
    assert found.others == (sides[0] != sides[1]).sum() - 1
    fewer = teaching.poison(analysis, 0, len(found.rows) - 1, 0.5)
    assert not fewer.flipped
    places = found.places(found.self_influence)
    assert sorted(places) == sorted(1 + (found.self_influence > found.self_influence[row]).sum() for row in found.rows)
    assert teaching.least(analysis, 0, 1e-3, 2) is None
