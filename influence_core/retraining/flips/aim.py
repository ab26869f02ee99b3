"""What is asked of a prediction: a margin that is positive now and is to become negative."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Aim:
    """m(f) at one test point: > 0 as long as the prediction is what it was, < 0 once it is what is asked for.

    With one output m = sign·(f − threshold); with more m = sign·(f_holder − max of the others).

    Attributes:
        x: (d̄,) x̃ of the test point.
        sign: +1 or −1.
        threshold: of the output.
        holder: class whose lead counts.
    """

    x: Tensor
    sign: float
    threshold: float = 0.0
    holder: int = 0

    def margin(self, f: Tensor) -> Tensor:
        """m for outputs (..., K), shape (...)."""
        if f.shape[-1] == 1:
            return self.sign * (f[..., 0] - self.threshold)
        return self.sign * (f[..., self.holder] - self._others(f).amax(-1))

    def directions(self, f: Tensor) -> Tensor:
        """∂m/∂f by every rival (first the one that counts at ``f`` (K,)), shape (rivals, K)."""
        if len(f) == 1:
            return f.new_full((1, 1), self.sign)
        rivals = self._others(f).argsort(descending=True)[:-1]
        found = f.new_zeros(len(rivals), len(f))
        found[:, self.holder] = self.sign
        found[torch.arange(len(rivals)), rivals] = -self.sign
        return found

    def _others(self, f: Tensor) -> Tensor:
        others = f.clone()
        others[..., self.holder] = -torch.inf
        return others
