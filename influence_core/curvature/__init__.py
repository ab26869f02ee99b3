"""The matrix every solver is given: H + damping·I at θ̂, as an operator.  Damping is added here, once, absolutely."""

from __future__ import annotations

from influence_core.curvature.choosing import KINDS, applicable_curvatures, curvature_of
from influence_core.curvature.linear import exact_hessian
from influence_core.curvature.matrix import Curvature, Layered, Partly, SampledProducts, roots
from influence_core.curvature.network import automatic_damping, network_curvature

__all__ = [
    "KINDS",
    "Curvature",
    "Layered",
    "Partly",
    "SampledProducts",
    "applicable_curvatures",
    "automatic_damping",
    "curvature_of",
    "exact_hessian",
    "network_curvature",
    "roots",
]
