"""Whether a run is smooth in the weights of its examples, so that its derivative says what a change of them does.

Runs at weights 1, 1 + h·v and 1 + 2h·v, v random signs: where the second step moves every parameter on in the direction
of the first, the run is metasmooth (Engstrom et al. 2025).  It is asked at two lengths, because kinks (ReLU, clipping)
show in the smallest steps, and curvature (a large learning rate) in long ones.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.compute import Task
from influence_core.models import FittedModel
from influence_core.settings import SettingsError

TENTH = 0.1  # ‖h·v‖² in units of n: the weights of a tenth of the examples; the short step is the weight of one


def metasmoothness(fitted: FittedModel, seed: int = 0, task: Task = Task()) -> float:  # noqa: B008 - frozen
    """Σ |Δ₁| sign Δ₁ sign Δ₂ / Σ |Δ₁| over the parameters, Δ what each of two equal steps of the weights moves them.

    Returns:
        The smaller one of two lengths: 1 where all go on, 0 where it is a matter of chance, below where they turn back.

    Raises:
        SettingsError: a network that was not trained here.
    """
    program, n = fitted.program, len(fitted.train)
    if program is None:
        raise SettingsError("This network was not trained here, so its run cannot be repeated.")
    random = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (n,), generator=random).to(fitted.theta) * 2 - 1
    lengths = torch.tensor([0.0, n**-0.5, 2 * n**-0.5, TENTH**0.5, 2 * TENTH**0.5]).to(fitted.theta)
    quiet = replace(program, task=replace(task, report=lambda _done, _total: None))
    weights = 1 + lengths[:, None] * signs
    start, *ends = quiet.run(fitted.start.expand(len(lengths), -1), weights, fitted.fit.epochs)
    return min(_goes_on(start, *ends[:2]), _goes_on(start, *ends[2:]))


def _goes_on(first: Tensor, second: Tensor, third: Tensor) -> float:
    one, two = second - first, third - second
    size = float(one.abs().sum())
    return float((one.abs() * one.sign() * two.sign()).sum()) / size if size else 1.0
