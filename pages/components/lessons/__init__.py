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
from pages.components.lessons.topics.shortcut import SHORTCUT
from pages.components.lessons.topics.smooth import SMOOTH
from pages.components.lessons.topics.trigger import TRIGGER

# Chapters of the path through the lessons; figures and tools stand beside it.
PATH = {
    "The idea, step by step": ("remove", "derivative", "curvature", "leverage"),
    "The fine print": ("damping", "hinge"),
    "In use, and where it fails": ("flips", "fails", "mismatch", "poison", "fragile", "smooth"),
    "Texts": ("shortcut", "trigger"),
}
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
    "smooth": SMOOTH,
    "shortcut": SHORTCUT,
    "trigger": TRIGGER,
    "compare": COMPARE,
    **FIGURE_PAGES,
}


def number_of(name: str) -> int:
    """Place of a lesson on the path, from 1."""
    return list(LESSONS).index(name) + 1


def following(name: str) -> str:
    """The lesson after this one; empty after the last."""
    path = [one for chapter in PATH.values() for one in chapter]
    return next(iter(path[path.index(name) + 1 :]), "")
