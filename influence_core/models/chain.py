"""Perceptrons: linear layers with elementwise activations between them, whose products are matrix products alone.

Autodiff repeats for every column what no column changes.  Here layer inputs, slopes and the backward pass are kept, and
all columns share one matrix product per layer and direction: the R-operator (Pearlmutter 1994), for Gauss–Newton
(Schraudolph 2002) without what bends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from influence_core.compute import Workspace, blocks, product
from influence_core.models.layers import as_written
from influence_core.models.network import Network
from influence_core.models.protocol import Batch, Layer

ELEMENTWISE = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.Softplus, nn.LeakyReLU, nn.Identity, nn.Dropout,
)  # fmt: skip
KEPT_BYTES = 256 * 2**20  # of layer inputs and slopes of all examples
MOVED_BYTES = 64 * 2**20  # of what a block of examples sends through the widest layer


@dataclass(frozen=True, eq=False)
class Link:
    """One layer z = W̄ ā at n examples, and φ behind it.

    Attributes:
        layer: where it lies in θ.
        weight: W (o, q).
        used: (q',) columns of ā that are not zero for every example: the margin of an image takes no part.
        inputs: (n, q') those columns.
        errors: (n, o) ∂ℓ_i/∂z.
        slope: (n, o) φ′(z); None behind the last layer.
        bend: (n, o) φ″(z) ∂ℓ_i/∂φ; None where it is zero everywhere.
    """

    layer: Layer
    weight: Tensor
    used: Tensor
    inputs: Tensor
    errors: Tensor
    slope: Tensor | None
    bend: Tensor | None

    def side(self, v: Tensor) -> Tensor:
        """Columns of θ at this layer as (q', k·o)."""
        return self.layer.matrix(v).permute(1, 2, 0)[self.used].reshape(len(self.used), -1)

    def back(self, v: Tensor) -> Tensor:
        """Columns of θ at this layer, its bias left out, as (o, k·q)."""
        width = self.weight.shape[1]
        return self.layer.matrix(v)[:, :width].permute(0, 2, 1).reshape(len(self.weight), -1)

    def whole(self, side: Tensor, back: Tensor, k: int) -> Tensor:
        """What lies as in :meth:`side` and as in :meth:`back` (where that is not empty), added: (o, q̄, k)."""
        o, q = self.weight.shape
        whole = side.new_zeros(self.layer.inputs, k, o)
        whole[self.used] = side.view(-1, k, o)
        if len(back):
            whole[:q] += back.view(o, k, q).permute(2, 1, 0)
        return whole.permute(2, 0, 1)


@dataclass(frozen=True, eq=False)
class Chain:
    """A perceptron at θ̂ with its examples.

    Attributes:
        links: its layers, first to last.
        curvatures: (n, K, K) C_i = ∂²ℓ_i/∂f².
    """

    links: tuple[Link, ...]
    curvatures: Tensor

    def product(self, v: Tensor, exact: bool) -> Tensor:
        """(1/n) Σ_i J_iᵀ C_i J_i V, or (1/n) Σ_i ∇²ℓ_i V where ``exact``.

        Args:
            v: (p, k).
            exact: the Hessian instead of Gauss–Newton.

        Returns:
            (p, k).
        """
        result, n, room = torch.empty_like(v), len(self.curvatures), Workspace(v)
        bytes_each = float(max(link.layer.outputs for link in self.links) * v.element_size())
        for columns in blocks(v.shape[1], bytes_each * n, MOVED_BYTES):
            some = v[:, columns]
            parts = list(blocks(n, bytes_each * some.shape[1], MOVED_BYTES))
            for link, values in zip(self.links, self._sums(some, exact, parts, room), strict=True):
                link.layer.put(result[:, columns], values / n)
        return result

    def _sums(self, v: Tensor, exact: bool, parts: list[slice], room: Workspace) -> list[Tensor]:
        """Per layer n times the product, (o, q̄, k)."""
        links, k = self.links, v.shape[1]
        sides = [link.side(v) for link in links]
        tails = [link.back(v) if exact and at else v[:0] for at, link in enumerate(links)]
        sums, rest = [torch.zeros_like(side) for side in sides], [torch.zeros_like(tail) for tail in tails]
        for part in parts:
            moved, pushed = self._forward(part, sides, room)
            change = torch.bmm(pushed[-1], self.curvatures[part])
            for at in reversed(range(len(links))):
                link, b = links[at], len(change)
                sums[at] += product(link.inputs[part].T, change.view(b, -1), room("sum", *sums[at].shape))
                if not at:
                    break
                change = product(change.view(b * k, -1), link.weight, room(("change", at), b * k, link.weight.shape[1]))
                if exact:
                    rest[at] += product(link.errors[part].T, moved[at - 1].view(b, -1))
                    change += product(link.errors[part], tails[at], room("more", b, tails[at].shape[1])).view_as(change)
                change = change.view(b, k, -1).mul_(_across(links[at - 1].slope, part))
                if exact and links[at - 1].bend is not None:
                    change.addcmul_(pushed[at - 1], _across(links[at - 1].bend, part))
        return [link.whole(total, tail, k) for link, total, tail in zip(links, sums, rest, strict=True)]

    def _forward(self, part: slice, sides: list[Tensor], room: Workspace) -> tuple[list[Tensor], list[Tensor]]:
        """What θ + εV changes of φ(z) and of z in every layer, (b, k, o) each."""
        moved, pushed = list[Tensor](), list[Tensor]()
        for at, (link, side) in enumerate(zip(self.links, sides, strict=True)):
            inputs, (o, q) = link.inputs[part], link.weight.shape
            z = product(inputs, side, room(("z", at), len(inputs), side.shape[1])).view(len(inputs), -1, o)
            if moved:
                rows = moved[-1].view(-1, q)
                z += product(rows, link.weight.T, room("more", len(rows), o)).view_as(z)
            pushed.append(z)
            if link.slope is not None:
                moved.append(torch.mul(z, _across(link.slope, part), out=room(("moved", at), *z.shape)))
        return moved, pushed


def _across(values: Tensor | None, part: slice) -> Tensor:
    assert values is not None
    return values[part][:, None]


@dataclass(frozen=True, eq=False)
class Links:
    """Makes chains of one perceptron at any θ and examples.

    Attributes:
        network: the perceptron.
        between: what stands between its layers.
        used: of every layer the columns of ā that take part; None for those that are not zero for every example.
    """

    network: Network
    between: tuple[nn.Module, ...]
    used: tuple[Tensor, ...] | None = None

    def at(self, theta: Tensor, batch: Batch, curvatures: Tensor | None = None, scale: float = 1.0) -> Chain:
        """The chain at ``theta`` (p,); without ``curvatures`` (n, K, K) those of ``scale`` times the loss."""
        network, a = self.network, batch.x
        read, turns = list[Tensor](), list[tuple[Tensor | None, Tensor | None]]()
        weights = [layer.matrix(theta[:, None])[:, :, 0] for layer in network.layers]
        for layer, weight, activation in zip(network.layers, weights, [*self.between, None], strict=True):
            read.append(a if layer.bias is None else torch.cat([a, torch.ones_like(a[:, :1])], 1))
            z = product(read[-1], weight.T)
            a, *turn = _turns(activation, z) if activation is not None else (z, None, None)
            turns.append((turn[0], turn[1]))
        error, links = network.loss.residuals(a, batch.y) * scale, list[Link]()
        for at in reversed(range(len(weights))):
            layer, (slope, bend) = network.layers[at], turns[at]
            if slope is not None:
                bend = None if bend is None else bend * error
                error = slope * error
            weight = weights[at] if layer.bias is None else weights[at][:, :-1]
            weight = weight.contiguous() if at else weight
            used = torch.nonzero(read[at].any(0))[:, 0] if self.used is None else self.used[at]
            inputs = read[at] if len(used) == layer.inputs else read[at][:, used]
            links.append(Link(layer, weight, used, inputs, error, slope, bend))
            error = product(error, weight) if at else error
        c = network.loss.curvatures(a, batch.y) * scale if curvatures is None else curvatures
        return Chain(tuple(reversed(links)), c)


def chain(network: Network, theta: Tensor, batch: Batch, curvatures: Tensor) -> Chain | None:
    """The network at ``theta`` as a chain.

    Args:
        network: any.
        theta: (p,).
        batch: n examples.
        curvatures: (n, K, K) ∂²ℓ_i/∂f² there.

    Returns:
        The chain; None for networks that are none, and where the examples need more than ``KEPT_BYTES``.
    """
    found = activations(network)
    numbers = sum(layer.inputs + 3 * layer.outputs for layer in network.layers)
    if found is None or len(batch) * numbers * theta.element_size() > KEPT_BYTES:
        return None
    return Links(network, found).at(theta, batch, curvatures)


def activations(network: Network) -> tuple[nn.Module, ...] | None:
    """What stands between the layers of a perceptron; None where the network is another kind of module."""
    parts = _flat(network.copy(torch.device("cpu")))
    while parts and isinstance(parts[0], nn.Flatten):
        parts = parts[1:]
    between = list[list[nn.Module]]()
    for part in parts:
        if type(part) is nn.Linear:
            between.append([])
        elif not between or type(part) not in ELEMENTWISE:
            return None
        else:
            between[-1].append(part)
    if not between or between[-1] or len(between) != len(network.layers):
        return None
    first = network.layers[0]
    if first.inputs - (first.bias is not None) != math.prod(network.shape):
        return None  # it reads an example position by position
    return tuple(nn.Sequential(*some) for some in between[:-1])


def _flat(module: nn.Module) -> list[nn.Module]:
    if not as_written(module):
        return [nn.Module()]  # it computes something else, which is no link of a chain
    if type(module) is not nn.Sequential:
        return [module] if type(module) is not nn.Identity else []
    return [part for child in module for part in _flat(child)]


def _turns(activation: nn.Module, z: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """φ, φ′ and φ″ at z, the last one None where it is zero everywhere."""
    kind = type(activation[0]) if isinstance(activation, nn.Sequential) and len(activation) == 1 else None
    if kind is nn.Tanh:
        value = torch.tanh(z)
        slope = 1 - value * value
        return value, slope, -2 * value * slope
    if kind is nn.ReLU:
        return torch.relu(z), (z > 0).to(z.dtype), None
    with torch.enable_grad():
        free = z.detach().requires_grad_()
        value = activation(free.clone())  # it may work in place
        (slope,) = torch.autograd.grad(value.sum(), free, create_graph=True)
        bend = torch.autograd.grad(slope.sum(), free, allow_unused=True)[0] if slope.requires_grad else None
    return value.detach(), slope.detach(), bend if bend is not None and bool(bend.any()) else None
