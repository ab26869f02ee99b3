"""What training points do to predictions, predicted without refitting: estimators, effects, diagnostics, search."""

from influence_core.influence.estimators import ESTIMATORS, applicable_estimators, scores
from influence_core.influence.watched import Influence, Watched, watch

__all__ = ["ESTIMATORS", "Influence", "Watched", "applicable_estimators", "scores", "watch"]
