"""Makes the small pictures of the overview anew: ``python -m pages.components.lessons.sketches.make [NAME …]``."""

from __future__ import annotations

import sys

import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lessons import LESSONS
from pages.components.lessons.compare import lines
from pages.components.lessons.parts.kinds import FigurePage, Lesson, Setting, Tool
from pages.components.lessons.sketches import HERE
from pages.components.lessons.sketches.svg import drawn
from pages.components.session import cached
from pages.components.session.door import figures, teaching

IRIS = DataSettings("iris", test_fraction=0.2)
STEPS = {
    "derivative": 1,
    "hinge": 0,
    "flips": 0,
    "remove": 1,
    "mismatch": 1,
    "poison": 0,
    "damping": 0,
    "fails": 2,
    "smooth": 1,
    "trigger": 0,
}
PANELS = {"C": 0, "E": 2, "G": 0}
QUICK = {"E": (("draws", 6),), "H": (("seeds", 2), ("data", "digits")), "I": (("tests", 2),), "B": (("runs", 2),)}


def chart(name: str) -> go.Figure:
    """The chart that stands for a lesson with its answer, for a figure or for the comparison."""
    entry = LESSONS[name]
    if isinstance(entry, Lesson):
        setting = Setting(entry.own, entry.test, {item.name: item.default for item in entry.options})
        return entry.steps[STEPS.get(name, len(entry.steps) - 1)].draw(setting, True)[0].figure
    if isinstance(entry, Tool):
        first, second = (cached.analysis(Settings(IRIS, ModelSettings(one, 0.1))) for one in ("logistic", "hinge"))
        return lines(teaching.joined(first, second, 0), ("", "")).figure
    if isinstance(entry, FigurePage):
        found = figures.compute(entry.figure, QUICK.get(entry.figure, ()))
        options = (*figures.FIGURES[entry.figure].options, *entry.options)
        values = {item.name: item.default for item in options}
        return entry.draw(found, values)[PANELS.get(entry.figure, 0)].figure
    raise TypeError(f"Expected a lesson, a figure or a tool, got {name}.")


def main(names: list[str]) -> None:
    """Write the pictures of these lessons, or of all."""
    vars(cached)["drawn"] = lambda _settings: False  # there is no session whose drawings these could be
    for name in names or LESSONS:
        (HERE / f"{name}.svg").write_text(drawn(chart(name)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
