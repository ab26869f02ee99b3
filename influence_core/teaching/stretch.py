"""How much farther θ really moves than first order says, against leverage."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.analysis import Analysis
from influence_core.influence.effects import parameter_change_norm
from influence_core.retraining import leave_one_out


def stretch(analysis: Analysis) -> pd.DataFrame:
    """‖θ̂₋ᵢ − θ̂‖ by refits over ‖H⁻¹gᵢ‖/n, for every training point.

    For squared loss Sherman–Morrison gives exactly 1/(1 − leverageᵢ); for other losses the curvature at i also changes
    on the way, so the points scatter around that curve.

    Returns:
        One row per training point: id, leverage, first_order and loo (norms in the unit of θ), ratio; rows whose
        first-order change is zero to rounding have ratio 1.
    """
    fitted = analysis.problem.fitted
    refits = leave_one_out(fitted, keep=True)
    assert refits.parameters is not None  # asked for
    loo = np.linalg.norm(refits.parameters - fitted.theta.cpu().numpy(), axis=1)
    first = parameter_change_norm(analysis.influence)
    moved = first > 1e-9 * first.max()
    ratio = np.ones(len(first))
    ratio[moved] = loo[moved] / first[moved]
    columns = {"leverage": analysis.leverage, "first_order": first, "loo": loo, "ratio": ratio}
    return pd.DataFrame({"id": analysis.problem.split.train.ids, **columns})
