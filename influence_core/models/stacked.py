"""Gradients of many networks of one architecture on the same minibatch.

A multilayer perceptron is written out: its first layer multiplies the shared inputs by the weights of all models side
by side, one large matrix product forward and one backward, and the others are batched products; so a model of a run of
many costs a fraction of what it costs alone.  Products stay in torch, on the thread that asks: blocks of models run in
threads of their own, which keeps every core busy with the small steps in between too.  Any other module goes through
``torch.func.vmap``.

Dropout behind an activation of a perceptron is on while it is trained: at every step one mask for all models, drawn
from the seed of the run, so that a run without an example drops what the run with it drops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from influence_core.models.layers import as_written
from influence_core.models.losses import training_residuals
from influence_core.models.network import Network
from influence_core.models.normalised import by_batch, minibatch
from influence_core.models.protocol import Batch, Layer

SLOPES: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    # h = f(z) in place, and ∂/∂z from ∂/∂h and h
    nn.ReLU: (torch.relu_, lambda g, h: torch.ops.aten.threshold_backward(g, h, 0.0)),
    nn.Tanh: (torch.tanh_, lambda g, h: g.mul_(1 - h * h)),
}


class Stacked(Protocol):
    """k models of one architecture."""

    def split(self, theta: Tensor) -> list[Tensor]:
        """θ (k, p) as the tensors that training changes in place."""

    def join(self, state: list[Tensor]) -> Tensor:
        """Inverse of :meth:`split`, (k, p)."""

    def gradient(self, state: list[Tensor], batch: Batch, weights: Tensor | None) -> list[Tensor]:
        """(1/b) Σ a_i ∇ℓ_i of every model over the minibatch, like ``state``; the penalty not included."""


@dataclass(frozen=True)
class Between:
    """What stands between two layers: an activation, and the share of its values that training drops."""

    kind: type[nn.Module]
    dropped: float = 0.0


def stack_of(network: Network, seed: int = 0) -> Stacked:
    """The fastest way for this architecture; ``seed``: of what is dropped.

    Returns:
        Gradients of many models.
    """
    between, training = perceptron(network), by_batch(network)
    if between:
        return Perceptrons(network, network.layers, between, torch.Generator().manual_seed(seed))
    return AnyModule(network) if training is None else AnyModule(training, normalises=True)


def drops(network: Network) -> bool:
    """Whether values are dropped while this network is trained."""
    return any(part.dropped for part in perceptron(network))


def perceptron(network: Network) -> tuple[Between, ...]:
    """What stands between the layers of a plain multilayer perceptron; empty for any other module."""
    module, found = network.module, list[Between]()
    parts = list(module) if type(module) is nn.Sequential and all(map(as_written, module.modules())) else []
    parts = parts[1:] if parts and isinstance(parts[0], nn.Flatten) else parts
    for before, part in zip([None, *parts], parts, strict=False):
        if type(part) is nn.Dropout and type(before) in SLOPES:
            found[-1] = Between(found[-1].kind, part.p)
        elif type(part) in SLOPES and type(before) is nn.Linear:
            found.append(Between(type(part)))
        elif type(part) is not nn.Linear or part.bias is None or type(before) is nn.Linear:
            return ()
    ends = len(parts) > 1 and type(parts[0]) is nn.Linear and type(parts[-1]) is nn.Linear
    return tuple(found) if found and ends and len(network.layers) == len(found) + 1 else ()


@dataclass(frozen=True, eq=False)
class Perceptrons:
    """Multilayer perceptrons; the state is W_l (k, o, q) and b_l (k, o) for every layer l."""

    network: Network
    layers: tuple[Layer, ...]
    between: tuple[Between, ...]
    random: torch.Generator

    def split(self, theta: Tensor) -> list[Tensor]:
        """Weights and biases, layer after layer."""
        state = []
        for layer in self.layers:
            assert layer.bias is not None
            state.append(theta[:, layer.weight].reshape(len(theta), layer.outputs, -1).clone())
            state.append(theta[:, layer.bias].clone())
        return state

    def join(self, state: list[Tensor]) -> Tensor:
        """θ of every model, (k, p)."""
        return torch.cat([value.reshape(len(value), -1) for value in state], 1)

    def gradient(self, state: list[Tensor], batch: Batch, weights: Tensor | None) -> list[Tensor]:
        """Forward and backward by products over all models.

        Returns:
            (1/b) Σ a_i ∇ℓ_i, like the state.
        """
        matrices, biases, k, b = state[::2], state[1::2], len(state[0]), len(batch)
        masks = [self._mask(part.dropped, b, bias) for part, bias in zip(self.between, biases, strict=False)]
        flat = matrices[0].view(-1, matrices[0].shape[2])
        z = (batch.x @ flat.T).view(b, k, -1).transpose(0, 1) + biases[0][:, None]
        values, passed = [], []
        for part, mask, matrix, bias in zip(self.between, masks, matrices[1:], biases[1:], strict=True):
            values.append(SLOPES[part.kind][0](z))
            passed.append(values[-1] if mask is None else values[-1] * mask)
            z = torch.baddbmm(bias[:, None], passed[-1], matrix.mT)
        g = training_residuals(self.network.loss, z, batch.y).div_(b)
        if weights is not None:
            g = g * weights[:, :, None]
        found = list[Tensor]()
        for at in reversed(range(len(values))):
            found = [torch.bmm(g.mT, passed[at]), g.sum(1), *found]
            g = torch.bmm(g, matrices[at + 1])
            if (mask := masks[at]) is not None:
                g *= mask
            g = SLOPES[self.between[at].kind][1](g, values[at])
        side = g.transpose(0, 1).reshape(b, -1)
        return [(side.T @ batch.x).view(matrices[0].shape), g.sum(1), *found]

    def _mask(self, dropped: float, b: int, bias: Tensor) -> Tensor | None:
        """0 for what is dropped, else 1 / (1 − its share), (b, o) for all models; None where nothing is."""
        if not dropped:
            return None
        kept = torch.rand(b, bias.shape[1], generator=self.random) >= dropped
        return kept.to(bias) / (1 - dropped or 1)


@dataclass(frozen=True, eq=False)
class AnyModule:
    """Any module: the state is θ (k, p) itself.

    Attributes:
        network: with batch norms as they are in training.
        normalises: whether it has some, so that a minibatch must not be divided.
    """

    network: Network
    normalises: bool = False

    def split(self, theta: Tensor) -> list[Tensor]:
        """θ itself."""
        return [theta.clone()]

    def join(self, state: list[Tensor]) -> Tensor:
        """θ of every model, (k, p)."""
        return state[0].clone()

    def gradient(self, state: list[Tensor], batch: Batch, weights: Tensor | None) -> list[Tensor]:
        """Reverse mode, vectorised over the models; one model alone without the detour.

        Returns:
            (1/b) Σ a_i ∇ℓ_i, like the state.
        """
        network, b = self.network, len(batch)
        a = batch.x.new_ones(len(state[0]), b) if weights is None else weights

        def total(theta: Tensor, own: Tensor) -> Tensor:
            whole = self.normalises
            f = minibatch(network, theta, batch.x, own) if whole else network.outputs(theta, batch.x)
            return own @ network.loss.values(f, batch.y) / b

        if not network.traced:
            free = state[0].detach().clone().requires_grad_()
            with torch.enable_grad():
                return list(torch.autograd.grad(sum(map(total, free, a)), free))  # type: ignore[arg-type]
        if len(state[0]) == 1:
            return [grad(total)(state[0][0], a[0])[None]]
        return [vmap(grad(total))(state[0], a)]
