"""Losses and risks as people bring them, against an oracle by autograd."""

from functools import partial

import numpy as np
import pytest
import torch
from brought import (
    BCE,
    BITS,
    CE,
    DAMPING,
    REAL,
    SIGNS,
    SOFT,
    TEXTS,
    TWO,
    WEIGHT,
    M,
    N,
    Oracle,
    Own,
    X,
    Y,
    asked,
    changed,
    cross_entropy,
    each,
    made,
    matrix,
    net,
    one,
    pair,
    three,
)
from oracles import error
from torch import nn
from torch.nn import functional

from influence_core import wrap


def logits(**options):
    return lambda f, y: functional.binary_cross_entropy_with_logits(f[:, 0], y.double(), reduction="none", **options)


def spread(f, y):
    """Gaussian likelihood with a variance of its own, not convex in its two outputs."""
    return (f[:, 1] + (f[:, 0] - y) ** 2 * torch.exp(-f[:, 1])) / 2


def margins(f, y):
    gap = torch.stack([(1 - f[:, c] + f).clamp(min=0) for c in range(3)], 1)[torch.arange(len(f)), y]
    return (gap.sum(1) - 1) / 3


def squashed():
    return Own(lambda s, x: torch.sigmoid(s.b(torch.tanh(s.a(x)))), a=nn.Linear(4, 5), b=nn.Linear(5, 1))


def logarithms():
    return Own(lambda s, x: torch.softmax(s.b(torch.tanh(s.a(x))), 1).log(), a=nn.Linear(4, 5), b=nn.Linear(5, 3))


def flat():
    return Own(lambda s, x: s.b(torch.tanh(s.a(x))).squeeze(1), a=nn.Linear(4, 5), b=nn.Linear(5, 1))


# criterion, module, y; what stands for them in the oracle: loss per example, module, y
LOSSES = {
    "class weights": (nn.CrossEntropyLoss(WEIGHT), three, Y, each(functional.cross_entropy, weight=WEIGHT)),
    "class weights in float32": (
        nn.CrossEntropyLoss(WEIGHT.float()), three, Y, each(functional.cross_entropy, weight=WEIGHT)
    ),
    "class weights by partial": (
        partial(functional.cross_entropy, weight=WEIGHT), three, Y, each(functional.cross_entropy, weight=WEIGHT)
    ),
    "label smoothing": (
        nn.CrossEntropyLoss(label_smoothing=0.1), three, Y, each(functional.cross_entropy, label_smoothing=0.1)
    ),
    "smoothing with weights": (
        nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.2), three, Y,
        each(functional.cross_entropy, weight=WEIGHT, label_smoothing=0.2),
    ),
    "ignored class": (nn.CrossEntropyLoss(ignore_index=2), three, Y, each(functional.cross_entropy, ignore_index=2)),
    "ignored by -100": (CE, three, np.where(Y == 1, -100, Y), each(functional.cross_entropy)),
    "ignored with weights": (
        nn.CrossEntropyLoss(WEIGHT, ignore_index=0), three, Y,
        each(functional.cross_entropy, weight=WEIGHT, ignore_index=0),
    ),
    "summed": (nn.CrossEntropyLoss(reduction="sum"), three, Y, cross_entropy),
    "log-softmax": (nn.NLLLoss(), lambda: net(3, nn.LogSoftmax(1)), Y, cross_entropy, three),
    "log-softmax by a function": (functional.nll_loss, logarithms, Y, cross_entropy, three),
    "log-softmax with weights": (
        nn.NLLLoss(WEIGHT), lambda: net(3, nn.LogSoftmax(1)), Y, each(functional.cross_entropy, weight=WEIGHT), three
    ),
    "log-softmax, a loss of one's own": (
        lambda f, y: -f[torch.arange(len(f)), y].mean(), lambda: net(3, nn.LogSoftmax(1)), Y, cross_entropy, three
    ),
    "sigmoid": (nn.BCELoss(), lambda: net(1, nn.Sigmoid()), BITS, logits(), one),
    "sigmoid in the module": (nn.BCELoss(), squashed, BITS * 1.0, logits(), one),
    "sigmoid with soft labels": (functional.binary_cross_entropy, squashed, SOFT, logits(), one),
    "labels -1 and 1": (BCE, one, SIGNS, logits(), one, BITS),
    "labels -1 and 1 in halves": (BCE, one, SIGNS * 1.0, logits(), one, BITS),
    "labels that are texts": (CE, three, TEXTS, cross_entropy, three, Y),
    "two texts": (BCE, one, np.array(["no", "yes"])[BITS], logits(), one, BITS),
    "true and false": (BCE, one, BITS > 0, logits(), one, BITS),
    "a column of labels": (CE, three, Y[:, None], cross_entropy, three, Y),
    "whole numbers as floats": (CE, three, Y * 1.0, cross_entropy, three, Y),
    "soft labels": (BCE, one, SOFT, logits()),
    "smoothed labels": (BCE, flat, BITS * 0.8 + 0.1, logits(), one),
    "pos_weight": (nn.BCEWithLogitsLoss(pos_weight=TWO), one, BITS * 1.0, logits(pos_weight=TWO)),
    "pos_weight on whole numbers": (nn.BCEWithLogitsLoss(pos_weight=TWO), one, BITS, logits(pos_weight=TWO)),
    "weight of a binary loss": (nn.BCEWithLogitsLoss(TWO), one, BITS, logits(weight=TWO)),
    "squeezed outputs": (BCE, flat, BITS, logits(), one),
    "soft margin": (
        nn.SoftMarginLoss(), one, SIGNS * 1.0, lambda f, y: functional.softplus(-y * f[:, 0], threshold=100)
    ),
    "huber": (nn.HuberLoss(), one, REAL, lambda f, y: functional.huber_loss(f[:, 0], y, reduction="none")),
    "poisson": (nn.PoissonNLLLoss(), one, Y, lambda f, y: f[:, 0].exp() - y * f[:, 0]),
    "squares of a column": (lambda f, y: ((f - y) ** 2).mean(), one, REAL, lambda f, y: (f[:, 0] - y) ** 2),
    "squares of outputs alone": (
        lambda f, y: ((f[:, 0] - y) ** 2).mean(), one, REAL, lambda f, y: (f[:, 0] - y) ** 2
    ),
    "not convex": (lambda f, y: spread(f, y).mean(), pair, REAL, spread),
    "not convex, with a branch": (lambda f, y: spread(f, y).mean() if y.sum() > -99 else 0, pair, REAL, spread),
    "losses unreduced": (lambda f, y: cross_entropy(f, y), three, Y, cross_entropy),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_gauss_newton_scores_of_a_loss(name):
    criterion, make, y, losses, *other = LOSSES[name]
    module = made(other[0] if other else make)
    oracle = Oracle(module, losses, X, other[1] if len(other) > 1 else y)
    analysis = asked(made(make), criterion, X, y)
    values = torch.stack([oracle.loss(i) for i in range(N, N + M)]).detach().numpy()
    fitted = analysis.problem.fitted
    assert error(fitted.model.losses(fitted.theta, analysis.problem.test).numpy(), values) < 1e-9
    assert error(analysis.scores(), oracle.scores("gauss_newton")) < 1e-9
    for solver in ("cg", "cholesky"):  # one matrix for all of them, also where the loss is not convex
        assert error(asked(made(make), criterion, X, y, solver=solver).scores(), analysis.scores()) < 1e-6


@pytest.mark.parametrize("own", [nn.MultiMarginLoss(), functional.multi_margin_loss])
def test_a_loss_without_curvature_takes_the_hessian(own):
    oracle = Oracle(made(three), margins, X, Y)
    analysis = asked(made(three), own, X, Y, "auto", "eigh", damping=5.0)
    assert "no curvature as a function of the outputs" in analysis.influence.curvature.reason
    h = sum(map(oracle.hessian, range(N))) / N + 5.0 * torch.eye(43)
    expected = oracle.gradients(range(N)) @ torch.linalg.solve(h, oracle.gradients(range(N, N + M)).T) / N
    assert error(analysis.scores(), expected.numpy()) < 1e-9


def test_an_ignored_point_has_no_influence():
    for criterion, y in ((nn.CrossEntropyLoss(ignore_index=2), Y), (CE, np.where(Y == 2, -100, Y))):
        scores = asked(made(three), criterion, X, y).scores()
        assert not scores[Y[:N] == 2].any()
        assert scores[Y[:N] != 2].any()


@pytest.mark.parametrize("change", [lambda _m: None, lambda m: m[0].requires_grad_(False)])
def test_training_moves_only_what_is_trainable_as_torch_does(change):
    module = changed(lambda: made(net), change)
    twin = changed(lambda: made(net), change)
    fitted = wrap(module, CE, fit="sgd", epochs=7, batch_size=N, momentum=0.0, schedule="constant").analyse(
        X[:N], Y[:N], X[N:], Y[N:], damping=DAMPING
    ).problem.fitted  # fmt: skip
    optimiser = torch.optim.SGD([p for p in twin.parameters() if p.requires_grad], lr=0.05)
    for _ in range(7):
        optimiser.zero_grad()
        CE(twin(torch.as_tensor(X[:N])), torch.as_tensor(Y[:N])).backward()
        optimiser.step()
    expected = torch.cat([p.detach().reshape(-1) for p in twin.parameters() if p.requires_grad])
    assert error(fitted.theta.numpy(), expected.numpy()) < 1e-12
    found = fitted.model.outputs(fitted.theta, torch.as_tensor(X))
    assert error(found.numpy(), twin(torch.as_tensor(X)).detach().numpy()) < 1e-12


def branch(theta, x, y):
    return functional.softplus(-x @ theta) if y == 1 else functional.softplus(x @ theta)


def branch_on_theta(theta, x, y):
    z = (2 * y - 1) * (x @ theta)
    return functional.softplus(-z) if z > 0 else functional.softplus(z) - z


def by_hand(theta, x, y):
    return torch.log1p(torch.exp(-(2 * y - 1) * sum(float(v) * t for v, t in zip(x, theta, strict=True))))


def logistic(theta, x, y):
    return functional.softplus(-(2 * y - 1) * (x @ theta))


@pytest.mark.parametrize(
    ("risk", "plain", "start"),
    [
        (branch, logistic, np.zeros(4)),
        (branch_on_theta, logistic, np.full(4, 0.1)),
        (by_hand, logistic, np.zeros(4)),
        (matrix, matrix, np.arange(12).reshape(3, 4) / 10),
        (lambda t, x, y: matrix(t, x, y) if y > 0 else torch.logsumexp(t @ x, 0), matrix, np.eye(3, 4)),
    ],
)
def test_risks_as_people_write_them(risk, plain, start):
    l2, y = 0.1, BITS
    theta = torch.as_tensor(start).reshape(-1)
    analysis = wrap(risk, start, fit="given", l2=l2).analyse(X[:N], y[:N], X[N:], y[N:], damping=DAMPING)

    def loss(t, i):
        return plain(t.view(start.shape), torch.as_tensor(X[i]), torch.tensor(float(y[i])))

    h = sum(torch.autograd.functional.hessian(lambda t, i=i: loss(t, i), theta) for i in range(N)) / N
    g = torch.stack([torch.autograd.functional.jacobian(lambda t, i=i: loss(t, i), theta) for i in range(N + M)])
    h = h + (l2 + DAMPING) * torch.eye(len(theta), dtype=torch.float64)
    assert error(analysis.scores(), (g[:N] @ torch.linalg.solve(h, g[N:].T) / N).numpy()) < 1e-9
