"""Lesson 4: leverage; where first order falls short and one Newton step does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.charts.scale import plain
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right

SETTINGS = Settings(DataSettings("diabetes", test_fraction=0.9), ModelSettings("linear", 0.0))
LOGISTIC = Setting(Settings(DataSettings("blobs", (("n", 60),), test_fraction=0.2), ModelSettings("logistic", 0.01)), 1)


def _points(table: pd.DataFrame, figure: go.Figure, y: str) -> None:
    figure.add_trace(
        go.Scatter(
            x=table["leverage"], y=table[y], mode="markers", name="training points", text=table["id"].map(plain),
            marker={"size": 10, "color": QUIET, "line": {"width": 1, "color": INK}},
            hovertemplate="%{text}<br>leverage %{x:.3f}: %{y:.3g}<extra></extra>",
        )
    )  # fmt: skip


def _sizes(setting: Setting, revealed: bool) -> list[Picture]:
    table = computed.stretch(setting)
    title = "A few training points hold the fit with more than their share"
    figure = blank(title, "leverage", "how far θ̂ moves if the point leaves")
    _points(table, figure, "loo")
    mean = float(table["leverage"].mean())
    if revealed:
        figure.add_vline(mean, line={"color": INK, "dash": "dash", "width": 2})
        figure.add_annotation(x=mean, y=1, yref="y domain", text=f"mean {mean:.3g}", showarrow=False, xanchor="left")
    caption = (
        f"{len(table)} training points; distance in units of θ, measured by refits. Largest leverage "
        f"{table.leverage.max():.2f}."
    )
    return [Picture(projected(figure), caption, table, "leverage-points")]


def _mean(setting: Setting) -> AnswerKey:
    fitted = setting.analysis.problem.fitted
    n, p, mean = len(fitted.train), fitted.theta.numel(), float(setting.analysis.leverage.mean())
    nearest = min(range(3), key=lambda k: abs(np.log(mean / (p / n, 1 / n, 1.0)[k])))
    return right(nearest, n=n, p=p, ratio=p / n, mean=mean, penalty=setting.settings.model.l2 != 0)


def _ratio(setting: Setting, revealed: bool, name: str = "leverage-ratio") -> list[Picture]:
    table = computed.stretch(setting)
    figure = blank("How much farther θ̂ really moves than first order says", "leverage h", "measured ÷ first order")
    _points(table, figure, "ratio")
    if revealed:
        h = np.linspace(0, min(0.97, float(table["leverage"].max()) * 1.1), 100)
        curve = {"color": "#E69F00", "width": 3, "dash": "dash"}
        figure.add_trace(go.Scatter(x=h, y=1 / (1 - h), mode="lines", name="1/(1 − h)", line=curve))
    caption = "‖θ̂₋ᵢ − θ̂‖ by refits, divided by ‖H⁻¹gᵢ‖/n. At 1 first order is exact."
    return [Picture(projected(figure), caption, table, name)]


def _worst(setting: Setting) -> dict[str, float]:
    """The largest leverage with its measured ratio, and what the curve says."""
    table = computed.stretch(setting)
    row = table.iloc[table["leverage"].argmax()]
    h = float(row["leverage"])
    return {"h": h, "ratio": float(row["ratio"]), "curve": 1 / (1 - h)}


def _short(setting: Setting) -> AnswerKey:
    worst = _worst(setting)
    return right(0 if worst["ratio"] > 1.02 else 1 if worst["ratio"] < 0.98 else 2, **worst)


def _both(setting: Setting, revealed: bool) -> list[Picture]:
    truth = setting.measured
    first, newton = (computed.with_estimator(setting, name) for name in ("influence", "newton"))
    unit = setting.analysis.problem.fitted.model.loss.unit
    pairs = [Pair(truth, first, "first order")] + [Pair(truth, newton, "one-step Newton")] * revealed
    title = "First order and one Newton step against the refits"
    figure = against(pairs, title, (f"measured\n{unit}\n{SIGN}", "predicted"))
    table = pd.DataFrame({"id": setting.split.train.ids, "loo": truth, "first": first, "newton": newton})
    caption = f"Change of the loss at test point {setting.test}. Dashed: predicted = measured."
    return [Picture(figure, caption, table, "leverage-newton")]


def _errors(setting: Setting) -> tuple[float, float]:
    """Relative error of first order and of the Newton step."""
    truth = setting.measured
    first, newton = (
        float(np.linalg.norm(computed.with_estimator(setting, name) - truth) / np.linalg.norm(truth))
        for name in ("influence", "newton")
    )
    return first, newton


def _close(setting: Setting) -> AnswerKey:
    first, newton = _errors(setting)
    exact = newton < 1e-6
    return right(0 if exact else 1 if newton < 0.1 else 2, exact=exact, first=first, newton=newton)


def _on_the_curve(_setting: Setting) -> AnswerKey:
    first, newton = _errors(LOGISTIC)
    table = computed.stretch(LOGISTIC)
    distance = float(np.sqrt(np.mean((table["ratio"] * (1 - table["leverage"]) - 1) ** 2)))
    choice = 0 if distance < 1e-6 else 1 if distance < 0.2 else 2
    return right(choice, **_worst(LOGISTIC), falls=newton < first, first=first, newton=newton)


LEVERAGE = Lesson(
    text=prose.lesson("leverage"),
    settings=SETTINGS,
    steps=(
        Step(draw=_sizes, answer=_mean),
        Step(draw=_ratio, answer=_short),
        Step(draw=_both, answer=_close),
        Step(draw=lambda _setting, revealed: _ratio(LOGISTIC, revealed, "leverage-logistic"), answer=_on_the_curve),
    ),
)
