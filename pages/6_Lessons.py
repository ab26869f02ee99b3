"""Lessons: predict, then reveal; and published figures computed again."""

from __future__ import annotations

from pages.components.bootstrap import bootstrap, guarded
from pages.components.lessons import page

bootstrap("Lessons", "How influence works, step by step; and published figures, computed again.")
with guarded():
    page.draw()
