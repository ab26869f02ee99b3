"""Products of one step with columns of θ: mᵀ∇ℓ_i and Σ ∇²ℓ_i m over its minibatch.

Perceptrons are written out by the R-operator (Pearlmutter 1994): what no column changes is computed once for all of
them, and a column stays in the cache from one layer to the next.  Any other module goes through reverse mode twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from influence_core.compute import blocks
from influence_core.models import Batch, Network
from influence_core.models.chain import MOVED_BYTES, Chain, Link, Links, activations
from influence_core.models.network import COLUMNS

Parts = list[Tensor]  # columns of θ


@dataclass(frozen=True, eq=False)
class Minibatch:
    """A minibatch at θ (p,), with a factor of its losses."""

    theta: Tensor
    batch: Batch
    scale: float


class StepProducts(Protocol):
    """How columns of θ lie, and one step's products with them."""

    def split(self, v: Tensor) -> Parts:
        """Columns (p, k) as they are multiplied; new tensors."""

    def add(self, at: Minibatch, columns: Parts, sums: Parts) -> Tensor:
        """Add scale · Σ ∇²ℓ_i V over the minibatch to ``sums``; scale · Vᵀ∇ℓ_i is returned, (b, k)."""


def products_of(network: Network, x: Tensor) -> StepProducts:
    """The fastest products for this network on examples ``x`` (n, d)."""
    between = activations(network)
    if between is None:
        return FreeProducts(network)
    used = [torch.arange(layer.inputs, device=x.device) for layer in network.layers]
    read = torch.nonzero(x.any(0))[:, 0]  # the margin of an image moves nothing
    used[0] = read if network.layers[0].bias is None else torch.cat([read, used[0][-1:]])
    return WrittenProducts(Links(network, between, tuple(used)))


@dataclass(frozen=True, eq=False)
class WrittenProducts:
    """Of a perceptron; columns lie layer by layer, (k, q', o).

    Attributes:
        links: makes its chains.
    """

    links: Links

    def split(self, v: Tensor) -> Parts:
        """Layer by layer, without what no example reads."""
        layers, used = self.links.network.layers, self.links.used
        assert used is not None
        return [
            layer.matrix(v).permute(2, 1, 0)[:, rows].contiguous() for layer, rows in zip(layers, used, strict=True)
        ]

    def add(self, at: Minibatch, columns: Parts, sums: Parts) -> Tensor:
        """By matrix products over all columns, in blocks of examples."""
        widest, found = max(values[0].numel() // values.shape[1] for values in columns), list[Tensor]()
        bytes_each = 8.0 * len(columns[0]) * widest * at.theta.element_size()
        for part in blocks(len(at.batch), bytes_each, MOVED_BYTES):
            chain = self.links.at(at.theta, at.batch.take(part), scale=at.scale)
            found.append(_turned(chain, columns, sums))
        return torch.cat(found)


def _turned(chain: Chain, columns: Parts, sums: Parts) -> Tensor:
    """Add Σ ∇²ℓ_i V to ``sums``; Vᵀ∇ℓ_i is returned, (b, k)."""
    links, k = chain.links, len(columns[0])
    moved, pushed = _forward(links, columns)
    change = torch.bmm(pushed[-1].transpose(0, 1), chain.curvatures).transpose(0, 1).contiguous()  # (k, b, K)
    for at in reversed(range(len(links))):
        link = links[at]
        sums[at].baddbmm_(link.inputs.T.expand(k, -1, -1), change)
        if not at:
            break
        (o, q), errors, before = link.weight.shape, link.errors.expand(k, -1, -1), links[at - 1]
        sums[at][:, :q].baddbmm_(moved[at - 1].transpose(1, 2), errors)
        change = (change.view(-1, o) @ link.weight).view(k, -1, q)
        change.baddbmm_(errors, columns[at][:, :q].transpose(1, 2))
        change *= before.slope  # type: ignore[arg-type]  # only the last link has none
        if before.bend is not None:
            change.addcmul_(pushed[at - 1], before.bend)
    return (pushed[-1] * links[-1].errors).sum(2).T


def _forward(links: tuple[Link, ...], columns: Parts) -> tuple[Parts, Parts]:
    """What θ + εV changes of φ(z) and of z in every layer, (k, b, o) each."""
    moved, pushed = list[Tensor](), list[Tensor]()
    for link, values in zip(links, columns, strict=True):
        z = torch.bmm(link.inputs.expand(len(values), -1, -1), values)
        if moved:
            z.view(-1, z.shape[2]).addmm_(moved[-1].view(-1, moved[-1].shape[2]), link.weight.T)
        pushed.append(z)
        if link.slope is not None:
            moved.append(z * link.slope)
    return moved, pushed


@dataclass(frozen=True, eq=False)
class FreeProducts:
    """Of any module, by reverse mode twice; columns lie as they are, (p, k)."""

    network: Network

    def split(self, v: Tensor) -> Parts:
        """As they are."""
        return [v.clone()]

    def add(self, at: Minibatch, columns: Parts, sums: Parts) -> Tensor:
        """By autodiff, in blocks of examples and columns."""
        (v,), (total,) = columns, sums
        found = v.new_zeros(len(at.batch), v.shape[1])
        for some in blocks(v.shape[1], 1, COLUMNS):
            for part in self.network.rows(len(at.batch), some.stop - some.start):
                bent, along = self._turned(Minibatch(at.theta, at.batch.take(part), at.scale), v[:, some])
                total[:, some] += bent
                found[part, some] = along
        return found

    def _turned(self, at: Minibatch, v: Tensor) -> tuple[Tensor, Tensor]:
        """∇²(scale · Σ a_i ℓ_i) V and its derivative by the weights a_i, at a = 1."""

        def total(theta: Tensor, a: Tensor) -> Tensor:
            return at.scale * (a @ self.network.loss.values(self.network.one_pass(theta, at.batch.x), at.batch.y))

        ones = at.theta.new_ones(len(at.batch))
        if self.network.traced:
            pull = vjp(grad(total), at.theta, ones)[1]
            bent, along = vmap(pull, in_dims=1, out_dims=1)(v)
            return bent, along
        with torch.enable_grad():
            theta, a = at.theta.detach().clone().requires_grad_(), ones.requires_grad_()
            (slope,) = torch.autograd.grad(total(theta, a), theta, create_graph=True)
            pairs = list(_pulled(slope, (theta, a), v))
        return torch.stack([bent for bent, _ in pairs], 1), torch.stack([along for _, along in pairs], 1)


def _pulled(slope: Tensor, free: tuple[Tensor, Tensor], v: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for column in v.T:
        found = torch.autograd.grad(slope, free, column, retain_graph=True, allow_unused=True)
        bent, along = (torch.zeros_like(x) if g is None else g for x, g in zip(free, found, strict=True))
        yield bent, along
