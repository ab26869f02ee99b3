"""Lesson 2: influence is a derivative, of the path on which one training point is weighed up by ε."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.base import INK
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import curves, dot
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.plane import plane, table_of
from pages.components.lessons.topics.removing import leaving
from pages.components.session.door import teaching

if TYPE_CHECKING:
    from influence_core.teaching import Path

SETTINGS = Settings(DataSettings("blobs", (("n", 100),)), ModelSettings("logistic", 0.01))
STOPS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
AXIS = "ε in units of 1/n"


def _count(setting: Setting) -> int:
    return len(setting.split.train)


def _along(setting: Setting, way: str = "up_weighted") -> Path:
    return computed.path(setting, leaving(setting), way)


def _loss_curve(setting: Setting, title: str, tangent: bool, gateaux: bool = False) -> Picture:
    """L(ε) by refits with the place of the slider; its tangent, and the curve of the mixture, where asked for."""
    n, row, along = _count(setting), leaving(setting), _along(setting)
    x = along.step * n
    lines = {"loss by refits, weighed up by ε": (x, along.loss)}
    table = {"eps_times_n": x, "loss": along.loss, "tangent": along.tangent}
    if tangent:
        lines["tangent at ε = 0: influence"] = (x, along.tangent)
    if gateaux:
        mixed = _along(setting, "contaminated")
        lines["loss by refits, mixture with share h"] = (x, mixed.loss)
        lines["tangent at h = 0: Gâteaux derivative"] = (x, mixed.tangent)
        table |= {"loss_mixture": mixed.loss, "tangent_mixture": mixed.tangent}
    axes = ("ε or h in units of 1/n" if gateaux else AXIS, "loss at the test point, nats")
    figure = curves(lines, title, axes)
    if not gateaux:
        eps = setting.number("eps")
        here = computed.spot(setting, row, eps / n)
        dot(figure, eps, here.loss, f"refit at ε = {eps:g}/n: {here.loss:.4g}".replace("-", "−"))
    figure.add_vline(-1, line={"color": INK, "dash": "dot", "width": 1.5})
    caption = (
        f"Training point {row}, test point {setting.test}. Dotted line: ε = −1/n, where the point has weight "
        f"zero: left out."
    )
    return Picture(figure, caption, pd.DataFrame(table), "derivative-loss" + "-gateaux" * gateaux)


def _weigh(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "The loss at the test point as one training point gains weight", False)]


def _rises(setting: Setting) -> AnswerKey:
    along, (_, change) = _along(setting), _gap(setting)
    slope = along.slope / _count(setting)
    return right(0 if slope < 0 else 1, slope=slope, change=change, helps=change > 0)


def _tangent(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "The tangent at ε = 0, read at ε = −1/n, is the prediction", revealed)]


def _gap(setting: Setting) -> tuple[float, float]:
    """Predicted and measured change of leaving the point out."""
    along = _along(setting)
    return -along.slope / _count(setting), float(along.loss[0] - along.loss[len(along.loss) // 2])


def _over(setting: Setting) -> AnswerKey:
    predicted, truth = _gap(setting)
    size, true_size = abs(predicted), abs(truth)
    choice = 0 if size < 0.98 * true_size else 1 if size > 1.02 * true_size else 2
    return right(choice, predicted=predicted, measured=truth)


def _theta(setting: Setting, revealed: bool) -> list[Picture]:
    along, n, row = _along(setting), _count(setting), leaving(setting)
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


def _first_order(setting: Setting) -> AnswerKey:
    along = _along(setting)
    solved, measured = teaching.theta_slope(setting.analysis, leaving(setting)), _secant(along.step, along.theta)
    error = float(np.linalg.norm(solved - measured) / np.linalg.norm(measured))
    return right(0, solved=solved, measured=measured, error=error)


def _chain(setting: Setting, revealed: bool) -> list[Picture]:
    figure = plane(setting, "Whose weight changes, and where we look", None, [leaving(setting)])
    return [Picture(figure, "Diamond: training point i. Star: test point j.", table_of(setting), "derivative-where")]


def _chain_rule(setting: Setting) -> AnswerKey:
    along, (predicted, _) = _along(setting), _gap(setting)
    by_refits, loss = float(_secant(along.step, along.loss[:, None])[0]), along.loss[len(along.step) // 2]
    return right(0, slope=along.slope, by_refits=by_refits, loss=loss, predicted=predicted)


def _mixture(setting: Setting, revealed: bool) -> list[Picture]:
    return [_loss_curve(setting, "Two ways to weigh a point: add to it, or mix it in", True, gateaux=revealed)]


def _equal(setting: Setting) -> AnswerKey:
    first, second = _along(setting).slope, _along(setting, "contaminated").slope
    return right(0 if abs(first - second) > 1e-6 * abs(first) else 1, by_eps=first, by_h=second)


DERIVATIVE = Lesson(
    text=prose.lesson("derivative"),
    settings=SETTINGS,
    steps=(
        Step(draw=_weigh, answer=_rises, sliders=("eps",)),
        Step(draw=_tangent, answer=_over, sliders=("eps",)),
        Step(draw=_theta, answer=_first_order, sliders=("eps",)),
        Step(draw=_chain, answer=_chain_rule),
        Step(draw=_mixture, answer=_equal),
    ),
    options=(
        Option("train", -1, "Training point", -1, 100_000, empty="the strongest"),
        Option("eps", -1.0, AXIS, -1.0, 3.0),
    ),
    stops={"eps": STOPS},
)
