"""Texts in lessons: their words in the colours of their shares, and bars with a name each."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from pages.components.charts.base import blank
from pages.components.charts.field import Floats
from pages.components.charts.scale import plain
from pages.components.lenses import words
from pages.components.lenses.text import texts
from pages.components.lenses.words import Painted
from pages.components.lessons.parts.kinds import Setting, projected
from pages.components.session.words import form_of

if TYPE_CHECKING:
    from influence_core.data import Dataset


def window(data: Dataset, row: int, heading: str, share: Floats | None = None, unit: str = "nats") -> str:
    """What surrounds the strongest words of one of some texts, as HTML, under a heading; a short text whole.

    Args:
        data: texts whose words are the features.
        row: which of them.
        heading: plain text.
        share: (d,) of its words, blue above zero; None leaves it without colours.
        unit: of the shares.
    """
    known = np.asarray(np.zeros(1) if share is None else share, dtype=np.float64)
    told = {data.feature_names[int(k)]: float(known[k]) for k in np.flatnonzero(known)}
    shown = words.window(texts(data)[row], Painted(told, 1, form_of(known, unit)))
    return f"{words.STYLE}<div class='if-said'>{html.escape(heading)}</div>{shown}"


def bars(names: Sequence[str], values: Floats, title: str, axis: str, colours: Sequence[str]) -> go.Figure:
    """One bar across for each name, the first on top."""
    figure = blank(title, axis, "")
    places = np.arange(len(names))
    figure.add_trace(
        go.Bar(
            x=values, y=places, orientation="h", marker={"color": list(colours)}, showlegend=False,
            text=[plain(name) for name in names], textposition="none", hovertemplate="%{text}: %{x:.3g}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(tickvals=places, ticktext=[plain(name) for name in names], autorange="reversed")
    return projected(figure, 110 + 26 * len(names))


def text_classes(setting: Setting) -> str:
    """Why data are no texts of two classes whose words are the features, a sentence; empty where they are."""
    train, fitted = setting.split.train, setting.analysis.problem.fitted
    if train.worded and train.classes == 2 and fitted.kind.closed_form and fitted.model.loss.outputs == 1:
        return ""
    return (
        "This lesson needs texts of two classes with words as features, and one weight for each: choose such a problem."
    )
