"""Lesson 6: the temperature of the smoothed hinge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against, curves
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("iris"), ModelSettings("hinge", 2 / 90, options=(("t", 0.01),)))
STOPS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
TRIED = (0.001, 0.01, 0.1, 1.0)  # as the choices say


def _shapes(setting: Setting, revealed: bool) -> list[Picture]:
    t, s = setting.number("t"), np.linspace(-1, 3, 401)
    z = (1 - s) / (t or 1.0)
    smooth = np.maximum(0, 1 - s) if t == 0 else t * np.logaddexp(0, z)
    lines = {"hinge": (s, np.maximum(0, 1 - s)), f"smoothed, t = {t:g}": (s, smooth)}
    bump = np.zeros_like(s) if t == 0 else 1 / (4 * t * np.cosh(np.clip(z / 2, -300, 300)) ** 2)
    title = "The hinge and its rounded corner"
    figure = curves(lines, title, ("margin s = y f", "loss"), ("dot", "solid"))
    if revealed:
        figure.add_scatter(
            x=s, y=bump, name="second derivative of the smoothed hinge", yaxis="y2", mode="lines",
            line={"color": "#009E73", "dash": "dash", "width": 3},
        )  # fmt: skip
        top = float(bump.max()) or 1.0
        axis = dict[str, Any](overlaying="y", side="right", title={"text": "second derivative"}, range=[0, 1.08 * top])
        axis |= {"showgrid": False, "tickvals": [0, top / 2, top], "ticktext": ["0", f"{top / 2:.3g}", f"{top:.3g}"]}
        figure.update_layout(title="Curvature lives in the corner only", yaxis2=axis)
        figure.layout.yaxis.range = [0, 2.16]
    table = pd.DataFrame({"margin": s, "hinge": np.maximum(0, 1 - s), "smoothed": smooth, "second_derivative": bump})
    caption = "At t = 0 both lines are one." + " Dashed, right axis: σ(1 − σ)/t, at most 1/(4t)." * revealed
    return [Picture(projected(figure), caption, table, "hinge-loss")]


def _numbers(t: float, seed: int) -> dict[str, float]:
    """r, slope, how many times too large, and relative error."""
    pairs = computed.hinge(t, seed)
    truth, guess = pairs["loo_loss_change"].to_numpy(), pairs["loss_change"].to_numpy()
    found, size = core.agreement(truth, guess), float(np.linalg.norm(truth))
    return {
        "t": t,
        "r": found.r.value or 0.0,
        "slope": found.slope.value or 0.0,
        "times_as_large": float(np.linalg.norm(guess)) / size,
        "relative_error": float(np.linalg.norm(guess - truth) / size),
    }


def _seed(setting: Setting) -> int:
    return int(setting.tuned["seed"])


def _scatter(setting: Setting, revealed: bool) -> list[Picture]:
    t, seed = setting.number("t"), _seed(setting)
    pairs = computed.hinge(t, seed)
    pair = Pair(pairs["loo_loss_change"].to_numpy(), pairs["loss_change"].to_numpy())
    title = f"t = {t:g}: prediction against refits of the exact hinge"
    figure = against([pair], title, (f"measured with the exact hinge\n{SIGN}", "predicted"))
    found = _numbers(t, seed)
    caption = (
        f"Every pair of one of 90 training and one of 10 test points. r = {found['r']:.2f}, slope "
        f"{found['slope']:.3g}; predictions are {found['times_as_large']:.3g} times as large as the measured changes."
    )
    return [Picture(figure, caption, pairs, "hinge-scatter")]


def _best(setting: Setting) -> AnswerKey:
    found = [_numbers(t, _seed(setting)) for t in TRIED]
    rows = ", ".join(f"{one['relative_error']:.2f} (r = {one['r']:.2f}) at t = {one['t']:g}" for one in found)
    return right(int(np.argmin([one["relative_error"] for one in found])), rows=rows)


def _times(setting: Setting) -> AnswerKey:
    found = _numbers(0.0, _seed(setting))
    times = found["times_as_large"]
    return right(0 if times < 3 else 1 if times < 50 else 2, times=times, r=found["r"], low=found["r"] < 0.5)


def _broken(setting: Setting, revealed: bool) -> list[Picture]:
    return _scatter(Setting(setting.settings, setting.test, {**setting.tuned, "t": 0.0}), revealed)


HINGE = Lesson(
    text=prose.lesson("hinge"),
    settings=SETTINGS,
    steps=(
        Step(draw=_shapes, sliders=("t",)),
        Step(draw=_scatter, answer=_best, sliders=("t", "seed")),
        Step(draw=_broken, answer=_times, sliders=("seed",)),
    ),
    options=(Option("t", 0.1, "Temperature t", 0.0, 1.0), Option("seed", 0, "Seed of the ten test points", 0, 1000)),
    stops={"t": STOPS},
)
