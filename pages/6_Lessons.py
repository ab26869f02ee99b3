"""Lessons: predict, then reveal; and published figures computed again."""

from __future__ import annotations

import streamlit as st

from pages.components.frame.bootstrap import bootstrap
from pages.components.lessons import page
from pages.components.session.net import guarded

LEAD = "How influence works, step by step; and published figures, computed again."

bootstrap("Lessons", "" if st.query_params.get("lesson") else LEAD)  # an open lesson needs the height of the screen
with guarded():
    page.draw()
