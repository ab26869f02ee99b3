"""FIGURE_PAGES: how each published figure is drawn, beside its words in ``text/figures.md``."""

from __future__ import annotations

from typing import Any

from influence_core.settings import Option
from pages.components.lessons.figures import fits, scores, solvers
from pages.components.lessons.parts import prose
from pages.components.lessons.parts.kinds import FigurePage

LIMIT = Option("limit", 99.0, "Full colour at this percentile of |score|", 50.0, 100.0)
SEARCHED = {"digits": 0.4, "mails": 1.2}  # seconds, by data
DRAWN: dict[str, dict[str, Any]] = {
    "A": {"draw": scores.linear_regression},
    "B": {"draw": solvers.ridge, "seconds": lambda chosen: 2.5 * float(chosen["runs"]), "keeps": True},
    "C": {
        "draw": solvers.logistic,
        "seconds": lambda chosen: 8.0 if chosen["images"] == "bundled" else 120.0,
        "keeps": True,
    },
    "D": {"draw": scores.incomplete_scores, "seconds": lambda _chosen: 1.5},
    "E": {"draw": fits.hinge_smoothing, "seconds": lambda chosen: 0.2 * float(chosen["draws"]), "keeps": True},
    "F": {"draw": scores.distances},
    "G": {"draw": fits.blobs, "seconds": lambda _chosen: 3.0, "options": (LIMIT,)},
    "H": {"draw": solvers.flipped_labels, "seconds": lambda chosen: 4.0 * float(chosen["seeds"]), "keeps": True},
    "I": {
        "draw": solvers.shorter_search,
        "seconds": lambda chosen: SEARCHED[str(chosen["data"])] * (5.0 + float(chosen["tests"])),
    },
    "J": {"draw": scores.derivative},
}
WORDS = prose.figures()
FIGURE_PAGES = {
    f"figure-{name.lower()}": FigurePage(figure=name, **(WORDS[name] | drawn)) for name, drawn in DRAWN.items()
}
