"""Losses against their formula in high precision and central differences of it, at ordinary and extreme outputs."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from oracles import centred, curvature, residual, value

from influence_core.models.losses import Logistic, SmoothedHinge, Softmax, Squared

LOSSES = {
    "squared": ("squared", Squared()),
    "logistic": ("logistic", Logistic()),
    "hinge t=0.01": ("hinge", SmoothedHinge(0.01)),
    "hinge t=0.1": ("hinge", SmoothedHinge(0.1)),
    "hinge t=2": ("hinge", SmoothedHinge(2.0)),
    "softmax 2": ("softmax", Softmax(2)),
    "softmax 4": ("softmax", Softmax(4)),
}
pairs = pytest.mark.parametrize(("kind", "loss"), LOSSES.values(), ids=LOSSES)


def outputs_and_labels(loss, n=30, seed=0):
    random = np.random.default_rng(seed)
    f = random.normal(size=(n, loss.outputs)) * 2
    y = random.normal(size=n) if isinstance(loss, Squared) else random.integers(0, max(2, loss.outputs), n)
    return f, y.astype(float)


def apply(function, f, y):
    return function(torch.as_tensor(f, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)).numpy()


@pairs
def test_values_are_the_formula(kind, loss):
    f, y = outputs_and_labels(loss)
    expected = [value(kind, *pair, getattr(loss, "t", None)) for pair in zip(f, y, strict=True)]
    np.testing.assert_allclose(apply(loss.values, f, y), expected, rtol=1e-10, atol=1e-15)


@pairs
def test_residuals_are_derivatives_of_the_values(kind, loss):
    f, y = outputs_and_labels(loss)
    found, t = apply(loss.residuals, f, y), getattr(loss, "t", None)
    for row, label, got in zip(f, y, found, strict=True):
        np.testing.assert_allclose(got, centred(lambda z, b=label: value(kind, z, b, t), row), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(got, residual(kind, row, label, t), rtol=1e-12, atol=1e-15)


@pairs
def test_curvatures_are_derivatives_of_the_residuals(kind, loss):
    f, y = outputs_and_labels(loss)
    found, t = apply(loss.curvatures, f, y), getattr(loss, "t", None)
    for row, label, got in zip(f, y, found, strict=True):
        for k in range(loss.outputs):
            slopes = centred(lambda z, b=label, a=k: residual(kind, z, b, t)[a], row)
            np.testing.assert_allclose(got[k], slopes, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(got, curvature(kind, row, label, t), rtol=1e-11, atol=1e-15)


@pairs
def test_many_models_at_once_give_what_one_by_one_gives(kind, loss):
    f, y = outputs_and_labels(loss)
    stacked = np.stack([f, f - 1, 3 * f], 1)  # (n, b, K)
    for function in (loss.values, loss.residuals, loss.curvatures):
        found = apply(function, stacked, y[:, None])
        for b in range(3):
            np.testing.assert_allclose(found[:, b], apply(function, stacked[:, b], y), rtol=1e-12, atol=1e-15)


def exact(kind, f, y, t):
    """Value and residuals in as many digits as it takes."""
    with localcontext() as context:
        context.prec = 400
        f = [Decimal(float(z)) for z in f]
        if kind == "softmax":
            shifted = [(z - f[int(y)]).exp() for z in f]
            total = sum(shifted)
            others = sum(s for k, s in enumerate(shifted) if k != int(y))
            return total.ln(), [-others / total if k == int(y) else s / total for k, s in enumerate(shifted)]
        sign = 1 - 2 * Decimal(y)
        inner, scale = (sign * f[0], Decimal(1)) if kind == "logistic" else ((1 + sign * f[0]) / Decimal(t), Decimal(t))
        return scale * (1 + inner.exp()).ln(), [sign * inner.exp() / (1 + inner.exp())]


@pytest.mark.parametrize(("kind", "loss"), [pair for pair in LOSSES.values() if pair[0] != "squared"])
@pytest.mark.parametrize("size", [0.5, 19.9, 20.1, 36.0, 38.0, 300.0])
def test_confident_and_wrong_examples_keep_their_relative_precision(kind, loss, size):
    """The loss of an example that is e⁻³⁰⁰ wrong is e⁻³⁰⁰, not 0: LOO compares differences of such numbers."""
    t = getattr(loss, "t", 1.0)
    for side in (size, -size):
        f = np.zeros(loss.outputs)
        f[0] = side * t + (1 if kind == "hinge" else 0)
        for y in (0.0, 1.0):
            expected, slopes = exact(kind, f, y, t)
            if expected < Decimal("1e-300"):
                continue
            tolerance = 1e-14 * (1 + size / min(t, 1))  # rounding of f itself, magnified by the exponential
            np.testing.assert_allclose(apply(loss.values, f, y), float(expected), rtol=tolerance)
            np.testing.assert_allclose(apply(loss.residuals, f, y), [float(s) for s in slopes], rtol=tolerance)


@pairs
@pytest.mark.parametrize("size", [1e3, 1e5])
def test_extreme_outputs_stay_finite(kind, loss, size):
    f = np.array([[size] * loss.outputs, [-size] * loss.outputs, [size] + [-size] * (loss.outputs - 1)])
    for y in (0.0, 1.0):
        labels = np.full(3, y)
        for function in (loss.values, loss.residuals, loss.curvatures):
            assert np.isfinite(apply(function, f, labels)).all(), kind
        assert (apply(loss.values, f, labels) >= 0).all()


@pytest.mark.parametrize("t", [1e-1, 1e-2, 1e-3, 1e-4])
def test_the_smoothed_hinge_tends_to_the_hinge(t):
    f, y = outputs_and_labels(SmoothedHinge(t), n=200)
    hinge = np.maximum(0, 1 - (2 * y - 1) * f[:, 0])
    gap = apply(SmoothedHinge(t).values, f, y) - hinge
    assert gap.min() >= -1e-14
    assert gap.max() <= t * np.log(2) + 1e-14


def test_at_t_0_it_is_the_hinge():
    f, y = outputs_and_labels(SmoothedHinge(0.0), n=200)
    sign = 2 * y - 1
    loss, gap = SmoothedHinge(0.0), 1 - sign * f[:, 0]
    np.testing.assert_array_equal(apply(loss.values, f, y), np.maximum(gap, 0))
    np.testing.assert_array_equal(apply(loss.residuals, f, y)[:, 0], np.where(gap > 0, -sign, 0))
    assert not apply(loss.curvatures, f, y).any()
    assert apply(loss.curvatures, f, y).shape == (200, 1, 1)


def test_margins_are_positive_where_the_prediction_is_right():
    for loss in (Logistic(), SmoothedHinge(), Softmax(3)):
        f, y = outputs_and_labels(loss)
        guess = f.argmax(1) if loss.outputs > 1 else (f[:, 0] > 0).astype(int)
        np.testing.assert_array_equal(apply(loss.margins, f, y) > 0, guess == y)


def test_probabilities_add_up_and_order_classes():
    f = torch.tensor([[2.0], [-1.0]], dtype=torch.float64)
    np.testing.assert_allclose(Logistic().probabilities(f)[:, 1], 1 / (1 + np.exp([-2.0, 1.0])), rtol=1e-12)
    np.testing.assert_allclose(Logistic().probabilities(f).sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(Softmax(3).probabilities(torch.randn(5, 3)).sum(1), 1, rtol=1e-6)
    for loss in (Squared(), SmoothedHinge()):
        assert loss.probabilities(f) is None
