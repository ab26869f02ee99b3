"""Models at fixed parameters: per-example gradients as outer products of layer inputs and output gradients.

Scores contract these with the columns in blocks of examples: no (n, p) array, at most ``BLOCK_BYTES`` at a time.
A module with other parameters (normalisation, embeddings, shared weights) takes one forward-mode pass per column.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from influence_core.compute import blocks
from influence_core.models.forward import pushed
from influence_core.models.layers import contracted, layer_norms, positions, unfolded
from influence_core.models.linear import LinearModel
from influence_core.models.network import Network
from influence_core.models.protocol import Layer, Linearised, Tap


@dataclass(frozen=True, eq=False)
class At:
    """The network at θ.

    Attributes:
        network: any.
        theta: (p,).
        partly: whether taps are wanted of the layers that there are, though parameters lie outside of them too; rows
            and products then leave those out.
    """

    network: Network
    theta: Tensor
    partly: bool = False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the network."""
        return self.network.some if self.partly else self.network.layers

    def tap(self, x: Tensor) -> Tap:
        """One forward pass that keeps what every layer reads and writes.

        Returns:
            The tap; its memory is that of all layer inputs of these examples, unfolded.
        """
        inputs = [x.new_empty(0)] * len(self.layers)
        written = inputs[:]
        with torch.enable_grad(), self._hooked(inputs, written):
            f = self.network.one_pass(self.theta, x)

        def gradients(residuals: Tensor) -> tuple[Tensor, ...]:
            found = torch.autograd.grad((f * residuals).sum(), written, retain_graph=True)
            return tuple(positions(g) for g in found)

        return Tap(tuple(inputs), gradients)

    @contextmanager
    def _hooked(self, inputs: list[Tensor], written: list[Tensor]) -> Generator[None]:
        module, handles = self.network.copy(self.theta.device), []
        parts = dict(module.named_modules())

        def hook(at: int, part: nn.Module, given: tuple[Tensor], output: Tensor) -> Tensor:
            inputs[at] = unfolded(part, given[0].detach())
            if not output.requires_grad:
                output = output.detach().requires_grad_()
            written[at] = output
            return output.clone()  # an activation that works in place must not change what was written

        try:
            for at, layer in enumerate(self.layers):
                handles.append(parts[layer.name].register_forward_hook(partial(hook, at)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def pullback(self, x: Tensor, residuals: Tensor) -> Tensor:
        """J_iᵀ r_i.  For few examples: it is (n, p)."""
        if not self.layers:
            return self._slow_pullback(x, residuals)
        rows = x.new_zeros(len(x), len(self.theta))
        for part in blocks(len(x), self._tap_bytes):
            tap = self.tap(x[part])
            for layer, a, g in zip(self.layers, tap.inputs, tap.gradients(residuals[part]), strict=True):
                layer.put(rows[part].T, torch.einsum("bto,btq->oqb", g, a))
        return rows

    def _slow_pullback(self, x: Tensor, residuals: Tensor) -> Tensor:
        def one(row: Tensor, residual: Tensor) -> Tensor:
            slope: Tensor = grad(lambda free: (self.network.outputs(free, row[None])[0] * residual).sum())(self.theta)
            return slope

        if not len(x):
            return x.new_empty(0, len(self.theta))
        if self.network.traced:
            return vmap(one)(x, residuals)
        free, rows = self.theta.detach().clone().requires_grad_(), []
        with torch.enable_grad():
            for row, residual in zip(x, residuals, strict=True):
                f = self.network.one_pass(free, row[None])[0]
                rows.append(torch.autograd.grad(f @ residual, free)[0])
        return torch.stack(rows)

    @property
    def _tap_bytes(self) -> float:
        return 4.0 * self.theta.element_size() * self.network.activations * 9  # a 3×3 kernel unfolds ninefold

    def gradient_dot(self, x: Tensor, residuals: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
        """scale · (J_iᵀ r_i)ᵀ v_j by ((A Vᵀ) ∘ G) summed over every layer; no (n, p) array is formed.

        Args:
            x: (n, d).
            residuals: (n, K).
            v: (p, k).
            scale: factor of the result.

        Returns:
            (n, k).
        """
        residuals = residuals * scale
        if not self.layers:
            return self._slow_dot(x, residuals, v)
        total = x.new_zeros(len(x), v.shape[1])
        matrices = [layer.matrix(v) for layer in self.layers]
        for part in blocks(len(x), self._tap_bytes):
            tap = self.tap(x[part])
            for m, a, g in zip(matrices, tap.inputs, tap.gradients(residuals[part]), strict=True):
                total[part] += contracted(a, g, m)
        return total

    def _slow_dot(self, x: Tensor, residuals: Tensor, v: Tensor) -> Tensor:
        total = x.new_empty(len(x), v.shape[1])
        if not self.network.traced:
            for part in blocks(len(x), 8.0 * len(self.theta)):
                total[part] = self._slow_pullback(x[part], residuals[part]) @ v
            return total
        for part in self.network.rows(len(x), 2):
            rows = x[part]
            for j in range(v.shape[1]):
                moved = pushed(lambda free, rows=rows: self.network.outputs(free, rows), self.theta, v[:, j : j + 1])[0]  # type: ignore[misc]
                total[part, j] = (moved * residuals[part]).sum(1)
        return total

    def squared_norms(self, x: Tensor, residuals: Tensor) -> Tensor:
        """‖J_iᵀ r_i‖²: ‖G_i‖²‖A_i‖² in a linear layer, (n,)."""
        if not self.layers:
            parts = [
                self._slow_pullback(x[part], residuals[part]).square().sum(1) for part in self.network.rows(len(x), 4)
            ]
            return torch.cat(parts)
        total = x.new_zeros(len(x))
        for part in blocks(len(x), self._tap_bytes):
            tap = self.tap(x[part])
            for a, g in zip(tap.inputs, tap.gradients(residuals[part]), strict=True):
                total[part] += layer_norms(a, g)
        return total

    def moved(self, step: Tensor, x: Tensor) -> Tensor:
        """f at θ + ``step``, (n, K)."""
        return self.network.outputs(self.theta + step, x)


@dataclass(frozen=True)
class LinearAt:
    """A linear predictor at any θ: J_i = I_K ⊗ x̃_iᵀ, one layer that reads x̃."""

    model: LinearModel
    theta: Tensor

    @property
    def layers(self) -> tuple[Layer, ...]:
        """One layer."""
        outputs, p = self.model.loss.outputs, len(self.theta)
        return (Layer("", outputs, p // outputs, slice(0, p)),)

    def tap(self, x: Tensor) -> Tap:
        """x̃ itself, and residuals as output gradients."""
        return Tap((x[:, None],), lambda residuals: (residuals[:, None],))

    def pullback(self, x: Tensor, residuals: Tensor) -> Tensor:
        """r_i ⊗ x̃_i.  For few examples: it is (n, p)."""
        return self.model.pullback(x, residuals)

    def gradient_dot(self, x: Tensor, residuals: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
        """scale · (r_i ⊗ x̃_i)ᵀ v_j, (n, k)."""
        return self.model.gradient_dot(x, residuals, v, scale)

    def squared_norms(self, x: Tensor, residuals: Tensor) -> Tensor:
        """‖r_i‖² ‖x̃_i‖², (n,)."""
        return residuals.square().sum(1) * x.square().sum(1)

    def moved(self, step: Tensor, x: Tensor) -> Tensor:
        """f at θ + ``step``, (n, K)."""
        return self.model.outputs(self.theta, x) + self.model.outputs(step, x)


def linearised(model: LinearModel | Network, theta: Tensor) -> Linearised:
    """A model at ``theta``: products with its Jacobian.

    Returns:
        The linear predictor itself, or the network with taps on its layers.
    """
    return LinearAt(model, theta) if isinstance(model, LinearModel) else At(model, theta.detach())
