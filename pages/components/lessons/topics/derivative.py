"""Lesson 2: influence is a derivative, of the path on which one training point is weighed up by ε."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.base import INK
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import curves, dot
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step
from pages.components.lessons.parts.plane import plane, table_of
from pages.components.lessons.topics.removing import leaving
from pages.components.session.door import teaching

SETTINGS = Settings(DataSettings("blobs", (("n", 100),)), ModelSettings("logistic", 0.01))
STOPS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
AXIS = "ε in units of 1/n"


def _count(setting: Setting) -> int:
    return len(setting.analysis.problem.split.train)


def _loss_curve(setting: Setting, title: str, tangent: bool, gateaux: bool = False) -> Picture:
    """L(ε) by refits with the place of the slider; its tangent, and the curve of the mixture, where asked for."""
    n, row = _count(setting), leaving(setting)
    along = computed.path(setting, row, "up_weighted")
    x = along.step * n
    lines = {"loss by refits, weighed up by ε": (x, along.loss)}
    table = {"eps_times_n": x, "loss": along.loss, "tangent": along.tangent}
    dashes = ["solid"]
    if tangent:
        lines["tangent at ε = 0: influence"] = (x, along.tangent)
        dashes.append("dash")
    if gateaux:
        mixed = computed.path(setting, row, "contaminated")
        lines["loss by refits, mixture with share h"] = (x, mixed.loss)
        lines["tangent at h = 0: Gâteaux derivative"] = (x, mixed.tangent)
        dashes += ["dot", "dashdot"]
        table |= {"loss_mixture": mixed.loss, "tangent_mixture": mixed.tangent}
    figure = curves(
        lines, title, (AXIS if not gateaux else "ε or h in units of 1/n", "loss at the test point, nats"), dashes
    )
    eps = setting.number("eps")
    here = computed.spot(setting, row, eps / n)
    if not gateaux:
        dot(figure, eps, here.loss, f"refit at ε = {eps:g}/n: {here.loss:.4g}")
    figure.add_vline(-1, line={"color": INK, "dash": "dot", "width": 1.5})
    caption = (
        f"Training point {row}, test point {setting.test}. Dotted line: ε = −1/n, where the point has weight "
        f"zero: left out."
    )
    return Picture(figure, caption, pd.DataFrame(table), "derivative-loss" + "-gateaux" * gateaux)


def _weigh(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "The loss at the test point as one training point gains weight", False)]


def _rises(setting: Setting) -> int:
    along = computed.path(setting, leaving(setting), "up_weighted")
    return 0 if along.slope < 0 else 1


def _rises_words(setting: Setting) -> str:
    along, n = computed.path(setting, leaving(setting), "up_weighted"), _count(setting)
    change = float(along.loss[0] - along.loss[len(along.loss) // 2])
    word = "helpful" if change > 0 else "harmful"
    return (
        f"Per 1/n of weight the loss changes by about {along.slope / n:+.3g} nats. With the point left out, at "
        f"the dotted "
        f"line, it has changed by {change:+.3g}: the point is **{word}**, and what helps when it is gone hurts as "
        f"it grows."
    )


def _tangent(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "The tangent at ε = 0, read at ε = −1/n, is the prediction", revealed)]


def _gap(setting: Setting) -> tuple[float, float]:
    """Predicted and measured change of leaving the point out."""
    along, n = computed.path(setting, leaving(setting), "up_weighted"), _count(setting)
    return -along.slope / n, float(along.loss[0] - along.loss[len(along.loss) // 2])


def _over(setting: Setting) -> int:
    predicted, truth = _gap(setting)
    return 0 if abs(predicted) < 0.98 * abs(truth) else 1 if abs(predicted) > 1.02 * abs(truth) else 2


def _over_words(setting: Setting) -> str:
    predicted, truth = _gap(setting)
    return (
        f"Predicted {predicted:+.4g}, measured {truth:+.4g} nats. The tangent touches the curve at 0 and is read "
        f"off at "
        "−1/n, so what is lost is of the order 1/n²: the more data, the better."
    )


def _theta(setting: Setting, revealed: bool) -> list[Picture]:
    along, n, row = computed.path(setting, leaving(setting), "up_weighted"), _count(setting), leaving(setting)
    middle = len(along.step) // 2
    direction = teaching.theta_slope(setting.analysis, row)
    ends = along.theta[middle] + along.step[[0, -1], None] * direction
    lines = {"path of the fitted parameters": (along.theta[:, 0], along.theta[:, 1])}
    if revealed:
        lines["tangent −H⁻¹gᵢ"] = (ends[:, 0], ends[:, 1])
    figure = curves(lines, "θ̂(ε) moves along a smooth path", ("first weight θ₁", "second weight θ₂"))
    eps = setting.number("eps")
    here = computed.spot(setting, row, eps / n)
    dot(figure, float(here.theta[0]), float(here.theta[1]), f"ε = {eps:g}/n".replace("-", "−"))
    figure.add_annotation(
        x=along.theta[middle, 0], y=along.theta[middle, 1], text="θ̂ at ε = 0", arrowhead=2, ax=50, ay=-45
    )
    table = pd.DataFrame(along.theta, columns=[f"theta{k + 1}" for k in range(along.theta.shape[1])])
    table.insert(0, "eps_times_n", along.step * n)
    caption = "Each point of the path is a refit with training point i weighed up by ε, from −1/n to 3/n."
    return [Picture(figure, caption, table, "derivative-theta")]


def _secant(step: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Derivative at step 0 by refits on both sides, whose steps are unequal; (k, p) to (p,)."""
    k = len(step) // 2
    before, after = step[k] - step[k - 1], step[k + 1] - step[k]
    back, ahead = (values[k] - values[k - 1]) / before, (values[k + 1] - values[k]) / after
    found: np.ndarray = (back * after + ahead * before) / (before + after)
    return found


def _first_order(setting: Setting) -> str:
    along = computed.path(setting, leaving(setting), "up_weighted")
    solved = teaching.theta_slope(setting.analysis, leaving(setting))
    measured = _secant(along.step, along.theta)
    error = float(np.linalg.norm(solved - measured) / np.linalg.norm(measured))
    return (
        f"Solved from the formula: dθ̂/dε = ({', '.join(f'{v:+.4g}' for v in solved)}). From refits on both sides "
        f"of 0: "
        f"({', '.join(f'{v:+.4g}' for v in measured)}); they differ by {error:.1g} of its length."
    )


def _chain(setting: Setting, revealed: bool) -> list[Picture]:
    row = leaving(setting)
    figure = plane(setting, "Whose weight changes, and where we look", None, [row])
    return [Picture(figure, "Diamond: training point i. Star: test point j.", table_of(setting), "derivative-where")]


def _chain_words(setting: Setting) -> str:
    along, (predicted, _) = computed.path(setting, leaving(setting), "up_weighted"), _gap(setting)
    k = len(along.step) // 2
    by_refits = float(_secant(along.step, along.loss[:, None])[0])
    return (
        f"dm_j/dε is {along.slope:+.4g} by the formula and {by_refits:+.4g} by refits on both sides of ε = 0 (loss "
        f"{along.loss[k]:.4g} there). Times −1/n: predicted change {predicted:+.4g} nats."
    )


def _mixture(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "Two ways to weigh a point: add to it, or mix it in", True, gateaux=revealed)]


def _slopes(setting: Setting) -> tuple[float, float]:
    row = leaving(setting)
    return computed.path(setting, row, "up_weighted").slope, computed.path(setting, row, "contaminated").slope


def _agree(setting: Setting) -> int:
    first, second = _slopes(setting)
    return 0 if abs(first - second) > 1e-6 * abs(first) else 1


def _agree_words(setting: Setting) -> str:
    first, second = _slopes(setting)
    return (
        f"Slope by ε {first:+.4g}, by h {second:+.4g}. The mixture also takes weight 1 − h from everybody else, "
        f"which adds "
        r"$q_j^\top H^{-1}\bar g$. At the minimum $\bar g = -\lambda\,\hat\theta$ (the intercept aside), so "
        r"without a penalty both "
        "are one number: Hampel's **influence function** of statistics. "
        "And h = −1/n leaves the point a weight of 1/n times 1/n, not 0: removal up to o(1/n)."
    )


SYMBOLS_J = ("J", "loss", "n", "l2", "theta", "eps", "theta_eps")
DERIVATIVE = Lesson(
    "Influence is a derivative",
    "Where does the formula come from, step by step?",
    SETTINGS,
    (
        Step(
            "Weigh one training point up by ε",
            "Add a little extra weight ε on training point i to the objective and fit again. At ε = 0 nothing "
            "changes; at "
            "**ε = −1/n** the point's own 1/n is cancelled: it is left out. Move the slider: every position is a "
            "refit.",
            r"\hat\theta(\varepsilon) = \arg\min_\theta\; \underbrace{\tfrac1n\textstyle\sum_k \ell_k(\theta) + "
            r"\tfrac{\lambda}{2}\|\theta\|^2}_{J(\theta)} + \varepsilon\,\ell_i(\theta)",
            SYMBOLS_J,
            "The star's loss as the point gains weight (to the right):",
            ("It falls: the point helps", "It rises: the point harms"),
            _rises,
            _rises_words,
            _weigh,
            ("eps",),
        ),
        Step(
            "A curve and its tangent",
            "Leave-one-out reads the curve at ε = −1/n: one refit per training point. If only the **slope at 0** "
            "were known, "
            "the tangent could be read there instead:",
            r"m_j(\hat\theta_{-i}) - m_j(\hat\theta) \;\approx\; -\tfrac1n \left.\frac{d\,m_j(\hat\theta(\varepsilon))}"
            r"{d\varepsilon}\right|_{\varepsilon=0}",
            ("m", "theta_out", "theta_hat", "theta_eps", "n", "eps"),
            "Compared with the curve at −1/n, the tangent says",
            ("too little change", "too much change", "the same within 2 %"),
            _over,
            _over_words,
            _tangent,
            ("eps",),
        ),
        Step(
            "The parameters give way: one Taylor step",
            r"At the minimum the gradient vanishes for every ε: $\nabla J(\hat\theta(\varepsilon)) + "
            r"\varepsilon\,g_i(\hat\theta("
            r"\varepsilon)) = 0$. Expand to first order about $\hat\theta$, where $\nabla J(\hat\theta) = 0$: "
            r"$H\,(\hat\theta(\varepsilon)-\hat\theta) + \varepsilon\,g_i \approx 0$, and so",
            r"\left.\frac{d\hat\theta}{d\varepsilon}\right|_{0} = -H^{-1} g_i",
            ("theta_eps", "J", "H", "g", "eps", "theta_hat"),
            "Why does the path leave its tangent as ε grows?",
            ("H and the gradient change along the way", "The refits are not exact", "The data change"),
            lambda _setting: 0,
            _first_order,
            _theta,
            ("eps",),
        ),
        Step(
            "From the parameters to the loss",
            "The chain rule carries the change of θ̂ to whatever is watched; ε = −1/n turns weighing up into removing. "
            "That is the formula of this app:",
            r"\begin{gathered}\frac{d\,m_j}{d\varepsilon}\Big|_0 = -\,q_j^{\top}H^{-1}g_i \quad\text{and so} \\"
            r"\mathrm{change}_{ij} \approx \tfrac1n\, q_j^{\top} H^{-1} g_i\end{gathered}",
            ("m", "q", "H", "g", "n", "change"),
            "The sign of the last formula is + because",
            ("removing is ε = −1/n, and two minus signs cancel", "losses are positive", "H is positive definite"),
            lambda _setting: 0,
            _chain_words,
            _chain,
        ),
        Step(
            "The same as a Gâteaux derivative",
            "Statistics sees θ̂ as a function of a **distribution**. Mix a share h of a point mass at z into the "
            "empirical "
            "distribution F and differentiate by h:",
            r"\left.\frac{d}{dh}\,\theta\big((1-h)F + h\,\delta_{z}\big)\right|_{h=0} = -H^{-1}(g_i - \bar g)",
            ("h_step", "F", "delta_z", "H", "g", "g_bar"),
            "With a penalty (l2 > 0), are the two slopes equal?",
            ("No, they differ", "Yes, exactly"),
            _agree,
            _agree_words,
            _mixture,
        ),
    ),
    options=(
        Option("train", -1, "Training point (−1: the strongest)", -1, 100_000),
        Option("eps", -1.0, AXIS, -1.0, 3.0),
    ),
    stops={"eps": STOPS},
)
