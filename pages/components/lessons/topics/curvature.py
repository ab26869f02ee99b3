"""Lesson 3: why H⁻¹; gradient dot product, influence and the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step, projected
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("breast_cancer"), ModelSettings("logistic", 0.01))


def _truth(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.refits.change[:, setting.test]
    return found


def _scores(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Gradient dot products, and first-order influence."""
    return computed.with_estimator(setting, "gradient_dot"), computed.with_estimator(setting, "influence")


def _r(setting: Setting) -> tuple[float, float, float, float]:
    """R and slope of the truth on each."""
    found = [core.agreement(_truth(setting), scores) for scores in _scores(setting)]
    return tuple(value or 0.0 for one in found for value in (one.r.value, one.slope.value))  # type: ignore[return-value]


def _table(setting: Setting) -> pd.DataFrame:
    dot, influence = _scores(setting)
    columns = {"gradient_dot": dot, "influence": influence, "loo": _truth(setting)}
    return pd.DataFrame({"id": setting.analysis.problem.split.train.ids, **columns})


def _panels(setting: Setting, both: bool) -> list[Picture]:
    dot, influence = _scores(setting)
    scale = float(np.abs(_truth(setting)).max() / np.abs(dot).max())
    pairs = [Pair(_truth(setting), dot * scale, "gradient dot product, rescaled")]
    if both:
        pairs.append(Pair(_truth(setting), influence, "influence, as it is"))
    axes = (f"measured by refits, nats\n{SIGN}", "predicted")
    title = "H⁻¹ brings the points onto the line" if both else "Gradients alone: aligned pulls, wrong sizes"
    figure = against(pairs, title, axes)
    caption = (
        f"Gradient dot products are multiplied by {scale:.3g}, so that the largest is as large as the largest "
        f"measured change; "
        "influence is drawn as it comes. Dashed: predicted = measured."
    )
    return [Picture(figure, caption, _table(setting), "curvature-panels")]


def _alone(setting: Setting) -> int:
    return 0 if _r(setting)[0] > 0.9 else 1 if _r(setting)[0] > 0.3 else 2


def _alone_words(setting: Setting) -> str:
    r, slope, _, _ = _r(setting)
    return (
        f"r = {r:.3f}, and the slope of measured on predicted is {slope:.3g}: the sizes mean nothing, because a "
        f"gradient has "
        "another unit than a change of the loss."
    )


def _flips(setting: Setting) -> float:
    dot, influence = _scores(setting)
    return float(np.mean(np.sign(dot) != np.sign(influence)))


def _many(setting: Setting) -> int:
    share = _flips(setting)
    return 0 if share < 0.01 else 1 if share < 0.1 else 2


def _many_words(setting: Setting) -> str:
    *_, r, slope = _r(setting)
    return (
        f"{_flips(setting):.1%} of the training points change from helpful to harmful or back. With H⁻¹ the "
        f"scores reach "
        f"r = {r:.3f} and slope {slope:.2f} against the refits, in nats."
    )


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


def _flat_share(setting: Setting) -> tuple[float, float]:
    """Share of the flatter half of the directions in the dot product and in the influence."""
    table = computed.by_direction(setting, _strongest(setting))
    flat = table.index >= len(table) / 2
    shares = [table[name].abs()[flat].sum() / table[name].abs().sum() for name in ("gradient_dot", "influence")]
    return float(shares[0]), float(shares[1])


def _flatter(setting: Setting) -> int:
    before, after = _flat_share(setting)
    return 0 if after > before else 1


def _flatter_words(setting: Setting) -> str:
    before, after = _flat_share(setting)
    return (
        f"The flatter half of the directions carries {before:.0%} of the dot product and {after:.0%} of the "
        f"influence. Where the "
        "bowl is flat, a small pull moves the parameters far; where it is steep they hardly give way."
    )


CURVATURE = Lesson(
    "Why H⁻¹?",
    "Is it not enough that two gradients point the same way?",
    SETTINGS,
    (
        Step(
            "The simplest idea: do the gradients agree?",
            "Training point i pulls the parameters along its gradient. If that direction also changes the loss "
            "at the test "
            "point, i should matter. The cheapest score is the **gradient dot product**:",
            r"\tfrac1n\, q_j^{\top} g_i",
            ("q", "g", "n"),
            "How well does it match the refits, after rescaling?",
            ("Very well, r above 0.9", "Roughly, r from 0.3 to 0.9", "Hardly"),
            _alone,
            _alone_words,
            lambda setting, _revealed: _panels(setting, False),
        ),
        Step(
            "How far do the parameters give way?",
            "The fit rests at the bottom of a bowl. A pull moves it far along a flat direction and hardly at all "
            "along a steep "
            "one: each part of the pull is divided by the curvature λₖ of its direction. All at once, that is H⁻¹:",
            r"q_j^{\top} H^{-1} g_i = \sum_k \frac{(u_k^{\top} q_j)(u_k^{\top} g_i)}{\lambda_k}",
            ("q", "H", "g", "u_k", "lambda_k"),
            "After dividing, which directions gain weight?",
            ("The flat ones", "The steep ones"),
            _flatter,
            _flatter_words,
            _bars,
        ),
        Step(
            "What it changes",
            "With H⁻¹ the score is a change of the loss in nats and can be laid beside the refits without any "
            "rescaling. It "
            "also decides the *sign*: the pull of a point may look good and still move the fit the wrong way.",
            r"\mathrm{change}_{ij} \approx \tfrac1n\, q_j^{\top} H^{-1} g_i",
            ("change", "q", "H", "g", "n"),
            "How many training points change their sign?",
            ("None or almost none", "A few: 1 to 10 %", "Many: more than 10 %"),
            _many,
            _many_words,
            lambda setting, revealed: _panels(setting, revealed),
        ),
    ),
)
