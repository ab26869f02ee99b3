"""Fitted estimators of scikit-learn as models here.

Nothing is imported from scikit-learn: estimators are read by the names and attributes that it documents.
"""

from influence_core.models.scikit.linear import READERS, SMOOTHING, predictor
from influence_core.models.scikit.networks import PERCEPTRONS, perceptron
from influence_core.models.scikit.steps import Steps, is_estimator, taken_apart

__all__ = ["PERCEPTRONS", "READERS", "SMOOTHING", "Steps", "is_estimator", "perceptron", "predictor", "taken_apart"]
