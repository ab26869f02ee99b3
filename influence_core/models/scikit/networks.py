"""Perceptrons of scikit-learn as networks here."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from influence_core.data.dataset import Dataset
from influence_core.models.losses import Logistic, Loss, Softmax, Squared
from influence_core.models.network import Network
from influence_core.models.scikit.linear import held_out
from influence_core.settings import SettingsError

PERCEPTRONS = ("MLPClassifier", "MLPRegressor")
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


def perceptron(estimator: Any, train: Dataset) -> Network:
    """The network of a fitted MLPClassifier or MLPRegressor in torch, with the same weights.

    Raises:
        SettingsError: a setting for which there is no model here.
    """
    name, n = type(estimator).__name__, len(train)
    if (estimator.n_outputs_ > 1) != (train.classes > 2):
        raise SettingsError(f"{name}: expected one target, got {estimator.n_outputs_}: fit one estimator for each.")
    if getattr(estimator, "loss", "") == "poisson":
        raise SettingsError(f"{name}: loss='poisson' has no model here: fit it with loss='squared_error'.")
    parts: list[nn.Module] = []
    for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        layer = nn.Linear(weight.shape[0], weight.shape[1], dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weight.T))
            layer.bias.copy_(torch.tensor(bias))
        parts += [layer, ACTIVATIONS[estimator.activation]()]
    loss: Loss = Squared() if not train.classes else Logistic() if train.classes == 2 else Softmax(train.classes)
    size = estimator.batch_size
    batch = n if estimator.solver == "lbfgs" else min(200 if size == "auto" else int(size), n)
    halved = not train.classes
    l2 = float(estimator.alpha) / batch * (2 if halved else 1)
    over = "n" if batch == n else f"{batch}, the size of a batch"
    said = f"alpha = {estimator.alpha:.4g} is l2 = {'2·' if halved else ''}alpha/{over} = {l2:.4g}"
    notes = (f"{name}: {said}.", *held_out(estimator))
    return Network(nn.Sequential(*parts[:-1]), loss, l2, (train.x.shape[1],), torch.float64, notes=notes)
