"""Which training labels look wrong: SIGNALS, rankings, and how many flips they find.  Arrays only, no models.

Every signal has one direction: higher = more suspicious.  A suspicious point need not be mislabelled: rare but correct
examples look the same, so "keep" is an expected answer.
"""

from __future__ import annotations

from influence_core.mislabels.confident import label_issues, label_quality
from influence_core.mislabels.curves import Curve, mean_and_error
from influence_core.mislabels.ranking import Detection, auc, detection, percentiles, places, rank
from influence_core.mislabels.signals import (
    SIGNALS,
    Measured,
    Signal,
    SignalError,
    agreeing,
    applicable_signals,
    suspicion,
)

__all__ = [
    "SIGNALS",
    "Curve",
    "Detection",
    "Measured",
    "Signal",
    "SignalError",
    "agreeing",
    "applicable_signals",
    "auc",
    "detection",
    "label_issues",
    "label_quality",
    "mean_and_error",
    "percentiles",
    "places",
    "rank",
    "suspicion",
]
