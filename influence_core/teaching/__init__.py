"""What the lessons compute: small experiments on one analysis, each with a number that a refit can confirm."""

from influence_core.teaching import mismatch, shortcut, smooth, trigger
from influence_core.teaching.comparison import Joined, applicable, joined, second_settings
from influence_core.teaching.directions import by_direction, damping_agreement, theta_slope
from influence_core.teaching.figures.derivative import Path, contaminated, most_influential, steps, up_weighted
from influence_core.teaching.figures.svm import hinge_curves
from influence_core.teaching.fragile import fragile, lead_without
from influence_core.teaching.groups import growing
from influence_core.teaching.hinge import at_temperature, exact_changes
from influence_core.teaching.noise import training_noise
from influence_core.teaching.poison import Poisoned, least, poison
from influence_core.teaching.stretch import stretch

__all__ = [
    "Joined",
    "Path",
    "Poisoned",
    "applicable",
    "at_temperature",
    "by_direction",
    "contaminated",
    "damping_agreement",
    "exact_changes",
    "fragile",
    "growing",
    "hinge_curves",
    "joined",
    "lead_without",
    "least",
    "mismatch",
    "most_influential",
    "poison",
    "second_settings",
    "shortcut",
    "smooth",
    "steps",
    "stretch",
    "theta_slope",
    "training_noise",
    "trigger",
    "up_weighted",
]
