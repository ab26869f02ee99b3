"""Precision, batch norm and training of modules that people bring, as torch does it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from brought import (
    CE,
    DAMPING,
    PICTURES,
    REAL,
    SEQUENCES,
    WEIGHT,
    WORDS,
    M,
    N,
    Own,
    X,
    Y,
    asked,
    cross_entropy,
    made,
    net,
)
from oracles import error
from torch import nn
from torch.nn import functional

from influence_core import wrap
from influence_core.curvature import network_curvature
from influence_core.settings import SolverSettings
from influence_core.solvers import factor


def test_half_precision_is_computed_in_single():
    analysis = asked(net().bfloat16(), CE, X, Y)
    assert analysis.problem.fitted.theta.dtype == torch.float32
    assert "bfloat16 are taken to float32" in analysis.influence.curvature.reason
    assert np.isfinite(analysis.scores()).all()


@pytest.mark.parametrize("solver", ["eigh", "cholesky"])
@pytest.mark.parametrize("columns", [3, 40])
def test_residuals_in_single_precision_are_those_of_the_network(solver, columns):
    torch.manual_seed(0)
    analysis = wrap(nn.Sequential(nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 3)), CE).analyse(
        X[:N], Y[:N], X[N:], Y[N:], damping=1e-6, curvature="gauss_newton", solver=solver
    )
    fitted, b = analysis.problem.fitted, torch.randn(243, columns)
    found = factor(SolverSettings(solver, 1e-6), network_curvature(fitted, "gauss_newton", 1e-6))(b)
    wide = replace(fitted.model, dtype=torch.float64)
    exact = replace(
        fitted,
        model=wide,
        train=wide.batch(analysis.problem.split.train, torch.device("cpu")),
        fit=replace(fitted.fit, theta=fitted.theta.double()),
    )
    a = network_curvature(exact, "gauss_newton", 1e-6)
    true = (a.matvec(found.value.double()) - b).norm(dim=0) / b.norm(dim=0)
    assert float(true.max()) > 1e-4
    assert not found.converged
    np.testing.assert_array_less(true[:8] / 5, found.residual[:8])
    assert ("measured on 8 of 40" in found.note) == (columns == 40)


NORMED = {
    "one": (
        lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)), X,
    ),
    "two, one without scales": (
        lambda: nn.Sequential(
            nn.Linear(4, 5), nn.BatchNorm1d(5, affine=False), nn.Tanh(), nn.Linear(5, 3), nn.BatchNorm1d(3, eps=1e-2)
        ),
        X,
    ),
    "pictures": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3)
        ),
        PICTURES,
    ),
    "sequences": (
        lambda: Own(lambda s, x: s.b(torch.tanh(s.n(s.a(x).mT)).mean(2)),
                    a=nn.Linear(4, 3), n=nn.BatchNorm1d(3), b=nn.Linear(3, 3)),
        SEQUENCES,
    ),
}  # fmt: skip


PLAN = {"epochs": 3, "batch_size": 4, "learning_rate": 0.1, "momentum": 0.8, "schedule": "constant"}


def trained_by_torch(make, x, left_out=None):
    """Plain torch in training mode on the same minibatches, less one example, whose place in the mean stays empty."""
    module, (x, y) = made(make).train(), (torch.as_tensor(x[:N]), torch.as_tensor(Y[:N]))
    step = torch.optim.SGD(module.parameters(), 0.1, 0.8)
    order = torch.Generator().manual_seed(0)
    for _ in range(3):
        rows = torch.randperm(N, generator=order)
        for part in rows.split(4):
            kept = part[part != left_out] if left_out is not None else part
            step.zero_grad()
            (cross_entropy(module(x[kept]), y[kept]).sum() / len(part)).backward()
            step.step()
    return module


@pytest.mark.parametrize("name", NORMED)
def test_batch_norm_trains_like_torch_in_training_mode(name):
    make, x = NORMED[name]
    analysis = wrap(made(make), CE, fit="sgd", **PLAN).analyse(x[:N], Y[:N], x[N:], Y[N:], damping=DAMPING)
    module = trained_by_torch(make, x)
    theta = torch.cat([value.detach().reshape(-1) for value in module.parameters()])
    np.testing.assert_allclose(analysis.problem.fitted.theta, theta, rtol=1e-9, atol=1e-12)
    assert "statistics of each batch" in analysis.trust(0).line
    f = analysis.problem.fitted.model.outputs(theta, torch.as_tensor(x[N:].reshape(M, -1)))
    expected = settled_by_hand(make, x, theta)(torch.as_tensor(x[N:])).detach()
    np.testing.assert_allclose(f, expected, rtol=1e-9)


def settled_by_hand(make, x, theta, rows=range(N)):
    """The module at θ whose batch norms, one after the other, have the mean and variance of minibatches of four."""
    module = made(make).double()
    nn.utils.vector_to_parameters(theta, module.parameters())
    norms = [p for p in module.modules() if isinstance(p, nn.modules.batchnorm._BatchNorm)]
    noted = {norm: [] for norm in norms}

    def note(norm, inputs, _output):
        z = inputs[0].transpose(0, 1).reshape(inputs[0].shape[1], -1)
        noted[norm].append((len(inputs[0]), z.mean(1), z.var(1)))

    hooks = [norm.register_forward_hook(note) for norm in norms]
    module.train()
    with torch.no_grad():
        for start in range(0, N, 4):
            part = [row for row in range(start, min(start + 4, N)) if row in rows]
            module(torch.as_tensor(x[part]))
    for hook_ in hooks:
        hook_.remove()
    for norm in norms:
        share = torch.tensor([count for count, _, _ in noted[norm]]).double()
        share = (share / share.sum())[:, None]
        mean = sum(a * m for a, (_, m, _) in zip(share, noted[norm], strict=True))
        second = sum(a * (v + m**2) for a, (_, m, v) in zip(share, noted[norm], strict=True))
        norm.running_mean, norm.running_var = mean, second - mean**2
    return module.eval()


@pytest.mark.parametrize("name", NORMED)
def test_an_example_that_is_left_out_has_no_part_in_batch_statistics(name):
    make, x = NORMED[name]
    analysis = wrap(made(make), CE, fit="sgd", **PLAN).analyse(x[:N], Y[:N], x[N:], Y[N:], damping=DAMPING)
    measured = analysis.problem.loo().change
    test, y = torch.as_tensor(x[N:]), torch.as_tensor(Y[N:])

    def losses(left_out=None):
        module = trained_by_torch(make, x, left_out)
        theta = torch.cat([value.detach().reshape(-1) for value in module.parameters()])
        rows = [row for row in range(N) if row != left_out]
        return cross_entropy(settled_by_hand(make, x, theta, rows)(test), y).detach()

    before = losses()
    for i in (0, 4, 11):
        np.testing.assert_allclose(measured[i], losses(i) - before, rtol=1e-6, atol=1e-9)


def test_batch_norm_says_in_which_mode_it_is_evaluated():
    module = made(NORMED["one"][0])
    given = wrap(module, CE).analyse(X[:N], Y[:N], X[N:], Y[N:], damping=DAMPING)
    assert "evaluated with its stored averages" in given.trust(0).line
    module[1].requires_grad_(False)
    frozen = wrap(module, CE, fit="sgd", epochs=2).analyse(X[:N], Y[:N], X[N:], Y[N:], damping=DAMPING)
    assert "evaluated with its stored averages" in frozen.trust(0).line
    torch.testing.assert_close(frozen.problem.fitted.model.module[1].running_mean, module[1].running_mean)
    dropping = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3))
    trained = wrap(dropping, CE, fit="sgd", epochs=2).analyse(X[:N], Y[:N], X[N:], Y[N:], damping=DAMPING)
    assert "Dropout is off" in trained.trust(0).line


def test_what_torch_divides_a_batch_by_is_said_where_it_is_not_the_number_of_examples():
    def line(criterion, y=Y):
        return asked(made(net), criterion, X, y).trust(0).line

    assert "not as in torch by the sum of the weights" in line(nn.CrossEntropyLoss(WEIGHT))
    assert "not as in torch" in line(partial(functional.cross_entropy, weight=WEIGHT))
    assert "not as in torch" not in line(nn.CrossEntropyLoss(WEIGHT, reduction="sum"))
    assert "not as in torch" not in line(nn.CrossEntropyLoss(torch.ones(3).double()))
    ignored = (Y[:N] == 2).sum()
    assert f"{ignored} of the first {N} examples have the ignored label" in line(nn.CrossEntropyLoss(ignore_index=2))
    assert f"{ignored} of the first" in line(CE, np.where(Y == 2, -100, Y))
    assert "ignored label" not in line(CE)


def test_an_embedding_with_sparse_gradients_is_the_same_as_one_without():
    dense, sparse = (
        made(
            lambda way=way: Own(
                lambda s, x: s.b(torch.tanh(s.a(x)).mean(1)), a=nn.Embedding(7, 4, sparse=way), b=nn.Linear(4, 3)
            )
        )
        for way in (False, True)
    )
    assert error(asked(sparse, CE, WORDS, Y).scores(), asked(dense, CE, WORDS, Y).scores()) < 1e-12
    assert sparse.a.sparse  # what was given stays as it is


@pytest.mark.parametrize("fit", ["sgd", "adamw"])
@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e6, 1e12])
def test_targets_far_from_the_size_of_one_are_said_with_a_cure(fit, unit):
    """Training starts from outputs of the size of 1; its goal goes with the gradients, whatever the unit."""
    data = X[:N], REAL[:N] * unit, X[N:], REAL[N:] * unit
    torch.manual_seed(0)
    analysis = wrap(net(1), nn.MSELoss(), fit=fit, epochs=3).analyse(*data, damping=DAMPING)
    (said,) = [caveat.sentence for caveat in analysis.trust(0).caveats if caveat.code == "network"]
    size = np.sqrt(np.mean((REAL[:N] * unit) ** 2))
    assert f"of the size of {size:.0e}" in said and "divide them by that" in said
    fitted = analysis.problem.fitted
    usual = wrap(net(1), nn.MSELoss(), fit=fit, epochs=3).analyse(X[:N], REAL[:N], X[N:], REAL[N:], damping=DAMPING)
    assert not fitted.fit.converged
    assert not any("divide them" in caveat.sentence for caveat in usual.trust(0).caveats)
