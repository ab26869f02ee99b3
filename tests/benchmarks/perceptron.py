"""The perceptron of the benchmarks, trained by plain torch."""

from __future__ import annotations

import torch
from torch import nn

from influence_core.analysis import Problem
from influence_core.models import Batch, FittedModel, Network
from influence_core.models.fitting import Fit
from influence_core.models.losses import Softmax
from influence_core.settings import DataSettings, ModelSettings, Settings

WIDTHS = (784, 128, 64, 10)


def trained(n: int, tests: int) -> tuple[FittedModel, Batch]:
    """784-128-64-10 with ReLU on n MNIST digits, ten epochs of Adam, and test digits."""
    share = max(tests / (n + tests), 0.01)
    data = DataSettings("mnist_large", (("digits", "all"), ("size", round(n / (1 - share)))), test_fraction=share)
    split = Problem(Settings(data, ModelSettings("softmax", 0.1))).split
    torch.manual_seed(0)
    parts = [part for k in range(3) for part in (nn.Linear(WIDTHS[k], WIDTHS[k + 1]), nn.ReLU())][:-1]
    module = nn.Sequential(*parts)
    model = Network(module, Softmax(10), 0.0, (784,))
    train, test = (model.batch(part, torch.device("cpu")) for part in (split.train, split.test))
    test = test.take(slice(0, tests))
    optimiser = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(10):
        for rows in torch.randperm(len(train)).split(128):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(train.x[rows]), train.y[rows].long()).backward()
            optimiser.step()
    theta = model.start()
    norm = float(model.objective(theta, train)[1].norm())
    return FittedModel(model, train, Fit(theta, "adam", norm, 1e-6, ())), test
