"""Lessons: published figures that scientists check, and steps that teachers project.  One registry, two faces."""

from __future__ import annotations

from pages.components.lessons.compare import COMPARE
from pages.components.lessons.curvature import CURVATURE
from pages.components.lessons.damping import DAMPING
from pages.components.lessons.derivative import DERIVATIVE
from pages.components.lessons.failing import FAILING
from pages.components.lessons.figures import FIGURE_PAGES
from pages.components.lessons.flips import FLIPS
from pages.components.lessons.hinge import HINGE
from pages.components.lessons.kinds import FigurePage, Lesson, Tool
from pages.components.lessons.leverage import LEVERAGE
from pages.components.lessons.mismatch import MISMATCH
from pages.components.lessons.poison import POISON
from pages.components.lessons.removing import REMOVING

LESSONS: dict[str, Lesson | FigurePage | Tool] = {
    "remove": REMOVING,
    "derivative": DERIVATIVE,
    "curvature": CURVATURE,
    "leverage": LEVERAGE,
    "damping": DAMPING,
    "hinge": HINGE,
    "flips": FLIPS,
    "fails": FAILING,
    "mismatch": MISMATCH,
    "poison": POISON,
    "compare": COMPARE,
    **FIGURE_PAGES,
}
