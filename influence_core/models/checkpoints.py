"""Trained networks on disk, as safetensors: θ̂, its curves and its checkpoints; nothing in such a file can run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from influence_core.compute.store import data_folder, evict
from influence_core.files import write_whole
from influence_core.models.fitting import Fit

MOST_BYTES = 2**30
FORMAT = "influence-explorer fit 1"


def folder() -> Path:
    """Where trained networks are kept.

    Returns:
        A folder below the data folder; it may not exist yet.
    """
    return data_folder() / "networks"


def save_fit(fit: Fit, key: str, where: Path | None = None) -> Path:
    """Write a fit as ``key``.safetensors, whole or not at all."""
    path = (where or folder()) / f"{key}.safetensors"
    tensors = {"theta": fit.theta.detach().cpu().contiguous()}
    tensors |= {"history": torch.tensor(fit.history, dtype=torch.float64)}
    tensors |= {"validation": torch.tensor(fit.validation, dtype=torch.float64)}
    tensors |= {"rates": torch.tensor([rate for rate, _ in fit.checkpoints], dtype=torch.float64)}
    tensors |= {f"checkpoint.{k}": theta.detach().cpu().clone() for k, (_, theta) in enumerate(fit.checkpoints)}
    facts = {"format": FORMAT, "method": fit.method, "epochs": str(fit.epochs)}
    facts |= {"gradient_norm": repr(fit.gradient_norm), "goal": repr(fit.goal)}
    write_whole(path, save(tensors, facts))
    evict(path.parent, "*.safetensors", MOST_BYTES)
    return path


def load_fit(key: str, device: torch.device, where: Path | None = None) -> Fit | None:
    """Read a fit.

    Returns:
        The fit, or None where there is none that can be read.
    """
    path = (where or folder()) / f"{key}.safetensors"
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if facts.get("format") != FORMAT:
            return None
        rates = tensors["rates"].tolist()
        found = Fit(
            tensors["theta"].to(device),
            facts["method"],
            float(facts["gradient_norm"]),
            float(facts["goal"]),
            tuple(tensors["history"].tolist()),
            tuple(tensors["validation"].tolist()),
            int(facts["epochs"]),
            tuple((rate, tensors[f"checkpoint.{k}"].to(device)) for k, rate in enumerate(rates)),
        )
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    with suppress(OSError):  # used just now: the least recently used file goes first
        os.utime(path)
    return found
