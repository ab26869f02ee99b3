"""Deletion diagnostics of least squares against statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from problems import examples, fitted_on, problem
from statsmodels.stats.outliers_influence import OLSInfluence

from influence_core.influence.diagnostics import defined, deletion_diagnostics
from influence_core.influence.effects import parameter_change
from influence_core.influence.watched import Influence
from influence_core.settings import SolverSettings
from influence_core.solvers import SOLVERS, SingularError


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


def test_a_point_that_alone_tells_a_parameter_is_a_sentence():
    data = examples(0, n=20, d=3)
    x = np.column_stack([data.x[:, :2], np.arange(20) == 7])
    fitted = fitted_on("linear", replace(data, x=x))
    assert defined(fitted)
    with pytest.raises(SingularError, match="A training point has leverage 1"):
        deletion_diagnostics(Influence(fitted, SolverSettings()))
