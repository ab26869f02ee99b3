"""Lessons: predict, then reveal; and published figures computed again."""

from __future__ import annotations

from pages.components.frame.bootstrap import bootstrap
from pages.components.lessons import page
from pages.components.session.net import guarded

LEAD = "How influence works, step by step; and published figures, computed again."

bootstrap("Lessons", LEAD, teaches=True)
with guarded():
    page.draw()
