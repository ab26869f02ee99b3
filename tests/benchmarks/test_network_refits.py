"""Refits of networks many at a time against one at a time, by the same program and by a plain torch loop, in one run.

One at a time is measured on a few refits and multiplied: with this program (one model per run, the same products), and
as one would write it with ``torch.optim.SGD`` and autograd.
"""

import copy
import time

import numpy as np
import pytest
import torch
from conftest import TABLE
from torch import nn

from influence_core.data import load
from influence_core.models import fit
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings

REFITS, ALONE = 200, 5
CASES = {
    "blobs": (DataSettings("blobs"), {"epochs": 20}, 8.0),
    "moons": (DataSettings("moons"), {"epochs": 20}, 8.0),
    "mnist": (
        DataSettings("mnist", (("digits", "all"), ("size", 5000))),
        {"epochs": 1, "width": 128},
        2.0,
    ),
}


def plain(model, batch, plan):
    """One refit without example 0, as a tutorial writes it."""
    module = copy.deepcopy(model.module).to(model.dtype)
    nn.utils.vector_to_parameters(model.start(), module.parameters())
    step = torch.optim.SGD(module.parameters(), plan.learning_rate, plan.momentum, weight_decay=model.l2)
    weights = torch.ones(len(batch), dtype=model.dtype)
    weights[0] = 0
    random = torch.Generator().manual_seed(0)
    for _ in range(plan.epochs):
        for rows in torch.randperm(len(batch), generator=random).split(plan.batch_size):
            losses = nn.functional.cross_entropy(module(batch.x[rows]), batch.y[rows].long(), reduction="none")
            step.zero_grad()
            ((weights[rows] * losses).sum() / len(rows)).backward()
            step.step()


def seconds(work, repeats=1):
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


@pytest.mark.parametrize("name", CASES)
def test_refits_many_at_a_time(name, monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    data, options, target = CASES[name]
    split = load(data, 0)
    fitted = fit(ModelSettings("mlp", 0.001, options=tuple(options.items())), split)
    repeated, question = Repeated(fitted), Question(fitted.batch(split.test).take(slice(0, 20)))
    one, loop = torch.ones(1, len(fitted.train)), fitted.program.optimiser
    repeated.trained(one), plain(fitted.model, fitted.train, loop)  # warm up
    ours_alone = seconds(lambda: repeated.trained(one), ALONE)
    torch_alone = seconds(lambda: plain(fitted.model, fitted.train, loop), ALONE)
    many = seconds(lambda: repeated.without(question, [np.array([row]) for row in range(REFITS)]))
    TABLE.append(
        (
            f"200 refits, {name}, against one by one",
            many,
            REFITS * ours_alone,
            many / REFITS / ours_alone,
            f"≤ {1 / target:g}",
        )
    )
    TABLE.append(
        (f"200 refits, {name}, against a torch loop", many, REFITS * torch_alone, many / REFITS / torch_alone, "–")
    )
