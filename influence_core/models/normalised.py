"""Batch norm of a network that is trained here.

In training it takes the statistics of the minibatch, weighted like its examples, so that one of weight 0 is as good as
absent.  Everywhere else it is a fixed function: its averages are those over all training examples at the θ in question
(PreciseBN, Wu & Johnson 2021), and so follow from θ and the data and are no state of a run.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from influence_core.compute import blocks
from influence_core.models.forward import duplicate
from influence_core.models.network import Network
from influence_core.models.protocol import Batch
from influence_core.settings import SettingsError

BY_BATCH = (
    "Batch norm is trained with the statistics of each batch; losses and scores see it with those of all training "
    "examples at the end, as fixed numbers."
)
STORED = "Batch norm is evaluated with its stored averages, as fixed numbers."
Noted = dict[str, list[tuple[Tensor, Tensor, Tensor]]]  # weight, mean and variance of every batch
_NOW = threading.local()  # weights of the minibatch at work, and what is noted of it


class _ByBatch(nn.BatchNorm1d):
    """Any batch norm in training mode."""

    place: str

    def forward(self, x: Tensor) -> Tensor:
        a, axes = _NOW.weights, [0, *range(2, x.dim())]
        if len(x) % len(a):
            raise SettingsError(
                f"Batch norm reads {len(x)} rows of {len(a)} examples, so it cannot be told whose they are: train the "
                "module in torch and give it as it is."
            )
        a = torch.where(a.sum() > 0, a, torch.ones_like(a)).repeat_interleave(len(x) // len(a))
        each = x[0].numel() // x.shape[1]
        w = (a / (each * a.sum())).view(-1, *[1] * (x.dim() - 1))
        mean = (w * x).sum(axes, keepdim=True)
        variance = (w * (x - mean).square()).sum(axes, keepdim=True)
        if _NOW.noted is not None:
            count = each * int((a > 0).sum())
            unbiased = variance * (count / max(count - 1, 1))
            _NOW.noted.setdefault(self.place, []).append((a.sum(), mean.flatten(), unbiased.flatten()))
        z, like = (x - mean) * torch.rsqrt(variance + self.eps), (1, -1, *[1] * (x.dim() - 2))
        return z if self.weight is None else z * self.weight.view(like) + self.bias.view(like)


@contextmanager
def _working(weights: Tensor, noted: Noted | None = None) -> Generator[None]:
    _NOW.weights, _NOW.noted = weights, noted
    try:
        yield
    finally:
        _NOW.weights = _NOW.noted = None


def batch_norms(module: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms that keep averages, by name; frozen ones keep those that they have."""
    return {
        name: part
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm)
        and part.track_running_stats
        and (part.weight is None or part.weight.requires_grad)
    }


def by_batch(network: Network) -> Network | None:
    """The network whose batch norms take the statistics of the minibatch; None where it has none."""
    if not batch_norms(network.module):
        return None
    module = duplicate(network.module)
    for name, part in batch_norms(module).items():
        part.__class__ = _ByBatch
        part.place = name  # type: ignore[assignment]
    return replace(network, module=module)


def minibatch(network: Network, theta: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    """f (b, K) of one minibatch by a network of :func:`by_batch`."""
    with _working(weights):
        return network.one_pass(theta, x)


def settled(network: Network, theta: Tensor, batch: Batch, weights: Tensor | None, size: int) -> Network:
    """The network with the averages that its batch norms have over weighted examples at θ.

    Args:
        network: of which; without a batch norm it comes back as it is.
        theta: (p,).
        batch: n examples.
        weights: (n,) of the examples, or None.
        size: of the minibatches whose statistics are averaged.
    """
    training = by_batch(network)
    if training is None or not len(batch):
        return network
    a, noted = batch.x.new_ones(len(batch)) if weights is None else weights, Noted()
    with torch.no_grad():
        for rows in blocks(len(batch), 1, size):
            if bool((a[rows] > 0).any()):
                with _working(a[rows], noted):
                    training.one_pass(theta, batch.x[rows])
    module = duplicate(network.module)
    for name, part in batch_norms(module).items():
        if name in noted:
            share, mean, variance = (torch.stack(values) for values in zip(*noted[name], strict=True))
            share = (share / share.sum())[:, None]
            average = (share * mean).sum(0)
            part.running_mean = average
            part.running_var = (share * (variance + (mean - average).square())).sum(0)
    return replace(network, module=module)
