"""The linear-predictor algebra against explicit loops and central differences, with weights and penalties."""

import numpy as np
import pytest
import torch
from oracles import centred
from problems import CLASSIFIERS, LINEAR, problem

from influence_core.models import linear as linear_module
from influence_core.models.linear import add_projector, project

models = pytest.mark.parametrize("name", LINEAR)
variants = pytest.mark.parametrize(
    "settings", [{}, {"intercept": False}, {"fold_penalty": True}], ids=["plain", "no intercept", "folded"]
)


def point_and_weights(example, seed=5):
    random = np.random.default_rng(seed)
    weights = random.uniform(0, 2, len(example.fitted.train))
    weights[::7] = 0
    return random.normal(size=example.fitted.size), weights


@models
@variants
def test_objective_and_gradient(name, settings):
    example = problem(name, **settings)
    model, train, reference = example.fitted.model, example.fitted.train, example.reference
    theta, weights = point_and_weights(example)
    for a in (None, weights):
        tensor = None if a is None else torch.as_tensor(a)
        found, gradient = model.objective(torch.as_tensor(theta), train, tensor)
        assert found == pytest.approx(reference.j(theta, a), rel=1e-12)
        slopes = centred(lambda z, a=a: reference.j(z, a), theta)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-7)


@models
@variants
def test_hessian(name, settings):
    example = problem(name, **settings)
    model, train, reference = example.fitted.model, example.fitted.train, example.reference
    theta, weights = point_and_weights(example)
    for a in (None, weights):
        tensor = None if a is None else torch.as_tensor(a)
        found = model.hessian(torch.as_tensor(theta), train, tensor).numpy()
        for k in range(len(theta)):
            slopes = centred(lambda z, a=a, k=k: reference.dj(z, a)[k], theta)
            np.testing.assert_allclose(found[k], slopes, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found, reference.ddj(theta, a), rtol=1e-11, atol=1e-14)
        np.testing.assert_array_equal(found, found.T)


@models
@variants
def test_products_equal_the_dense_hessian_for_many_columns(name, settings, monkeypatch):
    example = problem(name, **settings)
    model, train = example.fitted.model, example.fitted.train
    theta, weights = (torch.as_tensor(part) for part in point_and_weights(example))
    dense = model.hessian(theta, train, weights)
    v = torch.as_tensor(np.random.default_rng(0).normal(size=(len(theta), 2 * len(theta) + 3)))
    v[:, 1], v[:, 2] = 0, v[:, 0]
    c, penalty = model.curvatures(theta, train, weights), model.penalty(weights)
    expected = dense.numpy() @ v.numpy()
    np.testing.assert_allclose(model.hvp(train.x, c, v, penalty), expected, rtol=1e-11, atol=1e-13)
    whole = linear_module.blocks
    monkeypatch.setattr(linear_module, "blocks", lambda total, item: whole(total, item, 3 * item))
    np.testing.assert_allclose(model.hvp(train.x, c, v, penalty), expected, rtol=1e-11, atol=1e-13)


@models
@variants
def test_gradients_and_their_products_by_loops(name, settings, monkeypatch):
    example = problem(name, **settings)
    model, train, reference = example.fitted.model, example.fitted.train, example.reference
    theta, _ = point_and_weights(example)
    tensor = torch.as_tensor(theta)
    each = np.stack([reference.gradient(theta, x, y) for x, y in zip(reference.x, reference.y, strict=True)])
    np.testing.assert_allclose(model.gradients(tensor, train), each, rtol=1e-11, atol=1e-13)
    slopes = centred(lambda z: reference.loss(z, reference.x[4], reference.y[4]), theta)
    np.testing.assert_allclose(model.gradients(tensor, train)[4], slopes, rtol=1e-6, atol=1e-7)
    v = np.random.default_rng(0).normal(size=(len(theta), 11))
    residuals = model.loss.residuals(model.outputs(tensor, train.x), train.y)
    folded = model.folded(tensor, train.x).numpy()
    expected = np.array([[(g - folded) @ column * 0.25 for column in v.T] for g in each])
    for budget in (None, 3):
        if budget:
            whole = linear_module.blocks
            monkeypatch.setattr(linear_module, "blocks", lambda total, item, w=whole: w(total, item, 3 * item))
        found = model.gradient_dot(train.x, residuals, torch.as_tensor(v), 0.25)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@models
def test_losses_do_not_contain_the_penalty(name):
    example = problem(name, total=1000)
    reference, theta = example.reference, example.theta
    expected = [reference.loss(theta, x, y) for x, y in zip(reference.x, reference.y, strict=True)]
    np.testing.assert_allclose(example.fitted.model.losses(example.fitted.theta, example.fitted.train), expected)


@models
def test_the_intercept_is_not_penalised(name):
    example = problem(name)
    model, train = example.fitted.model, example.fitted.train
    mask = model.penalised(train.x).view(model.loss.outputs, -1)
    assert mask[:, -1].tolist() == [0] * model.loss.outputs
    assert bool((mask[:, :-1] == 1).all())
    assert train.x[:, -1].tolist() == [1] * len(train)
    bare = problem(name, intercept=False)
    assert bool(bare.fitted.model.penalised(bare.fitted.train.x).all())


def test_folding_multiplies_the_penalty_by_the_mean_weight():
    weights = torch.tensor([1.0, 1.0, 0.0, 1.0])
    assert problem("ridge", total=20, n=40).fitted.model.penalty(weights) == 0.5
    assert problem("ridge", total=20, n=40, fold_penalty=True).fitted.model.penalty(weights) == 0.375


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_weighting_an_example_twice_equals_having_it_twice(name):
    example = problem(name)
    model, train = example.fitted.model, example.fitted.train
    theta, _ = (torch.as_tensor(part) for part in point_and_weights(example))
    weights = torch.ones(len(train), dtype=torch.float64)
    weights[3] = 2
    twice = train.take(torch.cat([torch.arange(len(train)), torch.tensor([3])]))
    n = len(train)
    data = model.hessian(theta, train, weights) - model.l2 * torch.diag(model.penalised(train.x))
    more = model.hessian(theta, twice) - model.l2 * torch.diag(model.penalised(train.x))
    np.testing.assert_allclose(n * data, (n + 1) * more, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("total", "intercept", "directions"), [(10, True, 1), (10, False, 0), (0, True, 4), (0, False, 3)]
)
def test_null_space_of_softmax(total, intercept, directions):
    """Adding a constant to all classes changes nothing, except for the coefficients that are penalised."""
    example = problem("softmax", total=10, intercept=intercept)
    model, train = example.fitted.model, example.fitted.train
    model = type(model)(model.loss, total / 40, intercept)
    h = model.hessian(example.fitted.theta, train)
    null = model.null_space(train.x)
    values = np.linalg.eigvalsh(h.numpy())
    assert (values < 1e-12).sum() == directions == (0 if null is None else int(null.sum()))
    mended = add_projector(h.clone(), null, 3)
    projector = project(torch.eye(len(h), dtype=h.dtype), null, 3)
    np.testing.assert_allclose(mended, h + projector, atol=1e-15)
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-14)
    np.testing.assert_allclose(h @ projector, 0 * h, atol=1e-14)
    assert np.linalg.eigvalsh(mended.numpy())[0] > 1e-6
    columns = model.gradients(example.fitted.theta, train) - model.folded(example.fitted.theta, train.x)
    np.testing.assert_allclose(columns @ projector, 0 * columns, atol=1e-14)


def test_only_softmax_has_a_null_space():
    for name in LINEAR:
        example = problem(name)
        if name != "softmax":
            assert example.fitted.model.null_space(example.fitted.train.x) is None


def test_examples_with_negligible_weight_do_not_change_the_hessian():
    """With a small t almost every example of a hinge lies outside the band that has curvature."""
    example = problem("hinge", n=200, t=0.02)
    found = example.fitted.model.hessian(example.fitted.theta, example.fitted.train)
    np.testing.assert_allclose(found, example.reference.ddj(example.theta), rtol=1e-10, atol=1e-13)
