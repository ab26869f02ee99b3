"""Lessons: published figures that scientists check, and steps that teachers project.  One registry, two faces."""

from __future__ import annotations

from pages.components.lessons.figures import FIGURE_PAGES
from pages.components.lessons.kinds import FigurePage, Lesson

LESSONS: dict[str, Lesson | FigurePage] = {**FIGURE_PAGES}
