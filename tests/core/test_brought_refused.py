"""What cannot be used is one sentence that says what to do."""

import numpy as np
import pytest
import torch
from brought import BCE, BITS, CE, REAL, WEIGHT, M, N, Own, X, Y, asked, changed, dropping, net, one, three, two
from torch import nn
from torch.nn import functional

from influence_core import wrap
from influence_core.settings import SettingsError


def lazy():
    return nn.Sequential(nn.LazyLinear(3))


def mixing(s, x):
    return s.a(x - x.mean(0))


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
    "no probabilities": (
        lambda: changed(one, lambda m: nn.init.constant_(m[-1].bias, 3)), nn.BCELoss(), BITS, "value before the sigmoid"
    ),
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
