"""Which training points must leave so that one prediction turns: searched for, and certified by refits."""

from influence_core.retraining.flips.aim import Aim
from influence_core.retraining.flips.limits import Limits
from influence_core.retraining.flips.search import Turned, fewest

__all__ = ["Aim", "Limits", "Turned", "fewest"]
