"""What pages ask about the examples of one kind, whatever that kind is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.browser.gallery import Sprite, sprite
from pages.components.browser.strips import Captions, OnMap, Strip
from pages.components.session.words import Form

if TYPE_CHECKING:
    from influence_core.analysis import Why
    from influence_core.data import Dataset, Scaling, Split
    from influence_core.data.columns import SourceColumn

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure, and what its caption has to say of it."""

    figure: go.Figure
    words: str = ""


@dataclass(frozen=True, eq=False)
class Strongest:
    """The examples that matter most to one of them, or to which it matters most.

    Attributes:
        data: the examples that are listed.
        asked: the one that they matter to, alone.
        captions: a short text for the number of each that is shown.
        content: which of them, and how much.
        pick: called with the number of a clicked one.
        key: of the element.
        tables: lists them for a kind that has no strip.
        tiles: their pictures where they are not made of ``data``: those that a map on the same page has already, or
            others in the order of the asked one, the helpful and the harmful.
    """

    data: Dataset
    asked: Dataset
    captions: Captions
    content: Strip
    pick: Callable[[int], None]
    key: str
    tables: Callable[[], None]
    tiles: OnMap | Sprite | None = None


@dataclass(frozen=True, eq=False)
class Reason:
    """A training point and what it is asked about, with the reasons for its score.

    Attributes:
        split: where both come from.
        why: the score as a sum.
        test: the one test point asked about; None for several.
        asked: what the column of the test point is called.
        sign: −1 where a fall is helpful, so that blue stays helpful.
        ends: what the negative and the positive shares mean.
        form: how the score and its shares are written.
        word: of the test text, by which the training texts are sorted; empty for none.
        pick: called with another one, where words can be chosen.
    """

    split: Split
    why: Why
    test: int | None
    asked: str
    sign: int
    ends: tuple[str, str]
    form: Form
    word: str = ""
    pick: Callable[[str], None] | None = None

    @cached_property
    def source(self) -> tuple[Floats, Floats | None]:
        """Features of both in the unit of the source."""
        rows = [self.split.train.x[self.why.row]] + ([] if self.test is None else [self.split.test.x[self.test]])
        mine, *asked = self.split.scaling.invert(np.stack(rows))
        return mine, asked[0] if asked else None

    @cached_property
    def spread(self) -> Floats:
        """(d,) standard deviations in the unit of the source."""
        found: Floats = self.split.train.x.std(0) * self.split.scaling.scale
        return found


@dataclass(frozen=True, kw_only=True)
class Lens:
    """One kind of example.  What has a default is what a kind can do without.

    Attributes:
        hover: (examples, labels before flipping or None) to one line for each.
        cells: (examples, scaling, columns of the source, or so many features) to what stands for each in a table.
        full: (split, training row, name, given label): draws the example as large as one needs to decide.
        why: draws why a training point matters to what is asked about.
        perturbation: (change per feature, examples, row, unit) to the picture of a perturbation.
        strongest: draws the examples that matter most.
        pictures: thumbnails on the map and in galleries, (n, h, w) or (n, h, w, 3); None for a kind without.
        small: (examples, row, words, pixels) to HTML for a place of a few pixels.
        weights: ((K, d) weights, K names, examples, "per …") to a picture of all; None where bars show one output each.
        first: the feature whose distribution is shown unasked.
        tabular: whether the columns of the source are what a person reads of an example: they are told on hover.
    """

    hover: Callable[[Dataset, NDArray[Any] | None], list[str]]
    cells: Callable[[Dataset, Scaling, int | Sequence[SourceColumn]], pd.DataFrame]
    full: Callable[[Split, int, str, str], None]
    perturbation: Callable[[Floats, Dataset, int, str], Drawn]
    why: Callable[[Reason], None]
    strongest: Callable[[Strongest], None] = lambda points: points.tables()
    pictures: Callable[[Dataset], Pictures | None] = lambda _data: None
    small: Callable[[Dataset, int, str, int], str] = lambda *_: ""
    weights: Callable[[Floats, list[str], Dataset, str], Drawn | None] = lambda *_: None
    first: Callable[[Dataset], int] = lambda _data: 0
    tabular: bool = False

    def sheet(self, *parts: Dataset, columns: int = 40) -> Sprite | None:
        """Thumbnails of some examples on one picture.

        Returns:
            None for a kind without thumbnails.
        """
        found = [images for part in parts if (images := self.pictures(part)) is not None]
        return sprite(np.concatenate(found), columns) if found else None

    def beside(
        self, frame: pd.DataFrame, data: Dataset, scaling: Scaling, columns: int | Sequence[SourceColumn] = 0
    ) -> pd.DataFrame:
        """A table with the cells of its examples; a column that is there already keeps its name."""
        cells = self.cells(data, scaling, columns).set_index(frame.index)
        return pd.concat([frame, cells], axis=1).loc[:, lambda joined: ~joined.columns.duplicated()]
