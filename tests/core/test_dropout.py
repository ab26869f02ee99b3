"""Dropout of a network that is trained here: as a loop of one's own draws it, the same for a run without an example."""

import numpy as np
import pytest
import torch
from torch import nn

from influence_core import wrap
from influence_core.influence.estimators import applicable_estimators
from influence_core.retraining import Question, Repeated

DRAWN = np.random.default_rng(0)
X, Y = DRAWN.normal(size=(40, 4)), DRAWN.integers(3, size=40)
PLAN = {"fit": "sgd", "epochs": 4, "batch_size": 8, "learning_rate": 0.1, "momentum": 0.5, "schedule": "constant"}


def module(dropped=0.4, between=nn.Tanh):
    torch.manual_seed(0)
    layers = nn.Linear(4, 6), between(), nn.Dropout(dropped), nn.Linear(6, 5), between(), nn.Linear(5, 3)
    return nn.Sequential(*layers).double()


def analysed(own):
    return wrap(own, nn.CrossEntropyLoss(), **PLAN).analyse(X[:30], Y[:30], X[30:], Y[30:])


def by_hand(own, a):
    """The run of θ̂ by autograd, masks drawn at every step from the seed of the run."""
    order, masks = (torch.Generator().manual_seed(0) for _ in range(2))
    x, y, memory = torch.as_tensor(X[:30]), torch.as_tensor(Y[:30]), None
    values = [part.detach().clone().requires_grad_() for part in own.parameters()]
    for _ in range(PLAN["epochs"]):
        for rows in torch.randperm(30, generator=order).split(8):
            kept = (torch.rand(len(rows), 6, generator=masks) >= own[2].p).double() / (1 - own[2].p)
            first, *rest = values
            z = torch.tanh(x[rows] @ first.T + rest[0]) * kept
            f = torch.tanh(z @ rest[1].T + rest[2]) @ rest[3].T + rest[4]
            loss = (a[rows] * nn.functional.cross_entropy(f, y[rows], reduction="none")).sum() / len(rows)
            slopes = torch.autograd.grad(loss, values)
            memory = [0.5 * v + g for v, g in zip(memory or map(torch.zeros_like, slopes), slopes, strict=True)]
            values = [(p - 0.1 * v).detach().requires_grad_() for p, v in zip(values, memory, strict=True)]
    return torch.cat([value.detach().reshape(-1) for value in values])


def test_training_drops_what_a_loop_of_ones_own_drops():
    found = analysed(module()).problem.fitted
    torch.testing.assert_close(found.theta, by_hand(module(), torch.ones(30).double()))
    assert (found.theta - analysed(module(0.0)).problem.fitted.theta).norm() > 0.1


def test_a_run_without_examples_drops_the_same():
    problem = analysed(module()).problem
    rows = np.array([3, 17])
    kept = torch.ones(30).double()
    kept[rows] = 0
    refit = Repeated(problem.fitted).without(Question(problem.test), [rows], keep_parameters=True)
    np.testing.assert_allclose(refit.parameters[0], by_hand(module(), kept).numpy(), rtol=1e-9, atol=1e-12)


def test_other_seeds_drop_others_and_the_derivative_of_such_a_run_is_not_offered():
    problem = analysed(module()).problem
    members = Repeated(problem.fitted).members(2)
    assert (members[0].theta - members[1].theta).norm() > 0.1
    assert "unrolled" not in applicable_estimators(problem.fitted)
    assert "unrolled" in applicable_estimators(analysed(module(0.0)).problem.fitted)


@pytest.mark.parametrize(("between", "off"), [(nn.Tanh, False), (nn.GELU, True)])
def test_where_dropout_stays_off_the_trust_line_says_so(between, off):
    """Only layers that are written out know what to drop."""
    assert ("Dropout is off" in analysed(module(between=between)).trust(0).line) == off
