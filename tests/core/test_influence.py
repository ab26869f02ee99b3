"""Estimators against the formula by hand, and against what happens when a row is deleted and the model fitted again.

Slopes, signs and relative errors are asserted: scores that are wrong by a factor n still correlate above 0.99.
"""

from functools import cache

import numpy as np
import pytest
import torch
from oracles import error, quantity, slope
from problems import DEFINED, ESTIMATES, LINEAR, TOTALS, Problem, examples, fitted_on, problem

from influence_core.compute import numpy
from influence_core.influence.estimators import ESTIMATORS, loss_change, scores, self_influence
from influence_core.influence.second_step import second_steps
from influence_core.influence.watched import Influence, watch
from influence_core.models import MODELS, Batch, FittedModel
from influence_core.models.fitting import newton
from influence_core.models.linear import LinearModel
from influence_core.models.losses import SmoothedHinge
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import SOLVERS, SingularError

models = pytest.mark.parametrize("name", LINEAR)
estimators = pytest.mark.parametrize("estimator", ESTIMATES)
folds = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
PENALISED = [name for name in LINEAR if MODELS[name].penalty]


class ByHand:
    """Every estimator for one training and one test point, by full p×p matrices."""

    def __init__(self, example, damping=0.0):
        self.r, self.theta, self.damping = example.reference, example.theta, damping
        self.x, self.y = example.asked
        self.h = self.r.ddj(self.theta) + damping * np.eye(len(self.theta))

    @cache  # noqa: B019 - lives as long as its test
    def g(self, i):
        return self.r.gradient(self.theta, self.r.x[i], self.r.y[i])

    @cache  # noqa: B019
    def q(self, j):
        return self.r.gradient(self.theta, self.x[j], self.y[j])

    @cache  # noqa: B019
    def solved(self, i):
        return self.r.solve(self.h, self.g(i))

    def influence(self, i, j):
        return self.q(j) @ self.solved(i) / self.r.n

    def gradient_dot(self, i, j):
        return self.q(j) @ self.g(i) / self.r.n

    def gradient_cosine(self, i, j):
        return self.q(j) @ self.g(i) / np.linalg.norm(self.q(j)) / np.linalg.norm(self.g(i))

    def theta_relative(self, i, j):
        return self.influence(i, j) / np.linalg.norm(self.solved(i))

    def loss_relative(self, i, j):
        return self.influence(i, j) / np.sqrt(self.g(i) @ self.solved(i))

    @cache  # noqa: B019
    def step(self, i):
        h_i = self.r.hessian_of(self.theta, self.r.x[i], self.r.y[i])
        return self.r.solve(self.h - h_i / self.r.n, self.g(i)) / self.r.n

    def newton(self, i, j):
        asked = self.x[j : j + 1], self.y[j : j + 1]
        return self.r.changes(self.theta + self.step(i), self.theta, asked)[0]


@models
@estimators
@folds
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_every_estimator_is_its_formula(name, estimator, fold, damping):
    example = problem(name, fold_penalty=fold)
    found = scores(example.influence(damping=damping), example.watch(), estimator)
    hand = getattr(ByHand(example, damping), estimator)
    expected = np.array([[hand(i, j) for j in range(6)] for i in range(40)])
    assert error(found, expected) < 1e-9


@pytest.mark.parametrize(("name", "quantity_name"), [pair for pair in DEFINED if pair[1] != "loss"])
@pytest.mark.parametrize("target", [-1, 0])
@folds
def test_other_quantities(name, quantity_name, target, fold):
    """q_j by central differences of the quantity; the penalty belongs to the loss only."""
    example = problem(name, fold_penalty=fold)
    r = example.reference
    hand, watched = ByHand(example), example.watch(quantity_name, target)
    (x, y), p = example.asked, example.fitted.size

    def m(theta, j):
        return quantity(r.kind, quantity_name, r.f(theta, x[j]), y[j], r.t, target)

    first, steps = np.empty((40, 6)), np.empty((40, 6))
    for j in range(6):
        eye = 1e-6 * np.eye(p)
        q = np.array([m(example.theta + e, j) - m(example.theta - e, j) for e in eye]) / 2e-6
        first[:, j] = [q @ hand.solved(i) / 40 for i in range(40)]
        steps[:, j] = [m(example.theta + hand.step(i), j) - m(example.theta, j) for i in range(40)]
    influence = example.influence()
    assert error(scores(influence, watched), first) < 1e-6
    assert error(scores(influence, watched, "newton"), steps) < 1e-9


@pytest.mark.parametrize("name", PENALISED)
@pytest.mark.parametrize("total", TOTALS)
@folds
def test_slope_sign_and_error_against_deleted_rows(name, total, fold):
    """Newton is the better prediction; both have the sign and the size of the experiment."""
    example = problem(name, total=total, n=60, fold_penalty=fold)
    influence, watched, truth = example.influence(), example.watch(), example.truth
    first, one_step = scores(influence, watched), scores(influence, watched, "newton")
    assert 0.95 < slope(truth, first) < 1.6
    assert error(first, truth) < 0.5
    assert 0.9 < slope(truth, one_step) < 1.1
    assert error(one_step, truth) < {"hinge": 0.15, "softmax": 0.15}.get(name, 0.05)
    assert error(one_step, truth) < error(first, truth)
    large = np.abs(truth) > 0.05 * np.abs(truth).max()
    assert large.sum() > 20
    assert (np.sign(first) == np.sign(truth))[large].mean() > 0.97
    assert (np.sign(one_step) == np.sign(truth))[large].mean() > 0.99


@models
def test_influence_is_exact_as_n_grows(name):
    """With every example k times over, the error of the first order falls like 1/k² while the change falls like 1/k."""
    example, errors = problem(name, total=10), []
    for k in (1, 4, 16):
        train = example.fitted.train
        rows = torch.arange(len(train)).repeat(k)
        model = example.fitted.model
        batch = Batch(train.x[rows], train.y[rows])
        fitted = FittedModel(model, batch, newton(model, batch))
        larger = Problem(fitted, example.test, example.data)
        truth = np.stack(
            [larger.reference.changes(larger.reference.without(i), larger.theta, larger.asked) for i in range(5)]
        )
        first = scores(larger.influence(), larger.watch())[:5]
        errors.append(error(first, truth))
    assert errors[1] < errors[0] / 2.5
    assert errors[2] < errors[1] / 2.5


@pytest.mark.parametrize("name", ["ridge", "linear"])
@pytest.mark.parametrize("total", TOTALS)
@folds
def test_one_newton_step_is_exact_for_squared_loss(name, total, fold):
    example = problem(name, total=total, fold_penalty=fold)
    found = scores(example.influence(), example.watch(), "newton")
    assert error(found, example.truth) < 1e-9


@models
@estimators
def test_weighted_groups_of_test_points(name, estimator):
    """The mean over the test set, and a pair: q summed; for changes the sum of the single changes."""
    example = problem(name)
    combine = torch.zeros(6, 2, dtype=torch.float64)
    combine[:, 0], combine[1, 1], combine[4, 1] = 1 / 6, 1, -2
    found = scores(example.influence(), example.watch(combine=combine), estimator)
    assert found.shape == (40, 2)
    if estimator == "gradient_cosine":
        hand = ByHand(example)
        q = np.mean([hand.q(j) for j in range(6)], 0)
        expected = [q @ hand.g(i) / np.linalg.norm(q) / np.linalg.norm(hand.g(i)) for i in range(40)]
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9, atol=1e-12)
    else:
        single = scores(example.influence(), example.watch(), estimator)
        np.testing.assert_allclose(found, single @ combine.numpy(), rtol=1e-9, atol=1e-14)


@models
@folds
def test_self_influence_is_the_diagonal(name, fold):
    example = problem(name, fold_penalty=fold)
    influence, own = example.influence(damping=0.05), watch(example.fitted, example.fitted.train)
    first, one_step = self_influence(influence), self_influence(influence, newton=True)
    np.testing.assert_allclose(first, np.diag(scores(influence, own)), rtol=1e-9)
    np.testing.assert_allclose(one_step, np.diag(scores(influence, own, "newton")), rtol=1e-9, atol=1e-14)
    assert (first >= 0).all()
    hand = ByHand(example, 0.05)
    np.testing.assert_allclose(first[7], hand.g(7) @ hand.solved(7) / 40, rtol=1e-9)
    other = example.influence(damping=0.05)
    _ = self_influence(other, newton=True)  # leaves M_i behind, from which the first order follows without a solve
    np.testing.assert_allclose(self_influence(other), first, rtol=1e-9)


@models
@folds
def test_leverage(name, fold):
    """Largest eigenvalue of C_i M_i, which for one output is ℓ'' x̃ᵀA⁻¹x̃/n."""
    example = problem(name, fold_penalty=fold)
    r, n = example.reference, 40
    h = r.ddj(example.theta) - (r.l2 / n * np.diag(r.penalised) if fold else 0)
    for i, found in enumerate(example.influence().leverage.tolist()):
        data = r.hessian_of(example.theta, r.x[i], r.y[i]) - (r.l2 * np.diag(r.penalised) if fold else 0)
        expected = np.linalg.eigvals(r.solve(h, data) / n).real.max()
        assert found == pytest.approx(expected, rel=1e-8)
        assert 0 < found < 1


def test_leverage_of_least_squares_is_the_hat_diagonal():
    example = problem("linear")
    x = example.reference.x
    found = example.influence().leverage.numpy()
    np.testing.assert_allclose(found, np.diag(x @ np.linalg.inv(x.T @ x) @ x.T), rtol=1e-10)
    assert found.sum() == pytest.approx(4)


def test_leverage_of_an_example_without_features_is_zero():
    """A blank image has no say, also for softmax without intercepts."""
    data = problem("softmax").data
    x = data.x.copy()
    x[3] = 0
    blank = type(data)(x, data.y, data.ids, data.feature_names, data.class_names)
    fitted = fitted_on("softmax", blank, l2=0.1, intercept=False)
    influence = Influence(fitted, SolverSettings())
    assert influence.leverage[3] == pytest.approx(0, abs=1e-12)
    found = scores(influence, watch(fitted, fitted.train), "newton")
    assert not found[3].any()
    assert np.isfinite(found).all()


def test_a_point_of_leverage_1_has_no_step_and_the_others_have_theirs():
    """One example alone carries a feature; without a penalty nothing is left to determine its coefficient."""
    data = problem("linear").data
    x = data.x.copy()
    x[:, 2] = 0
    x[5, 2] = 1
    alone = type(data)(x, data.y, data.ids, data.feature_names, ())
    fitted = fitted_on("linear", alone)
    influence, watched = Influence(fitted, SolverSettings()), watch(fitted, fitted.train)
    assert np.isfinite(scores(influence, watched)).all()
    steps = scores(influence, watched, "newton")
    assert np.isnan(steps[5]).all() and np.isnan(self_influence(influence, newton=True)).nonzero()[0].tolist() == [5]
    design, y = fitted.train.x.numpy(), fitted.train.y.numpy()
    whole = (design @ np.linalg.lstsq(design, y, rcond=None)[0] - y) ** 2
    for i in np.delete(np.arange(len(y)), 5):
        theta = np.linalg.lstsq(np.delete(design, i, 0), np.delete(y, i), rcond=None)[0]
        np.testing.assert_allclose(steps[i], (design @ theta - y) ** 2 - whole, rtol=1e-8, atol=1e-10)
    assert np.isfinite(scores(Influence(fitted, SolverSettings(damping=0.1)), watched, "newton")).all()


def test_where_every_point_has_leverage_1_no_step_has_an_answer():
    """As many parameters as points: each is passed exactly, and without one of them nothing holds the fit."""
    data = examples(0, n=5, d=4)
    influence = Influence(fitted_on("linear", data), SolverSettings())
    with pytest.raises(SingularError, match="has leverage 1.*Set a damping or a larger l2"):
        scores(influence, watch(influence.fitted, influence.fitted.train), "newton")


@models
@estimators
def test_the_order_of_training_points_does_not_matter(name, estimator):
    example = problem(name)
    order = np.random.default_rng(0).permutation(40)
    data = example.data.take(order)
    options = (("t", 0.5),) if name == "hinge" else ()
    shuffled = fitted_on(name, data, l2=10 / 40, options=options)
    found = scores(Influence(shuffled, SolverSettings()), watch(shuffled, example.test), estimator)
    expected = scores(example.influence(), example.watch(), estimator)
    assert error(found, expected[order]) < 1e-7


@models
@estimators
@pytest.mark.parametrize("solver", [name for name, entry in SOLVERS.items() if entry.kind == "exact"])
@folds
def test_the_solver_does_not_matter(name, estimator, solver, fold):
    example = problem(name, fold_penalty=fold)
    found = scores(example.influence(solver, damping=0.01), example.watch(), estimator)
    expected = scores(example.influence("cholesky", damping=0.01), example.watch(), estimator)
    assert error(found, expected) < 1e-6


@models
def test_no_solve_is_the_gradient_dot_product(name):
    example = problem(name)
    watched = example.watch()
    found = scores(example.influence("identity"), watched)
    np.testing.assert_allclose(found, scores(example.influence(), watched, "gradient_dot"), rtol=1e-12, atol=1e-15)


@models
@folds
def test_having_every_example_twice_halves_influence(name, fold):
    """H and g stay, n doubles: twice the data, half the influence of one of them."""
    example = problem(name, fold_penalty=fold)
    train, model = example.fitted.train, example.fitted.model
    double = Batch(torch.cat([train.x, train.x]), torch.cat([train.y, train.y]))
    fitted = FittedModel(model, double, newton(model, double))
    found = scores(Influence(fitted, SolverSettings()), watch(fitted, example.test))
    expected = scores(example.influence(), example.watch())
    assert error(found[:40], expected / 2) < 1e-7
    assert error(found[40:], expected / 2) < 1e-7


def test_scaling_a_regression_scales_its_changes():
    """y → 10 y: losses, and so their changes, grow a hundredfold."""
    data = problem("ridge").data
    tenfold = type(data)(data.x, 10 * data.y, data.ids, data.feature_names, ())
    for estimator in ("influence", "newton"):
        plain, scaled = (fitted_on("ridge", part, l2=0.1) for part in (data, tenfold))
        expected, found = (
            scores(Influence(fitted, SolverSettings()), watch(fitted, fitted.train), estimator)
            for fitted in (plain, scaled)
        )
        assert error(found, 100 * expected) < 1e-9


def test_first_order_changes_of_a_model_with_an_intercept_add_to_zero():
    """Σ_i g_i/n = −l2·θ_penalised, which for l2 = 0 is zero: all points together change nothing at first order."""
    example = problem("linear")
    found = scores(example.influence(), example.watch())
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-12 * np.abs(found).max() * 40)


def test_the_two_forms_of_logistic_regression_agree_and_the_classic_slips_do_not():
    """±1: I_up,loss = −y_t y σ(−y_t θᵀx_t) σ(−yθᵀx) x_tᵀH⁻¹x (Koh & Liang 2017), ours = −I_up,loss / n."""
    example = problem("logistic", total=10, n=60)
    r, theta = example.reference, example.theta
    x, y = r.x, 2 * r.y - 1
    xt, yt = example.asked[0], 2 * example.asked[1] - 1

    def weight(features, labels):
        return 1 / (1 + np.exp(labels * (features @ theta)))

    s = weight(x, -np.ones(60))
    h = (x.T * (s * (1 - s))) @ x / 60 + r.l2 * np.diag(r.penalised)
    signs, products = np.outer(y, yt), x @ np.linalg.solve(h, xt.T)
    up_loss = -signs * np.outer(weight(x, y), weight(xt, yt)) * products
    found = scores(example.influence(), example.watch())
    assert error(found, -up_loss / 60) < 1e-10
    without_weight = signs * weight(xt, yt) * products / 60
    without_inverse = signs * np.outer(weight(x, y), weight(xt, yt)) * (x @ xt.T) / 60
    for wrong in (without_weight, without_inverse, up_loss, -found, found * 60, found / 60):
        assert error(wrong, example.truth) > 3 * error(found, example.truth)
        assert error(wrong, example.truth) > 0.5
    # Without σ most points are over-estimated; without H⁻¹ the sign is 'same class' wherever features agree.
    assert (np.abs(without_weight) > np.abs(found)).all()
    np.testing.assert_array_equal(np.sign(without_inverse), signs * np.sign(x @ xt.T))


@models
def test_blocks_do_not_change_results(name, monkeypatch):
    from influence_core.influence import one_step as one_step_module
    from influence_core.influence import watched as influence_module

    example = problem(name, fold_penalty=True)
    expected = {e: scores(example.influence(), example.watch(), e) for e in ESTIMATES}
    own = self_influence(example.influence(), newton=True)
    for module in (one_step_module, influence_module):
        whole = module.blocks
        monkeypatch.setattr(module, "blocks", lambda total, item, w=whole: w(total, item, 7 * item))
    for estimator, values in expected.items():
        assert error(scores(example.influence(), example.watch(), estimator), values) < 1e-12
    np.testing.assert_allclose(self_influence(example.influence(), newton=True), own, rtol=1e-11, atol=1e-15)


def test_unknown_estimators_are_refused():
    example = problem("ridge")
    with pytest.raises(SettingsError, match="Unknown estimator 'shap': expected one of influence, newton"):
        scores(example.influence(), example.watch(), "shap")


def test_which_estimators_predict_a_change():
    assert {name for name, entry in ESTIMATORS.items() if not entry.predicts} == {
        "gradient_cosine",
        "theta_relative",
        "loss_relative",
        "tracin",
        "projection",
    }
    assert ESTIMATORS["influence"].scores is loss_change


def test_the_hinge_at_t_0_carries_no_curvature_and_over_estimates():
    """The lesson of t = 0: H = diag(l2, …, l2, 0), and with damping = l2 the prediction is many times too large."""
    example = problem("hinge", total=0.05, n=60, t=1e-2)
    model = LinearModel(SmoothedHinge(0.0), example.reference.l2)
    flat = FittedModel(model, example.fitted.train, example.fitted.fit)
    np.testing.assert_array_equal(model.hessian(flat.theta, flat.train), model.l2 * np.diag([1, 1, 1, 0]))
    found = scores(Influence(flat, SolverSettings(damping=model.l2)), watch(flat, example.test))
    support = np.argsort(-np.abs(found).max(1))[:8]
    truth = [example.reference.changes(example.reference.without(i), example.theta, example.asked) for i in support]
    assert np.abs(found[support]).max() > 20 * np.abs(truth).max()
    # Points outside the margin have no gradient, so no influence at all.
    outside = example.reference.all_f(example.theta)[:, 0] * (2 * example.reference.y - 1) > 1
    assert outside.any()
    assert not found[outside].any()


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("fold", [False, True])
def test_the_second_step_is_a_newton_step_of_the_remaining_objective(name, fold):
    example = problem(name, total=1, fold_penalty=fold)
    influence, reference, n = example.influence(), example.reference, 40
    one, two = second_steps(influence, torch.tensor([0, 5, 17]))
    for place, i in enumerate((0, 5, 17)):
        a = np.ones(n)
        a[i] = 0
        remaining = reference.ddj(example.theta, a)
        first = -reference.solve(remaining, reference.dj(example.theta, a))
        there = example.theta + first
        second = -reference.solve(reference.ddj(there, a), reference.dj(there, a))
        assert error(numpy(one[:, place]), first) < 1e-8
        np.testing.assert_allclose(numpy(two[:, place]), second, rtol=0.05, atol=0.01 * np.abs(first).max())
