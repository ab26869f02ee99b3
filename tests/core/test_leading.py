"""The preconditioner of leading eigenvectors against numpy.linalg.eigh of explicit Jacobians."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import LAYERED, example
from oracles import error
from problems import problem

from influence_core.curvature import Curvature, exact_hessian, network_curvature
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import factor, leading
from influence_core.solvers.leading import Leading

DAMPING = 0.02
layered = pytest.mark.parametrize("kind", LAYERED)


def data_part(case):
    return case.gauss_newton - case.fitted.model.l2 * np.diag(case.penalised)


@layered
def test_with_every_example_they_are_the_eigenvectors_and_the_inverse_on_them(kind, monkeypatch):
    monkeypatch.setattr(leading, "SHARE", 2.0)
    case = example(kind)
    a = network_curvature(case.fitted, "gauss_newton", DAMPING)
    ridge = DAMPING + case.fitted.model.l2 * case.penalised.mean()
    values, sides = np.linalg.eigh(data_part(case))
    kept = values > ridge / 2
    vectors, gains, scale = Leading(a).parts
    assert vectors.shape == (a.size, kept.sum())
    damped = np.sort(values[kept])[::-1] + ridge
    np.testing.assert_allclose(gains[:, 0], 1 / damped - 1 / damped[-1], rtol=1e-4, atol=1e-7)
    assert scale == pytest.approx(damped[-1], rel=1e-5)
    u = vectors.numpy()
    np.testing.assert_allclose(u.T @ u, np.eye(kept.sum()), atol=1e-6)
    assert error(u @ u.T, sides[:, kept] @ sides[:, kept].T) < 1e-4
    r = np.random.default_rng(0).normal(size=(a.size, 3))
    inside = sides[:, kept] @ ((sides[:, kept].T @ r) / (values[kept] + ridge)[:, None])
    outside = (r - sides[:, kept] @ (sides[:, kept].T @ r)) / damped[-1]
    assert error(Leading(a).apply(torch.as_tensor(r)).numpy(), inside + outside) < 1e-4


@layered
def test_few_examples_still_make_a_positive_definite_matrix_that_saves_products(kind, monkeypatch):
    monkeypatch.setattr(leading, "ROWS", 20)
    case = example(kind, l2=0.0)
    a = network_curvature(case.fitted, "gauss_newton", 1e-3)
    m = Leading(a).apply(torch.eye(a.size, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(m, m.T, atol=1e-9)
    assert np.linalg.eigvalsh(m).min() > 0
    b = torch.as_tensor(np.random.default_rng(1).normal(size=(a.size, 1)))
    plain, better = (
        factor(SolverSettings("cg", 1e-3, (("preconditioner", name), ("tolerance", 1e-8))), a)(b)
        for name in ("none", "leading")
    )
    assert better.converged
    assert better.products <= plain.products


def test_the_largest_examples_are_taken():
    case = example("mlp", n=60)
    layers = network_curvature(case.fitted, "gauss_newton", DAMPING).layered()
    c = np.linalg.cholesky(case.fitted.curvatures.numpy() + 1e-14 * np.eye(3))
    jacobian = case.jacobian(case.fitted.train.x.numpy())
    whole = np.einsum("nkp,nkr->nrp", jacobian, c)
    assert float(layers.norms().sum()) == pytest.approx((whole**2).sum(), rel=1e-5)
    rows, roots = Leading._largest(layers)
    taken = layers.norms()[rows, roots]
    assert float(taken.sum()) >= leading.SHARE * float(layers.norms().sum())
    assert float(taken[:-1].sum()) < leading.SHARE * float(layers.norms().sum())
    others = layers.norms().clone()
    others[rows, roots] = 0
    assert float(others.max()) <= float(taken.min())


def test_no_curvature_at_all_leaves_a_multiple_of_the_identity():
    case = example("mlp")
    fitted = replace(case.fitted)
    a = network_curvature(fitted, "gauss_newton", DAMPING)
    layers = replace(a.layered(), curvatures=torch.zeros_like(fitted.curvatures))
    made = Leading(replace(a, layered=lambda: layers))
    r = torch.ones(a.size, 2, dtype=torch.float64)
    found = made.apply(r)
    assert float(found.min()) == float(found.max()) > 0


def test_without_layers_a_sentence_and_another_automatic_choice():
    case = example("normalised")
    a = network_curvature(case.fitted, "gauss_newton", DAMPING)
    with pytest.raises(SettingsError, match="keeps no layer inputs"):
        factor(SolverSettings("cg", DAMPING, (("preconditioner", "leading"),)), a)(a.like.new_zeros(a.size, 1))
    assert "none" in factor(SolverSettings("cg", DAMPING), a)(a.like.new_ones(a.size, 1)).note


def test_linear_predictors_may_choose_it_too():
    fitted = problem("softmax").fitted
    a: Curvature = exact_hessian(fitted, DAMPING)
    b = torch.as_tensor(np.random.default_rng(2).normal(size=(a.size, 2)))
    found = factor(SolverSettings("cg", DAMPING, (("preconditioner", "leading"),)), a)(b)
    np.testing.assert_allclose(found.value, np.linalg.solve(a.dense().numpy(), b), rtol=1e-6, atol=1e-9)
