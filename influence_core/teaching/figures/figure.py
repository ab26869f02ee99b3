"""What a reproduced figure is: tables to draw, and numbers beside the printed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from influence_core.compute import Task
from influence_core.settings import Option, Settings, Value

Chosen = Mapping[str, Value]


@dataclass(frozen=True)
class Number:
    """One number of a figure.

    Attributes:
        words: what it is, with its unit.
        ours: as computed here.
        printed: as published; NaN where nothing was.
        why: one sentence on the difference, where there is one.
    """

    words: str
    ours: float
    printed: float = math.nan
    why: str = ""

    @property
    def difference(self) -> float:
        """Ours minus printed; NaN where nothing was printed."""
        return self.ours - self.printed


@dataclass(frozen=True, eq=False)
class Figure:
    """A computed figure: named tables, one row per mark, and numbers."""

    tables: Mapping[str, pd.DataFrame]
    numbers: tuple[Number, ...]

    def number(self, words: str) -> Number:
        """The number whose words begin with ``words``.

        Raises:
            KeyError: there is none, or more than one.
        """
        found = [number for number in self.numbers if number.words.startswith(words)]
        if len(found) != 1:
            raise KeyError(f"Expected one number that begins with {words!r}, found {len(found)}.")
        return found[0]


@dataclass(frozen=True, kw_only=True)
class FigureEntry:
    """One entry of ``FIGURES``.

    Attributes:
        title: a sentence.
        source: where the original is.
        settings: the state of Explore that shows the same problem; None where several are compared.
        asked: the same for chosen options, where they name another problem; None where they do not.
        run: (options, task) to the figure; ticks, and stops when cancelled.
        options: what can be chosen.
    """

    title: str
    source: str
    run: Callable[[Chosen, Task], Figure]
    options: tuple[Option, ...] = ()
    settings: Settings | None = None
    asked: Callable[[Chosen], Settings] | None = None
