"""Gradients of many networks of one architecture on the same minibatch.

A multilayer perceptron is written out: its first layer multiplies the shared inputs by the weights of all models side
by side, one large matrix product forward and one backward, and the others are batched products; so a model of a run of
many costs a fraction of what it costs alone.  Products stay in torch, on the thread that asks: blocks of models run in
threads of their own, which keeps every core busy with the small steps in between too.  Any other module goes through
``torch.func.vmap``.
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


def stack_of(network: Network, _models: int) -> Stacked:
    """The fastest way for this architecture.

    Returns:
        Gradients of many models.
    """
    parts, training = _perceptron(network.module), by_batch(network)
    if parts and len(network.layers) == len(parts) + 1:
        return Perceptrons(network, network.layers, parts)
    return AnyModule(network) if training is None else AnyModule(training, normalises=True)


def _perceptron(module: nn.Module) -> tuple[type[nn.Module], ...]:
    """Activations between the layers of a plain multilayer perceptron; empty for any other module."""
    parts = list(module) if type(module) is nn.Sequential and all(map(as_written, module.modules())) else []
    parts = parts[1:] if parts and isinstance(parts[0], nn.Flatten) else parts
    linear, between = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or not all(type(part) is nn.Linear and part.bias is not None for part in linear):
        return ()
    kinds = tuple(type(part) for part in between)
    return kinds if kinds and all(kind in SLOPES for kind in kinds) else ()


@dataclass(frozen=True, eq=False)
class Perceptrons:
    """Multilayer perceptrons; the state is W_l (k, o, q) and b_l (k, o) for every layer l."""

    network: Network
    layers: tuple[Layer, ...]
    activations: tuple[type[nn.Module], ...]

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
        flat = matrices[0].view(-1, matrices[0].shape[2])
        z = (batch.x @ flat.T).view(b, k, -1).transpose(0, 1) + biases[0][:, None]
        values = []
        for kind, matrix, bias in zip(self.activations, matrices[1:], biases[1:], strict=True):
            values.append(SLOPES[kind][0](z))
            z = torch.baddbmm(bias[:, None], values[-1], matrix.mT)
        g = training_residuals(self.network.loss, z, batch.y).div_(b)
        if weights is not None:
            g = g * weights[:, :, None]
        found = list[Tensor]()
        for kind, value, matrix in zip(
            reversed(self.activations), reversed(values), reversed(matrices[1:]), strict=True
        ):
            found = [torch.bmm(g.mT, value), g.sum(1), *found]
            g = SLOPES[kind][1](torch.bmm(g, matrix), value)
        side = g.transpose(0, 1).reshape(b, -1)
        return [(side.T @ batch.x).view(matrices[0].shape), g.sum(1), *found]


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
