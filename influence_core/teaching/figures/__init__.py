"""FIGURES: published figures of influence, computed again; each a function of the core that returns data."""

from influence_core.teaching.figures.blobs import perturbation_tensor
from influence_core.teaching.figures.figure import Figure, FigureEntry, Number
from influence_core.teaching.figures.registry import FIGURES, compute

__all__ = ["FIGURES", "Figure", "FigureEntry", "Number", "compute", "perturbation_tensor"]
