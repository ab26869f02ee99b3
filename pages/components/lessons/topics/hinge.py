"""Lesson 6: the temperature of the smoothed hinge."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import SIGN, against, curves
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step, projected
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("iris"), ModelSettings("hinge", 2 / 90, options=(("t", 0.01),)))
STOPS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
TRIED = (0.0, 0.001, 0.01, 0.1, 1.0)


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
        axis = {"overlaying": "y", "side": "right", "title": {"text": "second derivative"}, "range": [0, 1.08 * top]}
        axis |= {"showgrid": False, "tickvals": [0, top / 2, top], "ticktext": ["0", f"{top / 2:.3g}", f"{top:.3g}"]}
        figure.update_layout(title="Curvature lives in the corner only", yaxis2=axis)
        figure.layout.yaxis.range = [0, 2.16]
    table = pd.DataFrame({"margin": s, "hinge": np.maximum(0, 1 - s), "smoothed": smooth, "second_derivative": bump})
    caption = "At t = 0 both lines are one." + " Dashed, right axis: σ(1 − σ)/t, at most 1/(4t)." * revealed
    return [Picture(projected(figure), caption, table, "hinge-loss")]


def _numbers(t: float, seed: int = 0) -> tuple[float, float, float, float]:
    """r, slope, how many times too large, and relative error."""
    pairs = computed.hinge(t, seed)
    truth, guess = pairs["loo_loss_change"].to_numpy(), pairs["loss_change"].to_numpy()
    found, size = core.agreement(truth, guess), float(np.linalg.norm(truth))
    error = float(np.linalg.norm(guess - truth) / size)
    return found.r.value or 0.0, found.slope.value or 0.0, float(np.linalg.norm(guess)) / size, error


def _seed(setting: Setting) -> int:
    return int(setting.tuned["seed"])


def _scatter(setting: Setting, revealed: bool) -> list[Picture]:
    t, seed = setting.number("t"), _seed(setting)
    pairs = computed.hinge(t, seed)
    pair = Pair(pairs["loo_loss_change"].to_numpy(), pairs["loss_change"].to_numpy())
    title = f"t = {t:g}: prediction against refits of the exact hinge"
    figure = against([pair], title, (f"measured with the exact hinge\n{SIGN}", "predicted"))
    r, slope, times, _ = _numbers(t, seed)
    caption = (
        f"Every pair of one of 90 training and one of 10 test points. r = {r:.2f}, slope {slope:.3g}; predictions "
        f"are {times:.3g} "
        "times as large as the measured changes."
    )
    return [Picture(figure, caption, pairs, "hinge-scatter")]


def _table(setting: Setting) -> pd.DataFrame:
    rows = [(t, *_numbers(t, _seed(setting))) for t in TRIED]
    return pd.DataFrame(rows, columns=["t", "r", "slope", "times_as_large", "relative_error"])


def _best(setting: Setting) -> int:
    errors = _table(setting).query("t > 0")["relative_error"].to_numpy()
    return int(errors.argmin())


def _best_words(setting: Setting) -> str:
    table = _table(setting).query("t > 0")
    rows = ", ".join(f"{row.relative_error:.2f} (r = {row.r:.2f}) at t = {row.t:g}" for row in table.itertuples())
    return (
        f"Relative error: {rows}. Too sharp, and only a handful of points feel any curvature; too soft, and it is "
        "another loss. Another seed draws other test points: the best t changes too."
    )


def _times(setting: Setting) -> int:
    times = _numbers(0.0, _seed(setting))[2]
    return 0 if times < 3 else 1 if times < 50 else 2


def _times_words(setting: Setting) -> str:
    r, _, times, _ = _numbers(0.0, _seed(setting))
    return (
        f"**{times:.0f} times** too large (r = {r:.2f}). The hinge has no curvature anywhere it can be measured, "
        f"so H is l2 on the "
        "weights and 0 on the intercept, and only a damping δ = l2 makes it invertible: the score is a gradient "
        "dot product over "
        "2·l2. A test that looked at r alone might not even notice."
    )


def _broken(setting: Setting, revealed: bool) -> list[Picture]:
    return _scatter(Setting(setting.settings, setting.test, {**setting.tuned, "t": 0.0}), revealed)


HINGE = Lesson(
    "The hinge and its temperature",
    "How can influence work where there is no second derivative?",
    SETTINGS,
    (
        Step(
            "Rounding the corner",
            "A support vector machine uses the hinge, max(0, 1 − s): straight on both sides of a corner at s = "
            "1. Influence needs "
            "curvature, so the corner is rounded with a **temperature** t. Move it, also to 0.",
            r"\begin{gathered}h_t(s) = t\,\log\!\big(1 + e^{(1-s)/t}\big) \\"
            r"h_t''(s) = \frac{\sigma(1-\sigma)}{t}, \quad \sigma = \sigma\big(\tfrac{1-s}{t}\big)\end{gathered}",
            ("h_t", "s", "t", "sigma"),
            "Where is the second derivative of the hinge itself, t = 0?",
            ("Nowhere: it is 0 on both sides of the corner", "Everywhere: 1/4", "On the left side only"),
            lambda _setting: 0,
            "A point with curvature 0 does not enter H at all. With t > 0 the points near the corner do, with "
            "σ(1 − σ)/t, "
            "a bump of height 1/(4t) and width about t.",
            _shapes,
            ("t",),
        ),
        Step(
            "Which temperature predicts the sharp machine?",
            "Iris, versicolor against virginica. The truth comes from the **exact** hinge: a support vector "
            "machine refitted "
            "without each training point. The prediction comes from the rounded one.",
            ask="Which t has the smallest error?",
            choices=("0.001", "0.01", "0.1", "1"),
            answer=_best,
            reveal=_best_words,
            draw=_scatter,
            sliders=("t", "seed"),
        ),
        Step(
            "Try to break it: t = 0",
            "Without any rounding, the Hessian holds nothing but the penalty:",
            r"\begin{gathered}H = \mathrm{diag}(\lambda, \dots, \lambda, 0) \\"
            r"(H + \delta I)^{-1} \text{ with } \delta = \lambda\end{gathered}",
            ("H", "l2", "damping"),
            "Compared with the refits, the predictions are",
            ("about the right size", "about ten times too large", "hundreds of times too large"),
            _times,
            _times_words,
            _broken,
            ("seed",),
        ),
    ),
    options=(Option("t", 0.1, "Temperature t", 0.0, 1.0), Option("seed", 0, "Seed of the ten test points", 0, 1000)),
    stops={"t": STOPS},
)
