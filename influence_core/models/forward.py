"""Derivatives that torch's own ways do not take, or take wrongly, and what keeps its fast ways out of the path.

Forward mode runs one thread at a time: its level is a global of torch 2.13, and two threads would meet.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.func import grad, jvp, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.weight_norm import WeightNorm

from influence_core.settings import SettingsError

_ONE_AT_A_TIME = threading.RLock()
_GUARD, _INSIDE, _UNDO = threading.Lock(), list[int](), ExitStack()


@contextmanager
def differentiable() -> Generator[None]:
    """Attention and transformer layers by elementary operations, whose second derivatives torch knows.

    The switches are global: the first thread inside turns them, the last one out turns them back.
    """
    with _GUARD:
        if not _INSIDE:
            _UNDO.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(value=False)
            _UNDO.enter_context(sdpa_kernel(SDPBackend.MATH))
        _INSIDE.append(1)
    try:
        yield
    finally:
        with _GUARD:
            _INSIDE.pop()
            if not _INSIDE:
                _UNDO.close()


def pushed(function: Callable[[Tensor], Tensor], theta: Tensor, v: Tensor) -> Tensor:
    """Derivatives of ``function`` at ``theta`` along the columns of ``v`` (p, k).

    Where an operation has no forward mode (``huber_loss``), by reverse mode twice: Jv is the derivative of u ↦ Jᵀu
    turned around.

    Returns:
        (k, ...).
    """

    def along(column: Tensor) -> Tensor:
        found: Tensor = jvp(function, (theta,), (column,))[1]
        return found

    derivatives: Tensor
    try:
        with _ONE_AT_A_TIME:
            derivatives = vmap(along, in_dims=1)(v)
    except NotImplementedError:
        f, pull = vjp(function, theta)  # type: ignore[misc]
        turned = vjp(lambda u: pull(u)[0], torch.zeros_like(f))[1]
        derivatives = vmap(turned, in_dims=1)(v)[0]
    return derivatives


def bent(function: Callable[[Tensor], Tensor], theta: Tensor, v: Tensor, traced: bool) -> Tensor:
    """∇²F V of a scalar function, reverse over reverse; column by column where torch.func cannot trace it, (p, k)."""
    if traced:
        found: Tensor = vmap(vjp(grad(function), theta)[1], in_dims=1, out_dims=1)(v)[0]
        return found
    with torch.enable_grad():
        free = theta.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(free), free, create_graph=True)
        return _columns(slope, free, v)


def squared(function: Callable[[Tensor], Tensor], theta: Tensor, curvatures: Tensor, v: Tensor, traced: bool) -> Tensor:
    """Σ_i J_iᵀ C_i J_i V of outputs (b, K): J V forward, Jᵀ backward; without torch.func J V by reverse mode twice.

    Returns:
        (p, k).
    """
    if traced:
        turned = torch.einsum("bac,kbc->kba", curvatures, pushed(function, theta, v))
        found: Tensor = vmap(vjp(function, theta)[1])(turned)[0].T
        return found
    with torch.enable_grad():
        free = theta.detach().clone().requires_grad_()
        f = function(free)
        side = torch.zeros_like(f).requires_grad_()
        (pulled,) = torch.autograd.grad(f, free, side, create_graph=True)
        moved = _columns(pulled, side, v)
        turned = torch.einsum("bac,bck->kba", curvatures, moved)
        return torch.stack([torch.autograd.grad(f, free, u, retain_graph=True)[0] for u in turned], 1)


def _columns(slope: Tensor, free: Tensor, v: Tensor) -> Tensor:
    """∂(slopeᵀ v_j)/∂free for every column, stacked last; zero where the slope does not depend on ``free``."""
    if not slope.requires_grad:
        return free.new_zeros(*free.shape, v.shape[1])
    found = [torch.autograd.grad(slope, free, column, retain_graph=True, allow_unused=True)[0] for column in v.T]
    return torch.stack([torch.zeros_like(free) if g is None else g for g in found], -1)


def picked(f: object) -> Tensor:
    """The outputs among what a module returns: its only tensor, that called logits, or the first of a tuple.

    Raises:
        SettingsError: a dictionary without one answer.
    """
    if isinstance(f, Tensor):
        return f
    if isinstance(f, Mapping):
        tensors = {name: value for name, value in f.items() if isinstance(value, Tensor)}
        if "logits" in tensors or len(tensors) == 1:
            return tensors.get("logits", next(iter(tensors.values())))
        raise SettingsError(
            f"The module returns {', '.join(map(str, f))[:80] or 'nothing'}: which of them are the outputs? "
            "Return one tensor, or name it logits."
        )
    if isinstance(f, tuple | list) and f:
        return picked(f[0])
    raise SettingsError(f"Expected a module that returns a tensor of outputs, got {type(f).__name__}.")


def one_line(error: BaseException | None, most: int = 200) -> str:
    """The beginning of what an error of somebody else's code says, for the middle of a sentence."""
    return str(error).strip().split("\n")[0][:most].rstrip(". ") or type(error).__name__


def plain(module: nn.Module) -> nn.Module:
    """The module inside wrappers that only say how it runs: ``torch.compile``, data parallel ones."""
    inner = getattr(module, "_orig_mod", None)
    if isinstance(module, nn.DataParallel | DistributedDataParallel):
        inner = module.module
    return plain(inner) if isinstance(inner, nn.Module) else module


def duplicate(module: nn.Module) -> nn.Module:
    """A copy, also of a module that keeps computed tensors as attributes, with weight norms that torch bends right.

    Returns:
        The copy; torch's second derivative of ``_weight_norm`` takes the norm for a constant (up to 44 % off).
    """
    kept = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    made = copy.deepcopy(module, {id(value): value.detach().clone() for value in kept if not value.is_leaf})
    for part in made.modules():
        if isinstance(part, nn.Embedding | nn.EmbeddingBag):
            part.sparse = False  # second derivatives of sparse gradients are not implemented
        for some in (part, *part._forward_pre_hooks.values()):
            if type(some) in _ELEMENTARY:
                some.__class__ = _ELEMENTARY[type(some)]
    return made


def _normed(g: Tensor, v: Tensor, dim: int) -> Tensor:
    axes = [axis for axis in range(v.dim()) if axis != dim]  # torch writes −1 for "over everything"
    return v * (g / v.square().sum(axes, keepdim=True).sqrt())


class _Direction(_WeightNorm):
    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return _normed(g, v, self.dim)


class _Hook(WeightNorm):
    def compute_weight(self, module: nn.Module) -> Tensor:
        return _normed(getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v"), self.dim)


_ELEMENTARY: dict[type, type] = {_WeightNorm: _Direction, WeightNorm: _Hook}
