"""Groups of training points that leave together, growing: the sum of single changes, one Newton step, and the refit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.analysis import Analysis


def growing(analysis: Analysis, test: int, order: NDArray[np.int64], sizes: Sequence[int]) -> pd.DataFrame:
    """Change of the watched quantity at one test point when the first k training points of an order leave at once.

    Args:
        analysis: θ̂ with its curvature.
        test: test point.
        order: training points, the first to leave first.
        sizes: k, each at least 1.

    Returns:
        One row per k: size, first_order (the sum of single changes), newton (one step with H − H_S/n; NaN where that is
        not positive definite), measured (by a certified refit).
    """
    rows = []
    for size in sizes:
        group = order[:size]
        effect, refit = analysis.group(group), analysis.problem.group_refit(group)
        newton = float("nan") if effect.newton is None else float(effect.newton[test])
        rows.append((size, float(effect.first_order[test]), newton, float(refit.change[test])))
    return pd.DataFrame(rows, columns=["size", "first_order", "newton", "measured"])
