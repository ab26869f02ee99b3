"""A score taken apart along the eigenvectors of H, and what damping does to its agreement with the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from influence_core.agreement import agreement
from influence_core.analysis import Analysis
from influence_core.compute import FloatArray, numpy
from influence_core.influence import estimators
from influence_core.influence.effects import parameter_change
from influence_core.influence.watched import Influence, training_gradients
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import SPECTRAL


def by_direction(analysis: Analysis, train: int, test: int) -> pd.DataFrame:
    """The gradient dot product and the influence of one training point as sums over eigenvectors of H.

    With H = QΛQᵀ:  qᵀg/n = Σ_k (Q_kᵀq)(Q_kᵀg)/n  and  qᵀ(H + δI)⁻¹g/n = Σ_k (Q_kᵀq)(Q_kᵀg)/(n(λ_k + δ)).

    Returns:
        One row per direction, largest eigenvalue first: eigenvalue, gradient_dot, influence; in the units of the sums.
    """
    spectrum, n = analysis.problem.spectrum, len(analysis.problem.fitted.train)
    watched = analysis.watched([test])
    g = training_gradients(analysis.influence, torch.tensor([train]))[:, 0]
    along = spectrum.vectors
    dot = numpy((along.T @ watched.gradient[:, 0]) * (along.T @ g)) / n
    values = numpy(spectrum.eigenvalues)
    order = np.argsort(-values, kind="stable")
    columns = {
        "eigenvalue": values,
        "gradient_dot": dot,
        "influence": dot / (values + analysis.settings.solver.damping),
    }
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def theta_slope(analysis: Analysis, train: int) -> FloatArray:
    """dθ̂/dε = −(H + δI)⁻¹gᵢ at ε = 0, θ̂(ε) minimising J + ε ℓᵢ, (p,)."""
    change = parameter_change(analysis.influence, np.array([train]))[0]
    return np.asarray(-len(analysis.problem.fitted.train) * change)


def damping_agreement(analysis: Analysis, test: int, dampings: Sequence[float], measured: FloatArray) -> pd.DataFrame:
    """First-order scores at many dampings against measured changes, from one eigendecomposition.

    Args:
        analysis: supplies θ̂ and the spectrum of H; its own damping plays no part.
        test: test point.
        dampings: δ ≥ 0, ascending.
        measured: (n,) changes at the test point.

    Returns:
        One row per damping: damping, r, slope (of measured on predicted), relative_error ‖predicted − measured‖ /
        ‖measured‖, and cosine with the gradient dot product, to which the scores turn as δ grows.

    Raises:
        SettingsError: no damping is given.
    """
    if not dampings:
        raise SettingsError("Expected at least one damping, got none.")
    fitted, watched, rows = analysis.problem.fitted, analysis.watched([test]), []
    dot = estimators.scores(analysis.influence, watched, "gradient_dot")[:, 0]
    for damping in dampings:
        influence = Influence(fitted, SolverSettings(SPECTRAL, damping), spectrum=analysis.problem.spectrum)
        scores = estimators.scores(influence, watched)[:, 0]
        found = agreement(measured, scores)
        error = float(np.linalg.norm(scores - measured) / np.linalg.norm(measured))
        cosine = float(scores @ dot / (np.linalg.norm(scores) * np.linalg.norm(dot)))
        r, slope = (np.nan if part.value is None else part.value for part in (found.r, found.slope))
        rows.append({"damping": damping, "r": r, "slope": slope, "relative_error": error, "cosine": cosine})
    return pd.DataFrame(rows)
