"""Modules as people bring them, against an oracle by autograd."""

from types import MethodType

import pytest
import torch
from brought import (
    CE,
    DAMPING,
    PICTURES,
    SEQUENCES,
    WORDS,
    Blurred,
    Doubling,
    N,
    Oracle,
    Own,
    X,
    Y,
    asked,
    attending,
    by_branch,
    by_cells,
    by_numpy,
    changed,
    convolving,
    cross_entropy,
    hook,
    low_rank,
    made,
    net,
    plain_weight_norm,
    read_last,
    tie,
    tripled,
    two,
    without_grad,
)
from oracles import error
from torch import nn
from torch.nn import functional

from influence_core.curvature import network_curvature

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
