"""Fits against scikit-learn and statsmodels, bad conditions, no minimum, and the path for many parameters."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from oracles import error, svc_outputs
from problems import CPU, LINEAR, TOTALS, examples, fitted_on, problem
from scipy.linalg import eigvalsh
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from influence_core.data import Table, split
from influence_core.models import Batch, FittedModel, NoMinimumError, applicable_models, build, fit, fitting, minima
from influence_core.models.fitting import AdamW, adamw, newton
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import DataSettings, ModelSettings, SettingsError

models = pytest.mark.parametrize("name", LINEAR)
totals = pytest.mark.parametrize("total", TOTALS)
intercepts = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])


@totals
@intercepts
@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
def test_logistic_is_scikit_learn(total, intercept, fold):
    """C = 1/(n·l2); with all points present folding the penalty changes nothing."""
    data = examples(2, n=80)
    found = fitted_on("logistic", data, l2=total / 80, intercept=intercept, fold_penalty=fold).theta.numpy()
    sk = LogisticRegression(C=1 / total, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12).fit(
        data.x, data.y
    )
    np.testing.assert_allclose(found[:3], sk.coef_[0], rtol=1e-8)
    if intercept:
        assert found[3] == pytest.approx(sk.intercept_[0], rel=1e-8)


@totals
@intercepts
def test_ridge_is_scikit_learn(total, intercept):
    """alpha = n·l2/2 for ℓ = (y − f)²."""
    data = examples(0, n=80)
    found = fitted_on("ridge", data, l2=total / 80, intercept=intercept).theta.numpy()
    sk = Ridge(alpha=total / 2, fit_intercept=intercept, solver="cholesky").fit(data.x, data.y)
    np.testing.assert_allclose(found[:3], sk.coef_, rtol=1e-9)
    if intercept:
        assert found[3] == pytest.approx(sk.intercept_, rel=1e-9)


@intercepts
def test_linear_is_ordinary_least_squares(intercept):
    """Whatever l2 the settings hold: this model has no penalty."""
    data = examples(0, n=80)
    found = fitted_on("linear", data, l2=5.0, intercept=intercept).theta.numpy()
    sk = LinearRegression(fit_intercept=intercept).fit(data.x, data.y)
    np.testing.assert_allclose(found[:3], sk.coef_, rtol=1e-10)
    design = np.column_stack([data.x, np.ones(80)]) if intercept else data.x
    np.testing.assert_allclose(found, sm.OLS(data.y, design).fit().params, rtol=1e-9)


@totals
@intercepts
@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_is_scikit_learn(total, intercept, classes):
    data, fresh = examples(classes, n=80), examples(classes, n=20, seed=9)
    fitted = fitted_on("softmax", data, l2=total / 80, intercept=intercept)
    found = fitted.model.loss.probabilities(fitted.model.outputs(fitted.theta, fitted.batch(fresh).x)).numpy()
    # Two classes with c columns share the penalty: ‖θ‖² of ±w/2 is half that of w.
    c = 1 / total if classes == 3 else 2 / total
    sk = LogisticRegression(C=c, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12).fit(data.x, data.y)
    np.testing.assert_allclose(found, sk.predict_proba(fresh.x), rtol=1e-7)


@pytest.mark.parametrize("total", [1.0, 10.0])
def test_the_hinge_with_small_t_is_the_support_vector_classifier(total):
    data, fresh = examples(2, n=80), examples(2, n=30, seed=9)
    expected, errors = svc_outputs(data.x, data.y, total, fresh.x), []
    for t in (1e-1, 1e-2, 1e-3):
        fitted = fitted_on("hinge", data, l2=total / 80, options=(("t", t),))
        assert fitted.fit.converged
        found = fitted.model.outputs(fitted.theta, fitted.batch(fresh).x)[:, 0].numpy()
        errors.append(np.abs(found - expected).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01 * np.abs(expected).max()


@models
@totals
@intercepts
def test_newton_reaches_its_goal_and_never_rises(name, total, intercept):
    example = problem(name, total=total, intercept=intercept)
    fitted = example.fitted.fit
    assert fitted.converged
    assert fitted.method == "newton"
    assert np.linalg.norm(example.reference.dj(example.theta)) <= 2 * fitted.goal
    assert np.diff(fitted.history).max() <= 1e-13 * abs(fitted.history[-1])
    assert fitted.history[-1] == pytest.approx(example.reference.j(example.theta), rel=1e-12)


@pytest.mark.parametrize(("name", "t"), [("logistic", 0.1), ("softmax", 0.1), ("hinge", 1e-2), ("hinge", 1e-3)])
@pytest.mark.parametrize("l2", [1e-2, 1e-6])
def test_newton_gets_there_from_bad_conditions(name, t, l2):
    """Features of very different size, a penalty that hardly bends, and a hinge that is almost kinked."""
    data = examples(3 if name == "softmax" else 2, n=150, d=5, seed=2)
    wild = type(data)(data.x * [1, 30, 0.05, 3, 1], data.y, data.ids, data.feature_names, data.class_names)
    fitted = fitted_on(name, wild, l2=l2, options=(("t", t),) if name == "hinge" else ())
    assert fitted.fit.converged, (fitted.fit.gradient_norm, fitted.fit.goal)
    assert len(fitted.fit.history) < fitting.MAX_STEPS


@models
def test_the_start_does_not_matter(name):
    example = problem(name)
    model, train = example.fitted.model, example.fitted.train
    start = torch.as_tensor(np.random.default_rng(0).normal(size=example.fitted.size)) * 20
    if name == "softmax":
        start -= start.view(3, -1).mean(0).repeat(3)
    again = newton(model, train, start=start)
    assert again.converged
    np.testing.assert_allclose(again.theta, example.theta, atol=1e-7)


@models
def test_weights_of_zero_leave_examples_out(name):
    example = problem(name, total=10)
    weights = torch.ones(40, dtype=torch.float64)
    weights[[2, 5, 11]] = 0
    found = newton(example.fitted.model, example.fitted.train, weights).theta.numpy()
    kept = np.flatnonzero(weights.numpy())
    expected = example.reference.refit(kept)
    change = example.reference.changes(found, expected, example.asked)
    np.testing.assert_allclose(change, 0, atol=1e-8)


@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge"])
def test_many_parameters_take_another_path_to_the_same_fit(name, monkeypatch):
    data, factored, factor = examples(3 if name == "softmax" else 2, n=60, d=8), [], torch.linalg.cholesky_ex
    monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda h: (factored.append(len(h)), factor(h))[1])
    dense = fitted_on(name, data, l2=0.05)
    assert len(dense.theta) in factored
    factored.clear()
    monkeypatch.setattr(fitting, "DENSE_LIMIT", 3)
    iterative = fitted_on(name, data, l2=0.05)
    assert iterative.fit.converged
    assert len(dense.theta) not in factored
    np.testing.assert_allclose(iterative.theta, dense.theta, atol=1e-8)


def test_more_features_than_examples(monkeypatch):
    monkeypatch.setattr(fitting, "DENSE_LIMIT", 200)
    random = np.random.default_rng(1)
    x, y = random.normal(size=(30, 210)), np.arange(30) % 2
    x[:, 0] += y
    data = type(examples(2))(x, y, np.arange(30).astype(str), tuple(f"f{k}" for k in range(x.shape[1])), ("a", "b"))
    fitted = fitted_on("logistic", data, l2=0.1)
    assert fitted.fit.converged
    sk = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=5_000).fit(x, y)
    np.testing.assert_allclose(fitted.outputs[:, 0], sk.decision_function(x), atol=1e-5)


@pytest.mark.parametrize("name", ["logistic", "softmax", "hinge"])
def test_separable_classes_without_a_penalty_have_no_minimum(name):
    data = examples(2, n=30)
    apart = type(data)(data.x + 20 * data.y[:, None], data.y, data.ids, data.feature_names, data.class_names)
    with pytest.raises(NoMinimumError, match="perfectly separable and l2 = 0.*Choose l2 > 0, for example 0.001"):
        fitted_on(name, apart, l2=0.0)
    assert fitted_on(name, apart, l2=1e-3).fit.converged


@pytest.mark.parametrize("name", ["logistic", "softmax"])
def test_overlapping_classes_need_no_penalty(name):
    data = examples(2 if name == "logistic" else 3, n=80)
    fitted = fitted_on(name, data, l2=0.0)
    assert fitted.fit.converged
    sk = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(data.x, data.y)
    if name == "logistic":
        np.testing.assert_allclose(fitted.theta[:3], sk.coef_[0], rtol=1e-6)
    else:
        found = fitted.model.loss.probabilities(fitted.outputs)
        np.testing.assert_allclose(found, sk.predict_proba(data.x), rtol=1e-6)


def test_a_redundant_feature_without_a_penalty_still_gets_a_fit():
    """The minimum is not unique, its predictions are."""
    data = examples(0, n=50)
    twice = np.column_stack([data.x, data.x[:, 0]])
    more = type(data)(twice, data.y, data.ids, ("a", "b", "c", "d"), ())
    fitted = fitted_on("linear", more)
    expected = (
        np.column_stack([data.x, np.ones(50)])
        @ np.linalg.lstsq(np.column_stack([data.x, np.ones(50)]), data.y, rcond=None)[0]
    )
    np.testing.assert_allclose(fitted.outputs[:, 0], expected, atol=1e-7)


def parts(validation=0.2):
    data = examples(2, n=120)
    return split(Table(data), DataSettings(validation_fraction=validation, test_fraction=0.2), 0)


def test_adamw_does_not_converge_and_says_so():
    fitted = fit(ModelSettings(fit="adamw", l2=0.05), parts(), seed=1)
    best = fit(ModelSettings(l2=0.05), parts())
    assert not fitted.fit.converged
    assert best.fit.converged
    assert fitted.fit.gradient_norm > 1e3 * fitted.fit.goal
    assert len(fitted.fit.history) == len(fitted.fit.validation) == 50
    assert fitted.fit.history[0] > fitted.fit.history[-1] > best.fit.history[-1]
    # Decoupled decay: near the minimum, not at it.
    assert fitted.fit.history[-1] < 1.1 * best.fit.history[-1]
    assert fitted.fit.validation[-1] == pytest.approx(
        float(fitted.model.losses(fitted.theta, fitted.batch(parts().validation)).mean()), rel=1e-12
    )


def test_adamw_is_repeatable_and_its_options_count():
    def theta(seed=1, **options):
        options = tuple(options.items())
        return fit(ModelSettings(fit="adamw", options=options), parts(), seed=seed).theta

    def apart(one, other):
        return float((one - other).abs().max())

    assert apart(theta(), theta()) < 1e-12
    assert apart(theta(batch_size=16), theta(batch_size=16, seed=2)) > 1e-6
    for changed in ({"epochs": 5}, {"learning_rate": 0.01}, {"schedule": "constant"}, {"batch_size": 16}):
        assert apart(theta(), theta(**changed)) > 1e-6, changed


def test_adamw_at_its_fixed_point_minimises_the_data_term_only_up_to_the_decay():
    """One step by hand: Adam's first update is the learning rate times the sign of the gradient."""
    data = examples(2, n=40)
    model = build(ModelSettings(l2=0.5), data)
    batch = model.batch(data, CPU)
    found = adamw(model, batch, AdamW(epochs=1, schedule="constant", learning_rate=0.1, batch_size=40), 0).theta
    gradient = model.objective(torch.zeros(4, dtype=torch.float64), batch)[1]
    np.testing.assert_allclose(found, -0.1 * torch.sign(gradient), rtol=1e-5)
    two = adamw(model, batch, AdamW(epochs=2, schedule="constant", learning_rate=0.1, batch_size=40), 0).theta
    bare = type(model)(model.loss, 0.0)
    free = adamw(bare, batch, AdamW(epochs=2, schedule="constant", learning_rate=0.1, batch_size=40), 0).theta
    # The decay of the second step takes lr·l2 = 5 % of the penalised coordinates, the intercept is spared.
    np.testing.assert_allclose(two[:3] - free[:3], -0.05 * found[:3], rtol=1e-9)
    assert float(two[3]) == pytest.approx(float(free[3]), rel=1e-9)


def test_without_a_validation_set_there_is_no_curve():
    assert fit(ModelSettings(fit="adamw"), parts(validation=0.0)).fit.validation == ()


def test_models_that_do_not_fit_the_data_are_refused():
    regression, three = examples(0), examples(3)
    with pytest.raises(SettingsError, match="Logistic regression does not fit data with 3 classes: choose one of s"):
        build(ModelSettings("logistic"), three)
    with pytest.raises(SettingsError, match="a numeric target: choose one of ridge, linear"):
        build(ModelSettings("softmax"), regression)
    with pytest.raises(SettingsError, match="Unknown model 'tree': expected one of logistic"):
        build(ModelSettings("tree"), three)
    with pytest.raises(SettingsError, match="Unknown way of fitting 'sgd': expected one of newton, adamw"):
        fit(ModelSettings(fit="sgd"), parts())
    with pytest.raises(SettingsError, match="Unknown option 't'"):
        build(ModelSettings("logistic", options=(("t", 0.1),)), examples(2))
    assert applicable_models(examples(2)) == ["logistic", "softmax", "hinge", "mlp"]


@pytest.mark.parametrize("scale", [1e-150, 1e-12, 1e-6, 1e12, 1e100])
@pytest.mark.parametrize(("name", "l2"), [("ridge", 0.1), ("linear", 0.0)])
def test_targets_of_any_size_are_fitted_and_left_out_right(name, l2, scale):
    """Least squares scales with its target, here by hand: normal equations with and without each point."""
    data = examples(0)
    fitted = fitted_on(name, replace(data, y=data.y * scale), l2=l2)
    assert fitted.fit.converged
    x, penalty = np.hstack([data.x, np.ones((40, 1))]), l2 / 2 * 40 * np.diag([1, 1, 1, 0])

    def solved(rows):
        return np.linalg.solve(x[rows].T @ x[rows] + penalty, x[rows].T @ data.y[rows])

    np.testing.assert_allclose(fitted.theta / scale, solved(np.arange(40)), rtol=1e-9)
    refits = leave_one_out(fitted, Question(fitted.train))
    assert refits.certified.all()
    before = (x @ solved(np.arange(40)) - data.y) ** 2
    for i in range(0, 40, 7):
        after = (x @ solved(np.delete(np.arange(40), i)) - data.y) ** 2
        assert error(refits.change[i] / scale / scale, after - before) < 1e-7


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_features_of_any_size_are_fitted_right(scale):
    data = examples(2)
    plain = fitted_on("logistic", data, l2=0.1)
    found = fitted_on("logistic", replace(data, x=data.x * scale), l2=0.1 * scale**2)
    assert found.fit.converged
    np.testing.assert_allclose(found.outputs, plain.outputs, rtol=1e-7)
    mine, theirs = (leave_one_out(one, Question(one.train)).change for one in (found, plain))
    assert error(mine, theirs) < 1e-5


def test_a_minimum_at_zero_counts_as_converged_whatever_rounding_leaves_of_its_gradient():
    x = np.random.default_rng(0).normal(size=(20, 3))
    data = examples(2)
    data = replace(data, x=np.vstack([x, x]) * 1e5, y=np.repeat([0, 1], 20))
    found = fitted_on("logistic", data, l2=0.1)
    assert found.fit.converged
    np.testing.assert_allclose(found.theta, 0, atol=1e-12)


def test_what_is_kept_of_a_fit_belongs_to_its_theta():
    example = problem("softmax")
    fitted = FittedModel(example.fitted.model, example.fitted.train, example.fitted.fit)
    assert fitted.size == 12
    np.testing.assert_allclose(fitted.outputs, example.reference.x @ example.theta.reshape(3, -1).T, rtol=1e-12)
    assert fitted.residuals.shape == (40, 3)
    assert fitted.curvatures.shape == (40, 3, 3)
    assert isinstance(fitted.batch(example.data), Batch)


@pytest.mark.parametrize("outputs", [1, 3])
def test_flattest_and_steepest_direction_equal_those_of_a_dense_eigenproblem(outputs):
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 6)) * 10.0 ** np.arange(-3, 3)
    square = x.T @ x / 80
    root = random.normal(size=(6 * outputs, 6 * outputs)) * 10.0 ** np.linspace(-5, 1, 6 * outputs)
    h = np.kron(np.eye(outputs), np.linalg.cholesky(square)) @ root
    expected = eigvalsh(h @ h.T, np.kron(np.eye(outputs), square))
    least, largest = minima._curvatures(torch.tensor(h @ h.T), torch.linalg.cholesky(torch.tensor(square)), outputs)
    assert least == pytest.approx(expected[0], rel=0.2)
    assert largest == pytest.approx(expected[-1], rel=0.2)


@pytest.mark.parametrize(("classes", "d"), [(2, 400), (2, 30), (3, 30)])
def test_a_column_that_predicts_perfectly_is_refused_beside_many_others(classes, d):
    random, n = np.random.default_rng(0), max(600, 5 * d // 2)
    x, y = random.normal(size=(n, d)), np.arange(n) % classes
    x[:, 0] = (random.random(n) < 0.05) & (y == 1)
    data = type(examples(2))(
        x, y, np.arange(n).astype(str), tuple(f"f{k}" for k in range(d)), ("a", "b", "c")[:classes]
    )
    with pytest.raises(NoMinimumError, match="separate a part of these classes"):
        fitted_on("logistic" if classes == 2 else "softmax", data, l2=0.0)
