"""A score as a sum over features: against explicit matrices, against the estimators, and against refits."""

import numpy as np
import pytest
import torch
from networks import example
from oracles import centred, quantity, residual
from problems import DEFINED, LINEAR, problem

from influence_core.influence.estimators import ESTIMATORS, scores
from influence_core.influence.shares import factors, shares
from influence_core.influence.watched import Influence, watch
from influence_core.settings import SettingsError, SolverSettings

SPLITS = [name for name, entry in ESTIMATORS.items() if entry.splits]
FOLDED = [name for name in LINEAR if name != "linear"]
ROW, ASKED = 3, 2


def one(case, name="loss", target=-1):
    return watch(case.fitted, case.test.take(slice(ASKED, ASKED + 1)), name, target)


def total(found):
    return found.features.sum() + found.intercept + found.penalty + (found.before or 0.0)


@pytest.mark.parametrize("estimator", SPLITS)
@pytest.mark.parametrize(("name", "key"), DEFINED)
def test_the_parts_sum_to_the_score_that_the_estimator_gives(name, key, estimator):
    case = problem(name)
    influence, watched = case.influence(), one(case, key)
    for row in range(0, 40, 7):
        found = shares(influence, watched, row, estimator)
        expected = scores(influence, watched, estimator)[row, 0]
        size = np.abs(found.features).sum() + abs(found.intercept)
        assert abs(total(found) - found.score) <= 1e-12 * size
        assert found.score == pytest.approx(expected, rel=1e-9, abs=1e-12 * size)


@pytest.mark.parametrize("estimator", ["influence", "newton"])
@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_penalty_has_its_own_part(name, estimator):
    case = problem(name, fold_penalty=True)
    influence, watched = case.influence(), one(case)
    found = shares(influence, watched, ROW, estimator)
    assert found.penalty != 0
    assert total(found) == pytest.approx(scores(influence, watched, estimator)[ROW, 0], rel=1e-9)


@pytest.mark.parametrize("estimator", SPLITS)
@pytest.mark.parametrize("name", LINEAR)
def test_several_test_points_asked_about_together(name, estimator):
    case = problem(name)
    combine = case.test.x.new_full((len(case.test), 1), 1 / len(case.test))
    watched = case.watch(combine=combine)
    found = shares(case.influence(), watched, ROW, estimator)
    assert total(found) == pytest.approx(scores(case.influence(), watched, estimator)[ROW, 0], rel=1e-9)


@pytest.mark.parametrize("name", LINEAR)
def test_first_order_shares_are_written_out(name):
    """q_jᵀ H⁻¹ (what feature k brings into g_i) / n, by NumPy."""
    case = problem(name)
    r, theta = case.reference, case.theta
    x, y = case.asked[0][ASKED], case.asked[1][ASKED]
    q = np.kron(residual(r.kind, r.f(theta, x), y, r.t), x)
    solved = r.solve(r.ddj(theta), q)
    mine = residual(r.kind, r.f(theta, r.x[ROW]), r.y[ROW], r.t)
    for estimator, column in (("influence", solved), ("gradient_dot", q)):
        expected = [
            np.kron(mine, r.x[ROW] * (np.arange(r.x.shape[1]) == k)) @ column / r.n for k in range(r.x.shape[1])
        ]
        found = shares(case.influence(), one(case), ROW, estimator)
        np.testing.assert_allclose([*found.features, found.intercept], expected, rtol=1e-7, atol=1e-14)
    np.testing.assert_allclose(found.values, r.x[ROW, :-1])


@pytest.mark.parametrize(("name", "key"), DEFINED)
def test_newton_shares_are_written_out(name, key):
    """The step, what feature k brings into it, and slopes along it by central differences."""
    case = problem(name)
    r, theta = case.reference, case.theta
    x, y, width = case.asked[0][ASKED], case.asked[1][ASKED], case.reference.x.shape[1]
    h, target = r.ddj(theta), -1 if key != "prediction" else r.outputs - 1 if r.outputs > 1 else 1
    step = r.solve(h - r.hessian_of(theta, r.x[ROW], r.y[ROW]) / r.n, r.gradient(theta, r.x[ROW], r.y[ROW])) / r.n
    rho = (h @ step * r.n).reshape(r.outputs, width)[:, -1]  # the intercept's input is 1
    f, moved = r.f(theta, x), r.f(step, x)
    points = (np.arange(400) + 0.5) / 400
    slopes = np.mean([centred(lambda z: quantity(r.kind, key, z, y, r.t, target), f + t * moved) for t in points], 0)
    solved = r.solve(h, np.kron(slopes, x)).reshape(r.outputs, width)
    found = shares(case.influence(), one(case, key), ROW, "newton")
    expected = rho @ solved * r.x[ROW] / r.n
    np.testing.assert_allclose([*found.features, found.intercept], expected, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["ridge", "linear", "logistic", "hinge"])
def test_one_step_newton_of_one_output_is_first_order_over_one_minus_leverage(name):
    """Where what is watched is the output itself; the leverage is NumPy's."""
    case = problem(name)
    r, theta = case.reference, case.theta
    leverage = np.trace(r.solve(r.ddj(theta), r.hessian_of(theta, r.x[ROW], r.y[ROW]))) / r.n
    key = "margin" if name in {"logistic", "hinge"} else "prediction"
    first, newton = (shares(case.influence(), one(case, key), ROW, name) for name in ("influence", "newton"))
    np.testing.assert_allclose(newton.features, first.features / (1 - leverage), rtol=1e-8)


def test_newton_shares_of_squared_loss_sum_to_what_the_refit_shows():
    case = problem("ridge")
    found = shares(case.influence(), one(case), ROW, "newton")
    assert total(found) == pytest.approx(case.truth[ROW, ASKED], rel=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_three_factors_make_the_first_order_score(name):
    case = problem(name)
    influence, watched = case.influence(), one(case)
    r, theta = case.reference, case.theta
    x, y = case.asked[0][ASKED], case.asked[1][ASKED]
    g, q = r.gradient(theta, r.x[ROW], r.y[ROW]), np.kron(residual(r.kind, r.f(theta, x), y, r.t), x)
    h = r.ddj(theta)
    found = factors(influence, watched, ROW)
    lengths = [v @ r.solve(h, v) for v in (g, q)]
    assert found.energy == pytest.approx(lengths[0], rel=1e-7)
    assert found.alike == pytest.approx(q @ r.solve(h, g) / np.sqrt(np.prod(lengths)), rel=1e-7)
    assert found.wrong == pytest.approx(np.linalg.norm(residual(r.kind, r.f(theta, r.x[ROW]), r.y[ROW], r.t)))
    score = np.sqrt(np.prod(lengths)) * found.alike / r.n
    assert score == pytest.approx(scores(influence, watched)[ROW, 0], rel=1e-7)


@pytest.mark.parametrize("kind", ["mlp", "deep", "cnn", "regression", "no bias"])
def test_a_network_splits_in_its_last_layer(kind):
    """The gradient of the last weights by differences of the network's outputs; the rest is one number."""
    case = example(kind)
    influence = Influence(case.fitted, SolverSettings("cholesky", 0.1))
    watched = watch(case.fitted, case.test.take(slice(ASKED, ASKED + 1)))
    found = shares(influence, watched, ROW)
    g, q = case.gradients(case.fitted.train)[ROW], case.gradients(case.test)[ASKED]
    column = np.linalg.solve(case.gauss_newton + 0.1 * np.eye(len(g)), q)
    outputs = case.fitted.model.loss.outputs
    width = len(found.features)
    last = slice(len(g) - outputs * (width + 1), len(g) - outputs)
    weights = (g[last] * column[last]).reshape(outputs, width).sum(0) / len(case.fitted.train)
    np.testing.assert_allclose(found.features, weights, rtol=1e-4, atol=1e-7)
    assert total(found) == pytest.approx(scores(influence, watched)[ROW, 0], rel=1e-9)
    assert found.before is not None
    assert torch.tensor(found.values).isfinite().all()


def test_what_is_no_sum_is_said():
    case = example("normalised")
    influence = Influence(case.fitted, SolverSettings("cg", 0.1))
    watched = watch(case.fitted, case.test.take(slice(0, 1)))
    with pytest.raises(SettingsError, match="ends in a linear one"):
        shares(influence, watched, ROW)
    case = example("mlp")
    with pytest.raises(SettingsError, match="no sum over features"):
        shares(Influence(case.fitted, SolverSettings("cholesky", 0.1)), case.test, ROW, "projection")
