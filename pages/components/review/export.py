"""Exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.review.desk import Desk

if TYPE_CHECKING:
    from pages.components.review.scores import Fit


def export(desk: Desk, fit: Fit) -> None:
    """To be drawn."""
    st.caption(f"Queue {desk.queue.version}, {fit.key}")
