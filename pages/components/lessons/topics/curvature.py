"""Lesson 3: why H⁻¹; gradient dot product, influence and the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.01))


def _scores(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Gradient dot products, and first-order influence."""
    return computed.with_estimator(setting, "gradient_dot"), computed.with_estimator(setting, "influence")


def _agreed(setting: Setting, scores: np.ndarray) -> tuple[float, float]:
    """r and slope of the truth on the scores."""
    found = core.agreement(setting.measured, scores)
    return found.r.value or 0.0, found.slope.value or 0.0


def _panels(setting: Setting, both: bool) -> list[Picture]:
    (dot, influence), truth = _scores(setting), setting.measured
    scale = float(np.abs(truth).max() / np.abs(dot).max())
    pairs = [Pair(truth, dot * scale, "gradient dot product, rescaled")]
    if both:
        pairs.append(Pair(truth, influence, "influence, as it is"))
    axes = (f"measured by refits, nats\n{SIGN}", "predicted")
    title = "H⁻¹ brings the points onto the line" if both else "Gradients alone: aligned pulls, wrong sizes"
    figure = against(pairs, title, axes)
    caption = (
        f"Gradient dot products are multiplied by {scale:.3g}, so that the largest is as large as the largest "
        "measured change; influence is drawn as it comes. Dashed: predicted = measured."
    )
    columns = {"id": setting.split.train.ids, "gradient_dot": dot, "influence": influence, "loo": truth}
    return [Picture(figure, caption, pd.DataFrame(columns), "curvature-panels")]


def _alone(setting: Setting) -> AnswerKey:
    r, slope = _agreed(setting, _scores(setting)[0])
    return right(0 if r > 0.9 else 1 if r > 0.3 else 2, r=r, slope=slope)


def _signs(setting: Setting) -> AnswerKey:
    dot, influence = _scores(setting)
    share = float(np.mean(np.sign(dot) != np.sign(influence)))
    r, slope = _agreed(setting, influence)
    return right(0 if share < 0.01 else 1 if share < 0.1 else 2, share=share, r=r, slope=slope)


def _strongest(setting: Setting) -> int:
    return int(np.abs(_scores(setting)[1]).argmax())


def _bars(setting: Setting, revealed: bool) -> list[Picture]:
    table = computed.by_direction(setting, _strongest(setting))
    figure = blank(
        "Which directions carry the score of the strongest training point",
        "direction, from the most curved to the flattest",
        "share of the summed |terms|",
        barmode="group",
    )
    kinds = [("gradient_dot", "gradient dot product", INK)] + [("influence", "influence: ÷ λₖ", QUIET)] * revealed
    for column, name, colour in kinds:
        share = table[column].abs() / table[column].abs().sum()
        figure.add_trace(go.Bar(x=np.arange(1, len(table) + 1), y=share, name=name, marker_color=colour))
    caption = (
        f"Training point {_strongest(setting)}, test point {setting.test}. Eigenvectors of H, eigenvalues from "
        f"{table.eigenvalue.max():.3g} to {table.eigenvalue.min():.3g}."
    )
    return [Picture(projected(figure), caption, table, "curvature-directions")]


def _flatter(setting: Setting) -> AnswerKey:
    """Share of the flatter half of the directions in the dot product and in the influence."""
    table = computed.by_direction(setting, _strongest(setting))
    flat = table.index >= len(table) / 2
    before, after = (
        float(table[name].abs()[flat].sum() / table[name].abs().sum()) for name in ("gradient_dot", "influence")
    )
    return right(0 if after > before else 1, before=before, after=after)


CURVATURE = Lesson(
    text=prose.lesson("curvature"),
    settings=SETTINGS,
    steps=(
        Step(draw=lambda setting, _revealed: _panels(setting, False), answer=_alone),
        Step(draw=_bars, answer=_flatter),
        Step(draw=_panels, answer=_signs),
    ),
)
