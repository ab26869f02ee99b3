"""The damped curvature: one operator, its dense form and its diagonal are the same matrix, damping added once."""

import numpy as np
import pytest
import torch
from problems import LINEAR, problem

from influence_core.curvature import exact_hessian

models = pytest.mark.parametrize("name", LINEAR)
folds = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])


def expected_matrix(example, damping, l2, weights=None):
    reference = example.reference
    h = reference.ddj(example.theta, weights) - reference.left(
        np.ones(reference.n) if weights is None else weights
    ) * np.diag(reference.penalised)
    h = h + l2 * np.diag(reference.penalised) + damping * np.eye(len(h))
    if reference.kind == "softmax":
        u = np.kron(np.ones(3), np.eye(reference.x.shape[1])[-1]) / np.sqrt(3)
        h = h + np.outer(u, u)
    return h


@models
@folds
@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_forms_are_one_matrix(name, fold, damping, weighted):
    example = problem(name, fold_penalty=fold)
    weights = np.random.default_rng(0).integers(0, 2, 40).astype(float) if weighted else None
    tensor = None if weights is None else torch.as_tensor(weights)
    a = exact_hessian(example.fitted, damping, weights=tensor)
    l2 = example.reference.left(np.ones(40) if weights is None else weights)
    expected = expected_matrix(example, damping, l2, weights)
    np.testing.assert_allclose(a.dense(), expected, rtol=1e-11, atol=1e-14)
    eye = torch.eye(a.size, dtype=torch.float64)
    np.testing.assert_allclose(a.matvec(eye), expected, rtol=1e-11, atol=1e-14)
    if not weighted:
        np.testing.assert_allclose(a.diagonal(), expected.diagonal(), rtol=1e-11)
    assert a.damping == damping
    assert a.like.dtype == torch.float64


@models
@folds
def test_another_penalty_than_the_models(name, fold):
    example = problem(name, fold_penalty=fold)
    a = exact_hessian(example.fitted, 0.1, penalty=0.7)
    expected = expected_matrix(example, 0.1, 0.7)
    np.testing.assert_allclose(a.dense(), expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(a.matvec(torch.eye(a.size, dtype=torch.float64)), expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(a.diagonal(), expected.diagonal(), rtol=1e-11)


@models
def test_damping_is_absolute(name):
    example = problem(name)
    plain, damped = exact_hessian(example.fitted), exact_hessian(example.fitted, 0.25)
    np.testing.assert_allclose(damped.dense() - plain.dense(), 0.25 * np.eye(plain.size), atol=1e-14)


def test_every_dense_array_is_fresh():
    a = exact_hessian(problem("logistic").fitted)
    a.dense().zero_()
    assert float(a.dense().abs().max()) > 0


@pytest.mark.parametrize("damping", [-1e-9, float("nan")])
def test_negative_damping_is_refused(damping):
    with pytest.raises(ValueError, match="damping of at least 0, got"):
        exact_hessian(problem("logistic").fitted, damping)


def test_pearlmutters_limit_gives_the_same_products():
    """(∇J(θ̂ + εv) − ∇J(θ̂ − εv)) / 2ε → H v."""
    for name in LINEAR:
        example = problem(name)
        v = np.random.default_rng(0).normal(size=example.fitted.size)
        if name == "softmax":
            v -= np.tile(v.reshape(3, -1).mean(0), 3)
        reference, step = example.reference, 1e-5
        limit = (reference.dj(example.theta + step * v) - reference.dj(example.theta - step * v)) / (2 * step)
        found = exact_hessian(example.fitted).matvec(torch.as_tensor(v)[:, None])[:, 0]
        np.testing.assert_allclose(found, limit, rtol=1e-6, atol=1e-8)
