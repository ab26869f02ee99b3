"""Explore for data that are never loaded whole: an answer at once from some rows, a complete one from all of them."""

from pages.components.explore.stored.page import page
from pages.components.explore.stored.ready import explores_all

__all__ = ["explores_all", "page"]
