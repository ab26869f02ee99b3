"""Bring your own: a torch module with a loss, a function ``loss(theta, x, y)``, a fitted estimator of scikit-learn."""

from influence_core.wrapping.choosing import wrap
from influence_core.wrapping.estimators import WrappedEstimator
from influence_core.wrapping.modules import Wrapped

__all__ = ["Wrapped", "WrappedEstimator", "wrap"]
