"""Networks: any ``torch.nn.Module`` as a function f(x; θ) of one flat θ, with its derivatives by torch.func.

Parameters lie in θ in the order of ``named_parameters``.  Modules run in evaluation mode: no dropout, and batch norm
with its stored averages, so that every example has a loss of its own.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from influence_core.compute import blocks, once
from influence_core.compute.sparse import rows_of
from influence_core.data.dataset import Dataset
from influence_core.models.arranged import NamedTensor, by_name, split
from influence_core.models.forward import bent, differentiable, duplicate, picked, squared
from influence_core.models.kinds import NETWORK, Kind
from influence_core.models.layers import find_layers, initialise, some_layers
from influence_core.models.losses import Loss
from influence_core.models.protocol import Batch, Layer

PASS_BYTES = 96 * 2**20  # activations of one block of examples and columns
COLUMNS = 16  # columns that share a forward pass


@dataclass(frozen=True, eq=False)
class Network:
    """J(θ; a) = (1/n) Σ a_i ℓ(y_i, f(x_i; θ)) + (l2/2) ‖θ_weights‖²; biases and other vectors are not penalised.

    Attributes:
        module: architecture and first parameters; never changed.
        loss: ℓ as a function of the outputs.
        l2: the penalty.
        shape: of one example as the module wants it; (d,), or (channels, h, w) for images.
        dtype: float32, or float64 where precision matters more than time.
        targets_inside: whether examples carry their target as a last column, for a loss that is no function of outputs.
        whole: whether the module reads whole numbers, as an embedding does.
        parts: the tensors by name that an example is made of; empty where it is one tensor.
        layered: whether the outer products of linear and convolutional layers may be trusted.
        trusted: names of layers whose outer products may be, where parameters lie outside of them too.
        traced: whether torch.func can trace the module; else derivatives come one column or example at a time.
        bends: whether its second derivatives agree with differences of its gradients.
        notes: what was understood or guessed of a module that somebody brought, sentences for people.
    """

    module: nn.Module
    loss: Loss
    l2: float = 0.0
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    fold_penalty: bool = False
    targets_inside: bool = False
    whole: bool = False
    parts: tuple[NamedTensor, ...] = ()
    layered: bool = True
    trusted: tuple[str, ...] = ()
    traced: bool = True
    bends: bool = True
    notes: tuple[str, ...] = ()
    kind: ClassVar[Kind] = NETWORK
    intercept: ClassVar[bool] = False  # a constant is the bias of a layer
    _ready: nn.Module = field(init=False, repr=False)
    _local: threading.local = field(init=False, default_factory=threading.local, repr=False)

    @once
    def shapes(self) -> dict[str, torch.Size]:
        """Name and shape of every trainable parameter, in the order of θ; the others are constants."""
        return {name: value.shape for name, value in self.module.named_parameters() if value.requires_grad}

    @once
    def layers(self) -> tuple[Layer, ...]:
        """The layers that θ is made of; empty where some parameter belongs to another kind of layer."""
        return find_layers(self._fresh(torch.device("cpu")), self._try, self.shapes) if self.layered else ()

    def some_layers(self) -> tuple[Layer, ...]:
        """Linear and convolutional layers that run once, whatever parameters lie outside of them."""
        return some_layers(self._fresh(torch.device("cpu")), self._try, self.shapes)

    @once
    def some(self) -> tuple[Layer, ...]:
        """The layers that Kronecker factors are made of: all, or those that are trusted."""
        return self.layers or tuple(layer for layer in self.some_layers() if layer.name in self.trusted)

    @once
    def activations(self) -> int:
        """Numbers that a forward pass keeps per example, roughly."""
        kept = [math.prod(self.shape)]
        probe = self._fresh(torch.device("cpu"))
        for part in probe.modules():
            if not list(part.children()):
                part.register_forward_hook(
                    lambda _module, _inputs, output: kept.extend(
                        value.numel() for value in tree_leaves(output) if isinstance(value, Tensor)
                    )
                )
        self._try(probe)
        return sum(kept)

    def _try(self, module: nn.Module) -> None:
        args, named = self.given(torch.zeros(1, math.prod(self.shape), dtype=self.dtype))
        with torch.no_grad(), differentiable():
            module(*args, **named)

    def given(self, x: Tensor, dtype: torch.dtype | None = None) -> tuple[tuple[Any, ...], dict[str, Tensor]]:
        """What the module is called with for examples (b, d): arguments, and those by name."""
        dtype = dtype or self.dtype
        if self.parts:
            tensors = split(x, self.parts, dtype)
            return ((), tensors) if by_name(self.module, self.parts) else ((tensors,), {})
        return (x.view(len(x), *self.shape).to(torch.long if self.whole else dtype),), {}

    def __post_init__(self) -> None:
        # Made here, because inside a torch.func transform a module can be copied but not converted.
        ready = duplicate(self.module).to(device="cpu", dtype=self.dtype).eval().requires_grad_(False)
        object.__setattr__(self, "_ready", ready)

    def _fresh(self, device: torch.device) -> nn.Module:
        module = copy.deepcopy(self._ready)
        for part in module.modules():
            for name, value in part.named_buffers(recurse=False):
                setattr(part, name, value.to(device))
            for name, value in part.named_parameters(recurse=False):
                if value.device != device:  # those that are not in θ
                    setattr(part, name, nn.Parameter(value.to(device), requires_grad=False))
        return module

    def copy(self, device: torch.device) -> nn.Module:
        """A copy of the module for this thread: ``functional_call`` swaps parameters inside the module it is given."""
        kept = getattr(self._local, "copy", None)
        if kept is None or kept[0] != device:
            kept = self._local.copy = (device, self._fresh(device))
        module: nn.Module = kept[1]
        return module

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """Parameters by name, as views of θ."""
        parts = torch.split(theta, [math.prod(shape) for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def start(self, _batch: Batch | None = None) -> Tensor:
        """θ of the module as it was given, (p,)."""
        free = [value.detach().reshape(-1) for value in self.module.parameters() if value.requires_grad]
        return torch.cat(free).to("cpu", self.dtype)

    def drawn(self, seed: int) -> Tensor:
        """θ with linear and convolutional layers drawn anew for a seed, other parameters as they were given, (p,)."""
        module = duplicate(self.module)
        initialise(module, seed)
        return replace(self, module=module).start()

    def batch(self, dataset: Dataset, device: torch.device) -> Batch:
        """Examples as tensors of the network's precision.

        Returns:
            x (n, d) and y (n,).
        """
        given = rows_of(dataset.x, slice(None)), dataset.y
        x, y = (torch.as_tensor(values.copy(), dtype=self.dtype) for values in given)
        return Batch((torch.cat([x, y[:, None]], 1) if self.targets_inside else x).to(device), y.to(device))

    def relabelled(self, batch: Batch, y: Tensor) -> Batch:
        """The same examples with other targets."""
        return Batch(torch.cat([batch.x[:, :-1], y[:, None]], 1) if self.targets_inside else batch.x, y)

    def features(self, x: Tensor) -> Tensor:
        """The features (n, d) in the network's precision, with a target of 0 where targets lie inside."""
        return nn.functional.pad(x, (0, int(self.targets_inside))).to(self.dtype)

    def penalised(self, x: Tensor) -> Tensor:
        """1 for matrices and kernels, 0 for biases and other vectors; 1 everywhere for a plain vector θ, (p,)."""
        least = 0 if self.targets_inside else 1
        parts = [torch.full((math.prod(s),), float(len(s) > least), dtype=x.dtype) for s in self.shapes.values()]
        return torch.cat(parts).to(x.device)

    def penalty(self, _weights: Tensor | None) -> float:
        """l2, whatever the weights."""
        return self.l2

    def folded(self, theta: Tensor, _x: Tensor) -> Tensor:
        """Zeros (p,): the penalty of a network stays in J."""
        return torch.zeros_like(theta)

    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """f in blocks of examples, (n, K)."""
        parts = [self.one_pass(theta, x[part]) for part in self.rows(len(x), 1)]
        return torch.cat(parts) if parts else x.new_empty(0, self.loss.outputs)

    def rows(self, n: int, columns: int) -> list[slice]:
        """Blocks of examples whose activations for so many columns stay within ``PASS_BYTES``.

        Returns:
            Slices of range(n).
        """
        return list(blocks(n, 16.0 * self.activations * columns, PASS_BYTES))

    def one_pass(self, theta: Tensor, x: Tensor) -> Tensor:
        """f in a single forward pass, for few examples, (b, K)."""
        return self.called(theta, x).reshape(len(x), -1)

    def called(self, theta: Tensor, x: Tensor) -> Tensor:
        """f as the module returns it."""
        args, named = self.given(x, x.dtype)
        with differentiable():
            f = functional_call(self.copy(theta.device), self.unflatten(theta), args, named)
        return picked(f)

    def losses(self, theta: Tensor, batch: Batch) -> Tensor:
        """ℓ_i(θ), the penalty not included, (n,)."""
        return self.loss.values(self.outputs(theta, batch.x), batch.y)

    def _summed(self, batch: Batch, weights: Tensor | None) -> Callable[[Tensor], Tensor]:
        def total(theta: Tensor) -> Tensor:
            values = self.loss.values(self.one_pass(theta, batch.x), batch.y)
            return values.sum() if weights is None else weights @ values

        return total

    def objective(self, theta: Tensor, batch: Batch, weights: Tensor | None = None) -> tuple[float, Tensor]:
        """J(θ; weights) and its gradient (p,)."""
        pull = self.penalised(batch.x) * theta * self.l2
        value, gradient = float(pull @ theta) / 2, pull
        for part in self.rows(len(batch), 1):
            total = self._summed(batch.take(part), None if weights is None else weights[part])
            free = theta.detach().clone().requires_grad_(True)
            loss = total(free)
            gradient = gradient + torch.autograd.grad(loss, free)[0] / len(batch)
            value += float(loss.detach()) / len(batch)
        return value, gradient

    def hvp(self, theta: Tensor, batch: Batch, v: Tensor, weights: Tensor | None = None) -> Tensor:
        """Σ_i a_i ∇²ℓ_i(θ) V / n, reverse over reverse, in blocks of examples and columns; the penalty not included.

        Args:
            theta: (p,).
            batch: n examples.
            v: (p, k).
            weights: (n,) or None.

        Returns:
            (p, k).
        """
        result = torch.zeros_like(v)
        for columns in blocks(v.shape[1], 1, COLUMNS):
            for part in self.rows(len(batch), columns.stop - columns.start):
                total = self._summed(batch.take(part), None if weights is None else weights[part])
                result[:, columns] += bent(total, theta, v[:, columns], self.traced)
        return result / len(batch)

    def gauss_newton(self, theta: Tensor, x: Tensor, curvatures: Tensor, v: Tensor) -> Tensor:
        """Σ_i J_iᵀ C_i J_i V / n with C_i = ∂²ℓ_i/∂f²: J V forward, Jᵀ backward, in blocks.

        Args:
            theta: (p,).
            x: (n, d).
            curvatures: (n, K, K).
            v: (p, k).

        Returns:
            (p, k); positive semidefinite for convex losses.
        """
        result = torch.zeros_like(v)
        for columns in blocks(v.shape[1], 1, COLUMNS):
            for part in self.rows(len(x), columns.stop - columns.start):
                f = partial(self.one_pass, x=x[part])
                result[:, columns] += squared(f, theta, curvatures[part], v[:, columns], self.traced)
        return result / len(x)

    def feature_slopes(self, theta: Tensor, batch: Batch, direction: Tensor) -> Tensor:
        """∂/∂x of vᵀ∇_θ ℓ_i(x_i), reverse over reverse.

        Not reverse over forward: torch 2.13 differentiates the forward mode of layer norm wrongly (7 % off in a test).

        Args:
            theta: (p,).
            batch: a few examples.
            direction: v (p,).

        Returns:
            (n, d).
        """
        theta, x = theta.detach().clone().requires_grad_(), batch.x.detach().clone().requires_grad_()
        with torch.enable_grad():
            loss = self.losses(theta, Batch(x, batch.y)).sum()
            (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
            along = slope @ direction + 0 * x.sum()  # whole numbers have no slope of their own
        (slopes,) = torch.autograd.grad(along, x)
        return slopes[:, :-1] if self.targets_inside else slopes
