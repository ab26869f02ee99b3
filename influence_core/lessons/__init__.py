"""What the lessons compute: small experiments on one analysis, each with a number that a refit can confirm."""

from influence_core.figures.derivative import Path, contaminated, most_influential, steps, up_weighted
from influence_core.figures.svm import hinge_curves
from influence_core.lessons.comparison import Joined, applicable, joined, second_settings
from influence_core.lessons.directions import by_direction, damping_agreement, theta_slope
from influence_core.lessons.hinge import at_temperature, exact_changes
from influence_core.lessons.stretch import stretch

__all__ = [
    "Joined",
    "Path",
    "applicable",
    "at_temperature",
    "by_direction",
    "contaminated",
    "damping_agreement",
    "exact_changes",
    "hinge_curves",
    "joined",
    "most_influential",
    "second_settings",
    "steps",
    "stretch",
    "theta_slope",
    "up_weighted",
]
