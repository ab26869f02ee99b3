"""What a lesson is made of, what a figure page is made of, and the pictures of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import Option, Settings, Value
from pages.components.lessons.parts.prose import LessonText
from pages.components.session import cached

if TYPE_CHECKING:
    import numpy as np

    from influence_core.analysis import Analysis, Refits
    from influence_core.data import Split
    from influence_core.teaching.figures import Figure

FONT = 16  # pixels inside charts: read from the last row of a lecture hall


@dataclass(frozen=True, eq=False)
class Picture:
    """One chart with what stands below and behind it.

    Attributes:
        figure: its layout title is a sentence.
        caption: plain text.
        table: the numbers.
        name: of the downloaded files, different within a page.
        wide: whether it takes the whole width.
        below: texts under it, as HTML whose user's parts are escaped.
    """

    figure: go.Figure
    caption: str
    table: pd.DataFrame
    name: str
    wide: bool = False
    below: str = ""


@dataclass(frozen=True, eq=False)
class Setting:
    """The problem a lesson is about, and where its sliders stand.

    Attributes:
        settings: of the analysis.
        test: the test point asked about.
        tuned: value of every slider.
    """

    settings: Settings
    test: int
    tuned: Mapping[str, Value] = field(default_factory=dict)

    @cached_property
    def analysis(self) -> Analysis:
        """The analysis, shared by all sessions."""
        return cached.analysis(self.settings)

    @cached_property
    def refits(self) -> Refits:
        """Exact leave-one-out; lessons are small enough."""
        return cached.instant_loo(self.settings)

    @property
    def split(self) -> Split:
        """The data."""
        return self.analysis.problem.split

    @property
    def scores(self) -> np.ndarray:
        """(n,) predicted changes at the test point."""
        found: np.ndarray = self.analysis.scores([self.test])[:, 0]
        return found

    @property
    def measured(self) -> np.ndarray:
        """(n,) exact changes at the test point, NaN where a network was not trained again."""
        found: np.ndarray = self.refits.change[:, self.test]
        return found

    @property
    def strongest(self) -> int:
        """The training point with the largest predicted change."""
        return int(abs(self.scores).argmax())

    def number(self, name: str) -> float:
        """Value of a slider."""
        return float(self.tuned[name])


@dataclass(frozen=True)
class AnswerKey:
    """The right choice, and the numbers of the explanation by their names in its text."""

    choice: int
    numbers: Mapping[str, object]


def right(choice: int, **numbers: object) -> AnswerKey:
    """An answer in one line."""
    return AnswerKey(choice, numbers)


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One step of a lesson beside its words: read, predict, reveal.

    Attributes:
        draw: pictures, given whether the answer is revealed.
        answer: computed for the problem at hand.
        sliders: names of the lesson's options that this step shows.
        answers_first: whether the sliders come with the answer, because they would give it away.
    """

    draw: Callable[[Setting, bool], Sequence[Picture]]
    answer: Callable[[Setting], AnswerKey] = lambda _setting: right(0)
    sliders: tuple[str, ...] = ()
    answers_first: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesson:
    """A lesson: a few steps about one problem.

    Attributes:
        text: its words, as many steps as there are below.
        settings: its own problem, or how the core makes it.
        steps: in order.
        test: its own test point.
        options: sliders, by name.
        stops: values of those sliders that move in steps of their own.
        fits: why another problem cannot be used, a sentence; empty where it can.
    """

    text: LessonText
    settings: Settings | Callable[[], Settings]
    steps: tuple[Step, ...]
    test: int = 0
    options: tuple[Option, ...] = ()
    stops: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    fits: Callable[[Setting], str] = lambda _setting: ""

    @cached_property
    def own(self) -> Settings:
        """Its own problem."""
        return self.settings() if callable(self.settings) else self.settings

    @property
    def title(self) -> str:
        """A sentence or less."""
        return self.text.title

    @property
    def question(self) -> str:
        """What one knows in the end."""
        return self.text.question


@dataclass(frozen=True, eq=False, kw_only=True)
class FigurePage:
    """A published figure, computed again.

    Attributes:
        figure: name in ``FIGURES``.
        question: what it answers, in one line of the list.
        text: Markdown, above the pictures: what is shown.
        notice: below them: what to notice.
        differs: where the source prints something else; empty where it does not.
        draw: its pictures.
        seconds: estimate for the chosen options; above one it is a job with a bar.
        options: of the drawing, not of the computation.
        keeps: whether finished parts are kept, and shown while the others are computed.
    """

    figure: str
    question: str
    text: str
    notice: str
    differs: str
    draw: Callable[[Figure, Mapping[str, Value]], Sequence[Picture]]
    seconds: Callable[[Mapping[str, Value]], float] = lambda _chosen: 0.5
    options: tuple[Option, ...] = ()
    keeps: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Tool:
    """A page of its own kind among the lessons, such as the comparison of two models."""

    title: str
    question: str
    draw: Callable[[], None]


def projected(figure: go.Figure, height: int = 390, legend: float = -0.2) -> go.Figure:
    """The same chart with letters for a projector, and its legend below: long titles leave no room above."""
    figure.update_layout(
        font_size=FONT, legend_font_size=FONT - 1, height=height,
        legend={"orientation": "h", "y": legend, "yanchor": "top", "x": 0, "title": None},
    )  # fmt: skip
    axes: dict[str, Any] = {"title_font_size": FONT, "tickfont_size": FONT - 2}
    figure.update_xaxes(**axes).update_yaxes(**axes)
    return figure.update_annotations(font_size=FONT)
