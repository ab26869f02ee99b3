"""Examples of several named tensors (token ids, a mask, positions), side by side as one row of numbers each."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from influence_core.settings import SettingsError

KINDS = {"b": torch.bool, "i": torch.long, "u": torch.long}  # others are numbers in the precision of the module


@dataclass(frozen=True)
class NamedTensor:
    """One tensor of an example.

    Attributes:
        name: its key.
        shape: of one example.
        kind: ``b`` for truth values, ``i`` for whole numbers, ``f`` for others.
    """

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def size(self) -> int:
        """Numbers of one example."""
        return math.prod(self.shape)


def side_by_side(x: Mapping[str, Any]) -> tuple[NDArray[np.float64], tuple[NamedTensor, ...]]:
    """Tensors of the same examples as one array.

    Args:
        x: (n, ...) each.

    Returns:
        (n, d), and how its columns came about.

    Raises:
        SettingsError: no tensors, tensors of different numbers of examples, or no numbers.
    """
    arrays = {str(name): _array(str(name), value) for name, value in sorted(x.items())}
    counts = {name: len(value) for name, value in arrays.items()}
    if len({*counts.values()}) != 1:
        told = ", ".join(f"{name} of {count:,}" for name, count in counts.items()) or "an empty dictionary"
        raise SettingsError(f"Expected tensors of the same examples by name, got {told}.")
    parts = tuple(
        NamedTensor(name, a.shape[1:], "i" if a.dtype.kind == "u" else a.dtype.kind) for name, a in arrays.items()
    )
    flat = [a.reshape(len(a), -1).astype(np.float64) for a in arrays.values()]
    return np.concatenate(flat, 1), parts


def _array(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    try:
        found = np.asarray(value)
    except ValueError:
        raise SettingsError(
            f"{name}: expected rows of one length, got several: pad them, and mask the padding."
        ) from None
    if found.dtype.kind not in "biuf" or not found.ndim:
        raise SettingsError(f"{name}: expected a tensor of numbers with an axis of examples, got {found.dtype}.")
    return found


def split(x: Tensor, parts: tuple[NamedTensor, ...], dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors by name again.

    Args:
        x: (b, d).
        parts: what the columns are.
        dtype: of numbers that are not whole.
    """
    columns = torch.split(x, [part.size for part in parts], 1)
    return {
        part.name: some.reshape(len(x), *part.shape).to(KINDS.get(part.kind, dtype))
        for part, some in zip(parts, columns, strict=True)
    }


def by_name(module: nn.Module, parts: tuple[NamedTensor, ...]) -> bool:
    """Whether ``forward`` takes the tensors as arguments of these names, and not as one dictionary."""
    taken = inspect.signature(module.forward).parameters.values()
    named = {each.name for each in taken if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}}
    open_ended = any(each.kind is each.VAR_KEYWORD for each in taken)
    return bool(parts) and (open_ended or {part.name for part in parts} <= named)
