"""Modules and losses as people bring them, each against a dense oracle that plain torch.autograd builds on its own."""

from dataclasses import replace
from functools import partial
from types import MethodType

import numpy as np
import pytest
import torch
from oracles import error
from torch import nn
from torch.nn import functional

from influence_core import wrap
from influence_core.curvature import network_curvature
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import factor

DAMPING, N, M = 0.5, 12, 4
RANDOM = np.random.default_rng(0)
X, SEQUENCES, PICTURES = (RANDOM.normal(size=(N + M, *shape)) for shape in ((4,), (5, 4), (2, 5, 5)))
WORDS = RANDOM.integers(0, 7, (N + M, 3))
Y = np.arange(N + M) * 7 % 3
BITS, REAL, SOFT = Y % 2, RANDOM.normal(size=N + M), RANDOM.uniform(size=N + M)
CE, BCE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()


class Own(nn.Module):
    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


class Doubling(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x) + self.weight[:, 0]


class Blurred(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) + super().forward(x.flip(-1))


def net(outputs=3, *behind):
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs), *behind)


def changed(make, change):
    module = make()
    change(module)
    return module


def hook(module, kind, function):
    getattr(module[0], kind)(function)


def tie(module):
    module.b.weight = module.a.weight


def by_numpy(s, x):
    return s.b(torch.tanh(s.a(x))) + torch.as_tensor(np.sign(x.detach().numpy())[:, :3])


def by_branch(s, x):
    return s.b(torch.stack([torch.tanh(z) if z.sum() > 0 else z for z in s.a(x)]))


def without_grad(s, x):
    with torch.no_grad():
        h = torch.tanh(s.a(x))
    return s.b(h)


def two(run, outputs=3, width=4):
    return Own(run, a=nn.Linear(4, width), b=nn.Linear(width, outputs))


def read_last(kind, **options):
    return Own(lambda s, x: s.b(s.a(x)[0][:, -1]), a=kind(4, 3, batch_first=True, **options), b=nn.Linear(3, 3))


def tripled(self, x):
    return functional.linear(x, self.weight) * 3


def attending(s, x):
    return s.b(s.a(x, x, x, need_weights=False)[0].mean(1))


def by_cells(s, x):
    h = x.new_zeros(len(x), 3), x.new_zeros(len(x), 3)
    for t in range(x.shape[1]):
        h = s.a(x[:, t], h)
    return s.b(h[0])


def low_rank():
    module = Own(
        lambda s, x: s.b(torch.tanh(s.a(x) + x @ s.down @ s.up)), a=nn.Linear(4, 5), b=nn.Linear(5, 3),
        down=nn.Parameter(torch.randn(4, 2)), up=nn.Parameter(torch.randn(2, 5)),
    )  # fmt: skip
    module.a.requires_grad_(False)
    return module


def convolving(*behind):
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 3), *behind)


MODULES = {
    "frozen first layer": (lambda: changed(net, lambda m: m[0].requires_grad_(False)), X),
    "frozen bias": (lambda: changed(net, lambda m: m[2].bias.requires_grad_(False)), X),
    "frozen convolution": (lambda: changed(convolving, lambda m: m[0].requires_grad_(False)), PICTURES),
    "tied weights": (
        lambda: changed(
            lambda: Own(
                lambda s, x: s.h(torch.tanh(s.b(torch.tanh(s.a(x))))),
                a=nn.Linear(4, 4), b=nn.Linear(4, 4), h=nn.Linear(4, 3),
            ),
            tie,
        ),
        X,
    ),
    "tied without bias": (
        lambda: changed(
            lambda: Own(
                lambda s, x: s.h(torch.tanh(s.b(torch.tanh(s.a(x))))),
                a=nn.Linear(4, 4, bias=False), b=nn.Linear(4, 4, bias=False), h=nn.Linear(4, 3),
            ),
            tie,
        ),
        X,
    ),
    "layer used twice": (lambda: two(lambda s, x: s.b(torch.tanh(s.a(torch.tanh(s.a(x)))))), X),
    "weight used by a function too": (
        lambda: two(lambda s, x: s.b(torch.tanh(functional.linear(torch.tanh(s.a(x)), s.a.weight)))), X
    ),
    "layers in another order than written": (
        lambda: Own(lambda s, x: s.b(torch.tanh(s.a(x))), b=nn.Linear(4, 3), a=nn.Linear(4, 4)), X
    ),
    "subclass of Linear": (lambda: nn.Sequential(Doubling(4, 5), nn.Tanh(), nn.Linear(5, 3)), X),
    "subclass of Conv2d": (
        lambda: nn.Sequential(Blurred(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 3)), PICTURES
    ),
    "forward of its own": (
        lambda: changed(net, lambda m: setattr(m[0], "forward", MethodType(tripled, m[0]))), X
    ),
    "hook on a layer": (
        lambda: changed(net, lambda m: hook(m, "register_forward_hook", lambda _m, _i, o: 2 * o + o**2)), X
    ),
    "hook in front of a layer": (
        lambda: changed(net, lambda m: hook(m, "register_forward_pre_hook", lambda _m, i: (i[0] * 3,))), X
    ),
    "hook that cuts rarely": (
        lambda: changed(net, lambda m: hook(m, "register_forward_hook", lambda _m, _i, o: o.clamp(-1.3, 1.3))), X
    ),
    "time first inside": (
        lambda: two(lambda s, x: s.b(torch.tanh(s.a(x.transpose(0, 1))).mean(0))), SEQUENCES
    ),
    "linear at every time": (lambda: two(lambda s, x: s.b(torch.tanh(s.a(x)).mean(1))), SEQUENCES),
    "linear on (b·t, d)": (
        lambda: two(lambda s, x: s.b(torch.tanh(s.a(x.reshape(-1, 4))).view(len(x), -1, 4).mean(1))), SEQUENCES
    ),
    "linear on another axis": (
        lambda: Own(lambda s, x: s.b(torch.tanh(s.a(x.mT)).mean(1)), a=nn.Linear(5, 4), b=nn.Linear(4, 3)), SEQUENCES
    ),
    "weight norm by hook": (
        lambda: changed(net, lambda m: nn.utils.weight_norm(m[0])), X
    ),
    "weight norm over everything": (
        lambda: changed(net, lambda m: nn.utils.parametrizations.weight_norm(m[2], dim=None)), X
    ),
    "weight norm": (lambda: changed(net, lambda m: nn.utils.parametrizations.weight_norm(m[0])), X),
    "orthogonal": (lambda: changed(net, lambda m: nn.utils.parametrizations.orthogonal(m[0])), X),
    "LSTM": (lambda: read_last(nn.LSTM), SEQUENCES),
    "GRU": (lambda: read_last(nn.GRU), SEQUENCES),
    "RNN in two layers": (lambda: read_last(nn.RNN, num_layers=2), SEQUENCES),
    "transformer layer": (
        lambda: Own(
            lambda s, x: s.b(s.a(x).mean(1)),
            a=nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), b=nn.Linear(4, 3),
        ),
        SEQUENCES,
    ),
    "attention": (
        lambda: Own(attending, a=nn.MultiheadAttention(4, 2, batch_first=True), b=nn.Linear(4, 3)), SEQUENCES
    ),
    "scaled dot product": (
        lambda: two(lambda s, x: s.b(functional.scaled_dot_product_attention(s.a(x), x, x).mean(1))), SEQUENCES
    ),
    "dictionary": (lambda: Own(lambda s, x: {"logits": s.a(x), "hidden": x}, a=nn.Linear(4, 3)), X),
    "tuple": (lambda: Own(lambda s, x: (s.a(x), x), a=nn.Linear(4, 3)), X),
    "list of a dictionary": (lambda: Own(lambda s, x: [{"scores": s.a(x)}], a=nn.Linear(4, 3)), X),
    "backbone under no_grad": (lambda: two(without_grad), X),
    "NumPy on the way": (lambda: two(by_numpy), X),
    "a branch for every example": (lambda: two(by_branch), X),
    "embedding": (
        lambda: Own(lambda s, x: s.b(torch.tanh(s.a(x)).mean(1)), a=nn.Embedding(7, 4), b=nn.Linear(4, 3)), WORDS
    ),
    "batch norm": (lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)), X),
    "group norm": (lambda: nn.Sequential(nn.Linear(4, 6), nn.GroupNorm(2, 6), nn.Tanh(), nn.Linear(6, 3)), X),
    "grouped convolution": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 3)), PICTURES
    ),
    "Conv1d": (lambda: nn.Sequential(nn.Conv1d(5, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(9, 3)), SEQUENCES),
    "bilinear": (lambda: Own(lambda s, x: s.a(x, torch.tanh(x)), a=nn.Bilinear(4, 4, 3)), X),
    "low-rank change of a frozen layer": (low_rank, X),
    "cells in a loop": (lambda: Own(by_cells, a=nn.LSTMCell(4, 3), b=nn.Linear(3, 3)), SEQUENCES),
    "residual around layer norm": (
        lambda: Own(lambda s, x: s.b(x + functional.gelu(s.a(s.n(x)))),
                    n=nn.LayerNorm(4), a=nn.Linear(4, 4), b=nn.Linear(4, 3)),
        X,
    ),
    "spectral norm": (lambda: changed(net, lambda m: nn.utils.parametrizations.spectral_norm(m[0])), X),
    "data parallel": (lambda: nn.DataParallel(net()), X),
    "transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(108, 3)), PICTURES
    ),
    "padding around the edge": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular"), nn.Tanh(), nn.Flatten(), nn.Linear(75, 3)
        ),
        PICTURES,
    ),
    "GRU in both directions": (
        lambda: Own(lambda s, x: s.b(s.a(x.transpose(0, 1))[0][-1]),
                    a=nn.GRU(4, 3, bidirectional=True), b=nn.Linear(6, 3)),
        SEQUENCES,
    ),
    "decoder layer": (
        lambda: Own(lambda s, x: s.b(s.a(x, x).mean(1)),
                    a=nn.TransformerDecoderLayer(4, 2, 6, batch_first=True), b=nn.Linear(4, 3)),
        SEQUENCES,
    ),
    "slope of a PReLU": (lambda: nn.Sequential(nn.Linear(4, 5), nn.PReLU(), nn.Linear(5, 3)), X),
    "instance norm with averages": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.InstanceNorm2d(3, affine=True, track_running_stats=True), nn.Flatten(),
            nn.Linear(27, 3),
        ),
        PICTURES,
    ),
    "a parameter alone": (
        lambda: Own(lambda s, x: s.b(x) * s.scale, b=nn.Linear(4, 3), scale=nn.Parameter(torch.tensor(0.7))), X
    ),
}  # fmt: skip


def made(make):
    torch.manual_seed(1)
    return make().double().eval()


def cross_entropy(f, y):
    return functional.cross_entropy(f, y, reduction="none")


def plain_weight_norm(module):
    """The module with weight norms as elementary operations, because torch's own second derivative is wrong."""
    for part in module.modules():
        if isinstance(part, nn.utils.parametrizations._WeightNorm):
            part.forward = lambda g, v, dim=part.dim: (
                v * g / v.pow(2).sum([k for k in range(2) if k != dim], True) ** 0.5
            )
        for each in part._forward_pre_hooks.values():
            if isinstance(each, nn.utils.weight_norm.__globals__["WeightNorm"]):
                each.compute_weight = lambda m: m.weight_v * m.weight_g / m.weight_v.pow(2).sum(1, True) ** 0.5
    return module


class Oracle:
    """Per-example losses, gradients, and both matrices by plain autograd, one example and one entry at a time."""

    def __init__(self, module, losses, x, y, whole=False):
        self.module, self.losses = module, losses
        self.x = torch.as_tensor(x) if whole else torch.as_tensor(x, dtype=torch.float64)
        self.y = torch.as_tensor(y)
        self.free = [value for value in module.parameters() if value.requires_grad]
        found = torch.autograd.grad(self.outputs(0).sum(), self.free, allow_unused=True)
        self.free = [value for value, g in zip(self.free, found, strict=True) if g is not None]

    def outputs(self, i):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            found = self.module(self.x[i : i + 1])
        while not isinstance(found, torch.Tensor):
            found = found.get("logits", next(iter(found.values()))) if isinstance(found, dict) else found[0]
        return found

    def slope(self, value, keep=False):
        if not value.requires_grad:
            return torch.zeros(sum(p.numel() for p in self.free), dtype=torch.float64)
        found = torch.autograd.grad(value, self.free, create_graph=keep, retain_graph=True, allow_unused=True)
        return torch.cat(
            [(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(found, self.free, strict=True)]
        )

    def loss(self, i, f=None):
        return self.losses(self.outputs(i) if f is None else f, self.y[i : i + 1]).sum()

    def gradients(self, rows):
        return torch.stack([self.slope(self.loss(i)) for i in rows])

    def gauss_newton(self, i):
        f = self.outputs(i)
        j = torch.stack([self.slope(value) for value in f.reshape(-1)])
        c = torch.autograd.functional.hessian(lambda z: self.loss(i, z.view(f.shape)), f.detach().reshape(-1))
        values, sides = torch.linalg.eigh(c)
        return j.T @ (sides * values.clamp(min=0)) @ sides.T @ j

    def hessian(self, i):
        return torch.stack([self.slope(value) for value in self.slope(self.loss(i), keep=True)])

    def scores(self, curvature):
        matrix = sum(map(self.hessian if curvature == "exact" else self.gauss_newton, range(N))) / N
        matrix = matrix + DAMPING * torch.eye(len(matrix), dtype=torch.float64)
        g, q = self.gradients(range(N)), self.gradients(range(N, N + M))
        return (g @ torch.linalg.solve(matrix, q.T) / N).numpy()


def asked(module, criterion, x, y, curvature="gauss_newton", solver="eigh", damping=DAMPING):
    return wrap(module, criterion).analyse(
        x[:N], y[:N], x[N:], y[N:], damping=damping, curvature=curvature, solver=solver
    )


@pytest.mark.parametrize("name", MODULES)
def test_scores_and_hessian_of_a_module(name):
    make, x = MODULES[name]
    oracle = Oracle(plain_weight_norm(made(make)), cross_entropy, x, Y, whole=name == "embedding")
    analysis = asked(made(make), CE, x, Y)
    assert analysis.problem.fitted.size == sum(value.numel() for value in oracle.free)
    expected = oracle.scores("gauss_newton")
    assert error(analysis.scores(), expected) < 1e-9
    fitted, v = analysis.problem.fitted, torch.randn(analysis.problem.fitted.size, 2, dtype=torch.float64)
    h = sum(map(oracle.hessian, range(N))) / N
    dense = network_curvature(fitted, "gauss_newton", DAMPING)
    assert error(dense.matvec(v).numpy(), (dense.dense() @ v).numpy()) < 1e-9
    if name != "orthogonal":  # autograd's own Hessian on a base that depends on the point is no oracle
        assert error(network_curvature(fitted, "exact", 0).matvec(v).numpy(), (h @ v).numpy()) < 1e-9


WEIGHT, TWO = torch.tensor([1.0, 5.0, 20.0]).double(), torch.tensor([3.0]).double()
SIGNS, TEXTS = BITS * 2 - 1, np.array(["ant", "bee", "cat"])[Y]


def each(function, **options):
    return lambda f, y: function(f, y, reduction="none", **options)


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


one, three, pair = (lambda: net(1)), (lambda: net(3)), (lambda: net(2))
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


def matrix(theta, x, y):
    return torch.logsumexp(theta @ x, 0) - (theta @ x)[1] * y


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


def lazy():
    return nn.Sequential(nn.LazyLinear(3))


def mixing(s, x):
    return s.a(x - x.mean(0))


def dropping(s, x):
    return s.b(functional.dropout(torch.tanh(s.a(x))))


def counting(s, x):
    s.b.running = getattr(s.b, "running", 0) + 1
    return s.b(s.a(x)) * s.b.running


def recomputed(s, x):
    return s.b(torch.utils.checkpoint.checkpoint(lambda z: torch.tanh(s.a(z)), x, use_reentrant=False))


REFUSED = {
    "dropout that never ends": (lambda: two(dropping, width=5), CE, Y, "other outputs at every call"),
    "a count of calls": (lambda: two(counting), CE, Y, "other outputs at every call"),
    "checkpoints of activations": (lambda: two(recomputed), CE, Y, "cannot be differentiated"),
    "bag of embeddings": (
        lambda: Own(lambda s, x: s.b(s.a((3 * x).long().clamp(0, 6))), a=nn.EmbeddingBag(7, 4), b=nn.Linear(4, 3)),
        CE, Y, "not implemented",
    ),
    "no parameters": (lambda: nn.Tanh(), CE, Y, "no trainable parameters"),
    "all frozen": (lambda: net().requires_grad_(False), CE, Y, "no trainable parameters"),
    "lazy": (lazy, CE, Y, "call it once on an example"),
    "scripted": (lambda: torch.jit.trace(net(), torch.zeros(1, 4)), CE, Y, "scripted or traced module"),
    "scripted inside": (
        lambda: nn.Sequential(torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4))), CE, Y, "scripted or traced module"
    ),
    "examples mixed": (lambda: Own(mixing, a=nn.Linear(4, 3)), CE, Y, "change with the others in its batch"),
    "norm of the batch": (
        lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3)),
        CE, Y, "change with the others in its batch",
    ),
    "two outputs by name": (lambda: Own(lambda s, x: {"p": s.a(x), "q": x}, a=nn.Linear(4, 3)), CE, Y, "returns p, q"),
    "no gradient": (
        lambda: Own(lambda s, x: s.a(x).detach(), a=nn.Linear(4, 3)), CE, Y, "cannot be differentiated"
    ),
    "NumPy": (
        lambda: Own(lambda s, x: torch.as_tensor(np.tanh(s.a(x).numpy())), a=nn.Linear(4, 3)), CE, Y, "NumPy"
    ),
    "another's parameters": (
        lambda: changed(net, lambda m: setattr(m[0], "forward", lambda x: functional.linear(x, m[0].weight))),
        CE, Y, "closure or a global",
    ),
    "weights divided out": (
        three, lambda f, y: functional.cross_entropy(f, y, weight=WEIGHT.float()), Y, "reduction='none'"
    ),
    "columns and rows": (lambda: net(2), nn.MSELoss(), REAL, "cannot be taken per example"),
    "labels beyond 0 and 1": (one, BCE, Y, "expected y from 0 to 1"),
    "negative classes": (three, CE, Y - 1, "Expected classes from 0"),
    "no probabilities": (one, nn.BCELoss(), BITS, "value before the sigmoid"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_a_sentence(name):
    make, criterion, y, said = REFUSED[name]
    with pytest.raises(SettingsError, match=said):
        asked(make(), criterion, X, y)


def test_features_and_risks_that_cannot_be_used_are_a_sentence():
    with pytest.raises(SettingsError, match="torch and not in NumPy"):
        wrap(lambda t, x, y: np.log(1 + np.exp(-y * (x.numpy() @ t.numpy()))), np.zeros(4)).analyse(X, BITS, X, BITS)
    with pytest.raises(SettingsError, match="Expected x of numbers"):
        asked(three(), CE, np.array([["a"] * 4] * (N + M)), Y)
    with pytest.raises(SettingsError, match="function loss"):
        wrap([1], CE)


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
