"""What is said of a system that is singular or indefinite: the damping from which on it is neither."""

from __future__ import annotations

import math

import torch

from influence_core.curvature import Curvature
from influence_core.solvers.lanczos import lanczos

FORMED = 3_000  # parameters up to which all eigenvalues are taken
STEPS = 60  # products for the smallest one of more parameters
APART = 1e-6  # of the largest eigenvalue: the least that the smallest one is to be
SURE = 1.05  # an eigenvalue from a few products may be a little short of the smallest


def refusal(curvature: Curvature, formed: bool = False) -> str:
    """The sentence about H + δI that is not positive definite, with the damping that makes it so.

    Args:
        curvature: H + δI.
        formed: whether the matrix was formed anyhow, so that forming it again is a price that was paid before.
    """
    if curvature.size <= FORMED and (formed or not curvature.products_only):
        a = curvature.dense()
        values = torch.linalg.eigvalsh(a if a.device.type == "mps" else a.double())
        return refused(float(values[0]), float(values[-1]), curvature.damping)
    found = lanczos(curvature, STEPS)
    least = float(found.values[0] - found.errors[0]) - curvature.damping  # of H
    return refused(min(SURE * least, least) + curvature.damping, float(found.values[-1]), curvature.damping)


def refused(smallest: float, largest: float, damping: float) -> str:
    """The same where the eigenvalues of H + δI are known."""
    state = "indefinite" if smallest < -1e-12 * abs(largest) else "singular"
    needed = rounded_up(damping - smallest + APART * max(abs(largest), abs(smallest)))
    return (
        f"The Hessian plus damping is {state} (smallest eigenvalue {smallest:.1e}), so this system has no reliable "
        f"solution. Set the damping to at least {needed}, or choose a larger l2."
    )


def rounded_up(value: float) -> str:
    """Two digits of a positive number, never less than it is."""
    if not 0 < value < math.inf:
        return f"{value:.1e}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / unit) * unit:.1e}"
