"""Lesson 4: leverage; where first order falls short and one Newton step does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.charts.scale import plain
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step, projected

SETTINGS = Settings(DataSettings("diabetes", test_fraction=0.9), ModelSettings("linear", 0.0))
LOGISTIC = Settings(DataSettings("blobs", (("n", 60),), test_fraction=0.2), ModelSettings("logistic", 0.01))


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
    figure = blank(
        "A few training points hold the fit with more than their share",
        "leverage",
        "how far θ̂ moves if the point leaves",
    )
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


def _counts(setting: Setting) -> tuple[int, int, float]:
    fitted = setting.analysis.problem.fitted
    return len(fitted.train), fitted.theta.numel(), float(setting.analysis.leverage.mean())


def _mean_words(setting: Setting) -> str:
    n, p, mean = _counts(setting)
    penalty = "" if setting.settings.model.l2 == 0 else " The penalty takes a little away."
    return (
        f"p/n = {p}/{n} = {p / n:.3g}, and the mean leverage is {mean:.3g}.{penalty} Few data per parameter means "
        f"high leverage."
    )


def _mean(setting: Setting) -> int:
    n, p, mean = _counts(setting)
    return min(range(3), key=lambda k: abs(np.log(mean / (p / n, 1 / n, 1.0)[k])))


def _ratio(setting: Setting, revealed: bool, name: str = "leverage-ratio") -> list[Picture]:
    table = computed.stretch(setting)
    figure = blank(
        "How much farther θ̂ really moves than first order says", "leverage h", "measured ÷ first order",
    )  # fmt: skip
    _points(table, figure, "ratio")
    if revealed:
        h = np.linspace(0, min(0.97, float(table["leverage"].max()) * 1.1), 100)
        figure.add_trace(
            go.Scatter(
                x=h,
                y=1 / (1 - h),
                mode="lines",
                name="1/(1 − h)",
                line={"color": "#E69F00", "width": 3, "dash": "dash"},
            )
        )
    caption = "‖θ̂₋ᵢ − θ̂‖ by refits, divided by ‖H⁻¹gᵢ‖/n. At 1 first order is exact."
    return [Picture(projected(figure), caption, table, name)]


def _worst(setting: Setting) -> tuple[float, float]:
    table = computed.stretch(setting)
    row = table.loc[table["leverage"].idxmax()]
    return float(row["leverage"]), float(row["ratio"])


def _short(setting: Setting) -> int:
    _, ratio = _worst(setting)
    return 0 if ratio > 1.02 else 1 if ratio < 0.98 else 2


def _short_words(setting: Setting) -> str:
    h, ratio = _worst(setting)
    return (
        f"At the largest leverage, h = {h:.2f}, the parameters move {ratio:.2f} times as far as predicted; 1/(1 − "
        f"h) is "
        f"{1 / (1 - h):.2f}. When a point leaves, it takes its own curvature along: the bowl gets flatter, and "
        f"first order keeps "
        "the old one."
    )


def _truth(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.refits.change[:, setting.test]
    return found


def _both(setting: Setting, revealed: bool) -> list[Picture]:
    truth = _truth(setting)
    first, newton = (computed.with_estimator(setting, name) for name in ("influence", "newton"))
    unit = setting.analysis.problem.fitted.model.loss.unit
    pairs = [Pair(truth, first, "first order")] + [Pair(truth, newton, "one-step Newton")] * revealed
    figure = against(
        pairs, "First order and one Newton step against the refits", (f"measured\n{unit}\n{SIGN}", "predicted")
    )
    table = pd.DataFrame(
        {"id": setting.analysis.problem.split.train.ids, "loo": truth, "first": first, "newton": newton}
    )
    caption = f"Change of the loss at test point {setting.test}. Dashed: predicted = measured."
    return [Picture(figure, caption, table, "leverage-newton")]


def _error(setting: Setting) -> tuple[float, float]:
    """Relative error of first order and of the Newton step."""
    truth = _truth(setting)
    errors = [
        float(np.linalg.norm(computed.with_estimator(setting, name) - truth) / np.linalg.norm(truth))
        for name in ("influence", "newton")
    ]
    return errors[0], errors[1]


def _exact(setting: Setting) -> int:
    _, error = _error(setting)
    return 0 if error < 1e-6 else 1 if error < 0.1 else 2


def _exact_words(setting: Setting) -> str:
    first, newton = _error(setting)
    squared = "For squared loss J is a parabola, and one Newton step reaches its bottom. " if newton < 1e-6 else ""
    return (
        f"{squared}Relative error of first order {first:.0%}, of the Newton step {newton:.1g}. It costs no second "
        f"solve: divide by 1 − hᵢ."
    )


def _other() -> Setting:
    return Setting(LOGISTIC, 1)


def _curved_words(setting: Setting) -> str:
    first, newton = _error(_other())
    h, ratio = _worst(_other())
    word = "still falls" if newton < first else "does not fall"
    return (
        f"At h = {h:.2f} the parameters move {ratio:.2f} times as far, the curve says {1 / (1 - h):.2f}: the "
        f"curvature of the *others* changes too. The relative error {word} with one Newton step: "
        f"{first:.0%} before, {newton:.0%} after. The trust line of Explore names the largest leverage."
    )


def _spread() -> float:
    """Root mean square distance of the ratios to the curve, for logistic regression."""
    table = computed.stretch(_other())
    return float(np.sqrt(np.mean((table["ratio"] * (1 - table["leverage"]) - 1) ** 2)))


LEVERAGE = Lesson(
    "Leverage: where first order falls short",
    "When is influence too small, and what repairs it for free?",
    SETTINGS,
    (
        Step(
            "Some points hold the fit",
            "Least squares with few data per parameter. The **leverage** of a point says how much the fit at "
            "that point follows "
            "its own label: 0, not at all; 1, the fit goes through it whatever it says.",
            r"h_i = \tfrac1n\,\ell''_i\; \tilde x_i^{\top} H^{-1} \tilde x_i",
            ("leverage", "curv", "x", "H", "n"),
            "What is the mean leverage of all training points?",
            ("p/n: parameters over points", "1/n", "1"),
            _mean,
            _mean_words,
            _sizes,
        ),
        Step(
            "First order keeps the curvature of a point that is gone",
            "First order solves with H. Without point i the Hessian is $H - H_i/n$, flatter along $\\tilde x_i$. "
            "For squared loss the difference is one factor:",
            r"\begin{aligned}\hat\theta_{-i} - \hat\theta &= \Big(H - \tfrac1n H_i\Big)^{-1} \tfrac1n g_i \\"
            r"&= \frac{1}{1-h_i}\cdot\tfrac1n H^{-1} g_i\end{aligned}",
            ("theta_out", "theta_hat", "H", "Hi", "g", "leverage", "n"),
            "At high leverage, first order says that θ̂ moves",
            ("too little", "too far", "as far as it does"),
            _short,
            _short_words,
            _ratio,
        ),
        Step(
            "One Newton step divides by 1 − h",
            "The same step with the curvature that *stays* is Newton's method on the objective without i. By "
            "Woodbury it needs "
            "no new factorisation:",
            r"\begin{gathered}\delta\theta_i = \frac{H^{-1} g_i}{n\,(1 - h_i)} \\ \mathrm{change}_{ij} \approx "
            r"m_j(\hat\theta + \delta\theta_i) - m_j(\hat\theta)\end{gathered}",
            ("H", "g", "n", "leverage", "m", "change"),
            "How close is it to the refits here?",
            ("Exact to rounding", "Within 10 %", "Worse than that"),
            _exact,
            _exact_words,
            _both,
        ),
        Step(
            "Logistic regression: nearly",
            "Two blobs, logistic regression with hardly any penalty. The curvature of every point now depends on "
            "θ, and θ moves.",
            ask="Do the points still lie on the curve 1/(1 − h)?",
            choices=("On it exactly", "Near it, not on it", "Nowhere near"),
            answer=lambda _setting: 0 if _spread() < 1e-6 else 1 if _spread() < 0.2 else 2,
            reveal=_curved_words,
            draw=lambda _setting, revealed: _ratio(_other(), revealed, "leverage-logistic"),
        ),
    ),
)
