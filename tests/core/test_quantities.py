"""Watched quantities against the formula written out, and their gradients against central differences of it."""

import numpy as np
import pytest
import torch
from oracles import centred, quantity
from problems import KINDS, LINEAR, fitting_data, problem

from influence_core.influence.watched import watch
from influence_core.models import QUANTITIES, QuantityError, build
from influence_core.models.losses import Logistic, SmoothedHinge, Softmax, Squared
from influence_core.settings import ModelSettings

LOSSES = (Squared(), Logistic(), SmoothedHinge(0.5), Softmax(3))
cases = [
    pytest.param(loss, name, target, id=f"{type(loss).__name__}-{name}-{target}")
    for loss in LOSSES
    for name, entry in QUANTITIES.items()
    if entry.applies(loss)
    for target in ((-1, 0, 1) if name in {"probability", "prediction"} else (-1,))
]


def outputs_and_labels(loss, n=12):
    random = np.random.default_rng(3)
    return random.normal(size=(n, loss.outputs)), random.integers(0, max(2, loss.outputs), n).astype(float)


@pytest.mark.parametrize(("loss", "name", "target"), cases)
def test_values_and_gradients(loss, name, target):
    f, y = outputs_and_labels(loss)
    entry, kind = QUANTITIES[name], KINDS[type(loss)]
    tensors = torch.as_tensor(f), torch.as_tensor(y)
    expected = [quantity(kind, name, *pair, 0.5, target) for pair in zip(f, y, strict=True)]
    np.testing.assert_allclose(entry.values(loss, *tensors, target), expected, rtol=1e-12, atol=1e-14)
    found = entry.residuals(loss, *tensors, target).numpy()
    for row, label, got in zip(f, y, found, strict=True):
        slopes = centred(lambda z, b=label: quantity(kind, name, z, b, 0.5, target), row)
        np.testing.assert_allclose(got, slopes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("loss", "name", "target"), cases)
def test_many_models_at_once_give_what_one_by_one_gives(loss, name, target):
    f, y = (torch.as_tensor(part) for part in outputs_and_labels(loss))
    stacked = torch.stack([f, 2 * f - 1], 1)
    found = QUANTITIES[name].values(loss, stacked, y[:, None], target)
    for b in range(2):
        np.testing.assert_allclose(found[:, b], QUANTITIES[name].values(loss, stacked[:, b], y, target), rtol=1e-12)


@pytest.mark.parametrize("loss", [Logistic(), Softmax(3)], ids=["logistic", "softmax"])
@pytest.mark.parametrize("name", ["loss", "margin", "probability", "prediction"])
def test_gradients_stay_finite_and_right_for_confident_outputs(loss, name):
    f = torch.full((2, loss.outputs), -15.0, dtype=torch.float64)
    f[:, 0] = 15.0
    found = QUANTITIES[name].residuals(loss, f, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.isfinite(found).all()
    if name == "loss":
        np.testing.assert_allclose(found, loss.residuals(f, torch.tensor([0.0, 1.0])), rtol=1e-12, atol=1e-300)


def test_which_quantities_a_loss_defines():
    table = {type(loss).__name__: [n for n, entry in QUANTITIES.items() if entry.applies(loss)] for loss in LOSSES}
    assert table["Squared"] == ["loss", "prediction"]
    assert table["SmoothedHinge"] == ["loss", "margin", "prediction"]
    assert table["Logistic"] == table["Softmax"] == ["loss", "margin", "probability", "prediction"]


@pytest.mark.parametrize("name", LINEAR)
def test_a_quantity_that_is_not_defined_is_refused_with_the_ones_that_are(name):
    example = problem(name)
    for key, entry in QUANTITIES.items():
        if not entry.applies(example.fitted.model.loss):
            with pytest.raises(QuantityError, match=f"does not define '{key}': expected one of loss"):
                watch(example.fitted, example.test, key)
    with pytest.raises(QuantityError, match="does not define 'colour'"):
        watch(example.fitted, example.test, "colour")


def test_reasons_are_sentences():
    f, y = torch.zeros(2, 1), torch.zeros(2)
    with pytest.raises(QuantityError, match="needs a classifier: choose the loss or the prediction"):
        QUANTITIES["margin"].values(Squared(), f, y, -1)
    with pytest.raises(QuantityError, match="gives no class probability: choose the loss"):
        QUANTITIES["probability"].values(SmoothedHinge(), f, y, -1)
    with pytest.raises(QuantityError, match="a class from 0 to 2, got 3"):
        QUANTITIES["probability"].values(Softmax(3), torch.zeros(2, 3), y, 3)
    with pytest.raises(QuantityError, match="a class from 0 to 1, got 5"):
        QUANTITIES["prediction"].values(Logistic(), f, y, 5)


def test_the_words_helpful_and_harmful_follow_the_direction():
    """Removing a helpful point raises the loss and lowers the margin and the probability of the true class."""
    assert {name: entry.helpful for name, entry in QUANTITIES.items()} == {
        "loss": 1,
        "margin": -1,
        "probability": -1,
        "prediction": 0,
    }
    f, y = torch.tensor([[1.0]]), torch.tensor([1.0])
    better = torch.tensor([[1.1]])
    for entry in QUANTITIES.values():
        if entry.helpful:
            change = entry.values(Logistic(), better, y, -1) - entry.values(Logistic(), f, y, -1)
            assert np.sign(float(change)) == -entry.helpful


@pytest.mark.parametrize("name", LINEAR)
def test_a_prediction_has_the_unit_of_what_is_predicted(name):
    loss = build(ModelSettings(name), fitting_data(name)).loss
    expected = {"hinge": "units of the output f", "ridge": "target units", "linear": "target units"}
    assert QUANTITIES["prediction"].unit_of(loss) == expected.get(name, "probability")
    assert QUANTITIES["loss"].unit_of(loss) == loss.unit
    for other, unit in {"margin": "log-odds", "probability": "probability"}.items():
        assert QUANTITIES[other].unit_of(loss) == unit
