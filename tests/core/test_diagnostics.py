"""Deletion diagnostics of least squares against statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from problems import examples, fitted_on, problem
from statsmodels.stats.outliers_influence import OLSInfluence

from influence_core.data import Dataset
from influence_core.influence.diagnostics import defined, deletion_diagnostics
from influence_core.influence.effects import parameter_change
from influence_core.influence.watched import Influence
from influence_core.settings import SolverSettings
from influence_core.solvers import SOLVERS


@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])
@pytest.mark.parametrize("solver", [name for name, entry in SOLVERS.items() if entry.kind == "exact"])
def test_all_of_them_are_those_of_statsmodels(intercept, solver):
    data = examples(0, n=50, d=4)
    fitted = fitted_on("linear", data, intercept=intercept)
    influence = Influence(fitted, SolverSettings(solver))
    found = deletion_diagnostics(influence)
    design = np.column_stack([data.x, np.ones(50)]) if intercept else data.x
    fit = sm.OLS(data.y, design).fit()
    expected, close = OLSInfluence(fit), {"rtol": 1e-9 if solver != "cg" else 1e-6, "atol": 1e-12}
    np.testing.assert_allclose(found.leverage, expected.hat_matrix_diag, **close)
    np.testing.assert_allclose(found.studentised, expected.resid_studentized_external, **close)
    np.testing.assert_allclose(found.cooks_distance, expected.cooks_distance[0], **close)
    np.testing.assert_allclose(found.dffits, expected.dffits[0], **close)
    np.testing.assert_allclose(found.dfbetas, expected.dfbetas, **close)
    # statsmodels: θ̂ − θ̂₋ᵢ; ours is the other way round.
    np.testing.assert_allclose(parameter_change(influence, np.arange(50), newton=True), -expected.dfbeta, **close)


@pytest.mark.parametrize(("name", "damping"), [("logistic", 0.0), ("ridge", 0.0), ("linear", 0.1)])
def test_they_are_defined_for_plain_least_squares_only(name, damping):
    with pytest.raises(ValueError, match="need squared loss with l2 = 0 and no damping"):
        deletion_diagnostics(problem(name).influence(damping=damping))


def test_too_few_examples_are_refused():
    fitted = fitted_on("linear", examples(0, n=5, d=3))
    assert not defined(fitted)
    with pytest.raises(ValueError, match="more than 5 training points for 4 parameters, got 5"):
        deletion_diagnostics(Influence(fitted, SolverSettings()))


def test_a_point_that_alone_tells_a_parameter_has_no_fit_without_and_the_others_theirs():
    data = examples(0, n=20, d=3)
    x = np.column_stack([data.x[:, :2], np.arange(20) == 7])
    fitted = fitted_on("linear", replace(data, x=x))
    found = deletion_diagnostics(Influence(fitted, SolverSettings()))
    expected = OLSInfluence(sm.OLS(data.y, np.column_stack([x, np.ones(20)])).fit())
    others = np.delete(np.arange(20), 7)
    for ours, theirs in (
        (found.studentised, expected.resid_studentized_external),
        (found.cooks_distance, expected.cooks_distance[0]),
        (found.dffits, expected.dffits[0]),
        (found.dfbetas, expected.dfbetas),
    ):
        assert np.isnan(ours[7]).all()
        np.testing.assert_allclose(ours[others], theirs[others], rtol=1e-8, atol=1e-12)


def dependent():
    """Columns that depend on each other up to so much, with a plane through them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    return random, x, x @ [1.0, -2.0, 0.5] + random.normal(size=60)


def checked(x, y, names=None):
    """Diagnostics beside those of statsmodels on columns of mean 0 and length 1, on which it loses no digits."""
    names = names or tuple(f"x{k}" for k in range(x.shape[1]))
    data = Dataset(x, y, np.array([f"row-{i}" for i in range(len(y))]), names, ())
    fitted = fitted_on("linear", data)
    kept = np.delete(np.arange(x.shape[1]), fitted.model.held)
    unit = (x[:, kept] - x[:, kept].mean(0)) / x[:, kept].std(0)
    return (
        fitted,
        deletion_diagnostics(Influence(fitted, SolverSettings())),
        OLSInfluence(sm.OLS(y, np.column_stack([unit, np.ones(len(y))])).fit()),
    )


@pytest.mark.parametrize("gap", [1e-5, 1e-6, 1e-7])
def test_nearly_collinear_columns_keep_their_digits(gap):
    """The normal equations square the condition; an orthogonal decomposition does not."""
    random, x, y = dependent()
    fitted, found, expected = checked(np.column_stack([x, x[:, 0] + gap * random.normal(size=60)]), y)
    assert fitted.model.held == ()
    np.testing.assert_allclose(found.cooks_distance, expected.cooks_distance[0], rtol=1e-5)
    np.testing.assert_allclose(found.leverage, expected.hat_matrix_diag, rtol=1e-7)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [((1e-6, 1.0, 1e6), 0.0), ((1.0, 1.0, 1.0), 1e6), ((1e-6, 1.0, 1e6), (0.0, 1e6, 1e9))],
    ids=["scales", "offsets", "both"],
)
def test_units_and_offsets_of_features_do_not_matter(scale, offset):
    _, x, y = dependent()
    fitted, found, expected = checked(x * scale + offset, y)
    assert fitted.model.held == ()
    np.testing.assert_allclose(found.cooks_distance, expected.cooks_distance[0], rtol=1e-5)
    np.testing.assert_allclose(found.dffits, expected.dffits[0], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_one_outlier_in_an_almost_perfect_fit_keeps_its_digits(size):
    """Without the outlier the variance is 1e-8 and less of that with it: no difference of two large sums."""
    random, x, _ = dependent()
    y = x @ [1.0, -2.0, 0.5] + size * random.normal(size=60)
    y[7] += 1e3
    _, found, expected = checked(x, y)
    refits = [sm.OLS(np.delete(y, i), sm.add_constant(np.delete(x, i, 0))).fit().mse_resid for i in range(60)]
    h, e = expected.hat_matrix_diag, expected.resid
    studentised = e / np.sqrt(refits * (1 - h))
    np.testing.assert_allclose(found.studentised, studentised, rtol=1e-6)
    np.testing.assert_allclose(found.dffits, studentised * np.sqrt(h / (1 - h)), rtol=1e-6)
