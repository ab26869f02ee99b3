"""What the decisions about all rows did to the model that the settings name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from influence_core.analysis import Corrections, Outcome, outcome
from influence_core.reviewing.sides import Scored


def closed(before: Scored, after: Scored, corrections: Corrections) -> Outcome:
    """Held-out accuracy and loss before and after; the held-out labels are the reviewed ones in both.

    Args:
        before: with the labels as given.
        after: with the decisions applied.
        corrections: the decisions, about rows under review.
    """
    found = outcome(before.review, after.review)
    stays, rows = ~corrections.excluded, corrections.rows
    given = before.split.train.y.astype(np.int64)
    predicted = before.merged([side.review.predicted for side in before.sides], -1)
    kept = int((corrections.labels == given[rows])[stays].sum())
    return replace(
        found,
        kept=kept,
        relabelled=int(stays.sum()) - kept,
        excluded=int(corrections.excluded.sum()),
        differed=int((corrections.labels != predicted[rows])[stays].sum()),
    )
