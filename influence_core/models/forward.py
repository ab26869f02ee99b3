"""Forward-mode derivatives, one thread at a time: their level is a global of torch 2.13, and two threads would meet."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

_ONE_AT_A_TIME = threading.RLock()


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
