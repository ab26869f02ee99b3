"""How long an answer is waited for."""

from __future__ import annotations

from influence_core.analysis.answers import Analysis
from influence_core.analysis.trials import expected_seconds
from influence_core.solvers import solver_entry


def solve_seconds(analysis: Analysis) -> float:
    """What one question of a network takes by products of its curvature, roughly.

    Returns:
        Seconds on two cores; 0 where one factor serves every question, and for scores without a solve.
    """
    fitted, entry = analysis.problem.fitted, solver_entry(analysis.solver)
    searched = entry.kind in {"exact", "iterative"} and not entry.dense
    if not (searched and fitted.kind.products_only and analysis.estimator.curvature):
        return 0.0
    return expected_seconds(fitted, analysis.solver)
