"""Lessons: published figures that scientists check, and steps that teachers project.  One registry, two faces."""

from __future__ import annotations

from pages.components.lessons.compare import COMPARE
from pages.components.lessons.figures.pages import FIGURE_PAGES
from pages.components.lessons.parts.kinds import FigurePage, Lesson, Tool
from pages.components.lessons.topics.curvature import CURVATURE
from pages.components.lessons.topics.damping import DAMPING
from pages.components.lessons.topics.derivative import DERIVATIVE
from pages.components.lessons.topics.failing import FAILING
from pages.components.lessons.topics.flips import FLIPS
from pages.components.lessons.topics.fragile import FRAGILE
from pages.components.lessons.topics.hinge import HINGE
from pages.components.lessons.topics.leverage import LEVERAGE
from pages.components.lessons.topics.mismatch import MISMATCH
from pages.components.lessons.topics.poison import POISON
from pages.components.lessons.topics.removing import REMOVING

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
    "fragile": FRAGILE,
    "compare": COMPARE,
    **FIGURE_PAGES,
}
