"""Which matrix stands for H: the exact Hessian, or Gauss–Newton for networks."""

from __future__ import annotations

from influence_core.curvature.linear import exact_hessian
from influence_core.curvature.matrix import Curvature
from influence_core.curvature.network import automatic_damping, network_curvature
from influence_core.models import FittedModel
from influence_core.settings import SettingsError, SolverSettings

AUTOMATIC = "auto"
KINDS = {
    AUTOMATIC: "Automatic (Gauss–Newton for networks)",
    "exact": "Hessian",
    "gauss_newton": "Gauss–Newton",
}


def applicable_curvatures(fitted: FittedModel) -> dict[str, str]:
    """The matrices that may stand for H, by name.

    Returns:
        Titles; none where Hessian and Gauss–Newton are the same.
    """
    return {} if fitted.kind.closed_form else KINDS


def curvature_of(fitted: FittedModel, settings: SolverSettings) -> Curvature:
    """H + δI as the settings choose it.

    For a linear predictor Hessian and Gauss–Newton are the same.  ``auto`` is the Gauss–Newton matrix for networks,
    whose Hessian is indefinite away from a minimum, and there a damping of 0 means ``SHARE`` times its mean diagonal.

    Raises:
        SettingsError: an unknown curvature.
    """
    if settings.curvature not in KINDS:
        raise SettingsError(f"Curvature: expected one of {', '.join(KINDS)}, got {settings.curvature[:40]!r}.")
    if fitted.kind.closed_form:
        return exact_hessian(fitted, settings.damping)
    if settings.curvature != AUTOMATIC:
        return network_curvature(fitted, settings.curvature, settings.damping)
    # A loss that is no curved function of the outputs has no Gauss–Newton matrix.
    if not fitted.model.loss.convex and getattr(fitted.model, "bends", True):
        return network_curvature(fitted, "exact", settings.damping)
    damping, reason = automatic_damping(fitted) if settings.damping == 0 else (settings.damping, "")
    return network_curvature(fitted, "gauss_newton", damping, reason)
