"""Lesson 12: a training run differentiated, and the runs whose derivative says nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, Option, Settings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against, curves, dot
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.session.door import core, teaching

DATA = Settings(DataSettings("moons", (("n", 80),), test_fraction=0.25))
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ENOUGH = 0.8  # r below which the derivative does not foretell the runs
MOST = 2e5  # numbers in the training points
FIRST = 2  # place of the rate that a failure is compared with


def network(setting: Setting) -> Setting:
    """The small network with tanh at the rate of the slider."""
    settings = teaching.smooth.smooth_settings(setting.settings, "tanh", setting.number("rate"))
    return Setting(settings, setting.test, setting.tuned)


def _first(setting: Setting, revealed: bool) -> list[Picture]:
    chosen = network(setting)
    fitted, measured = computed.with_estimator(chosen, "influence"), chosen.measured
    pairs = [Pair(measured, fitted, "influence at the end of the run")]
    columns = {"id": chosen.split.train.ids, "measured": measured, "influence": fitted}
    if revealed:
        pairs.append(Pair(measured, chosen.scores, "derivative of the run"))
        columns["derivative"] = chosen.scores
    title = "Predicted change against the same run without each point"
    figure = against(pairs, title, (f"measured, nats\n{SIGN}", "predicted, nats"))
    caption = (
        f"tanh, learning rate {setting.number('rate'):g}, test point {setting.test}. Every dot is this very run "
        "without one training point: same start, same order. Dashed: predicted = measured."
    )
    return [Picture(figure, caption, pd.DataFrame(columns), "smooth-run")]


def _closer(setting: Setting) -> AnswerKey:
    chosen = network(setting)
    own, other = (
        core.agreement(chosen.measured, scores)
        for scores in (chosen.scores, computed.with_estimator(chosen, "influence"))
    )
    r, influence = own.r.value or 0.0, other.r.value or 0.0
    return right(0 if r > max(influence, ENOUGH) else 1, r=r, slope=own.slope, influence=influence)


def _table(setting: Setting, activation: str) -> pd.DataFrame:
    return computed.smooth_runs(setting, activation, RATES)


def _curve(setting: Setting, activations: tuple[str, ...], truth: bool) -> list[Picture]:
    lines, tables = {}, []
    for name in activations:
        table = _table(setting, name)
        tables.append(table.assign(activation=name))
        rates = np.log10(table["learning_rate"].to_numpy())
        lines[f"{name}: metasmoothness"] = (rates, table["metasmoothness"].to_numpy())
        if truth:
            lines[f"{name}: r with the runs"] = (rates, table["r"].to_numpy())
    what = " and ".join(activations)
    figure = curves(
        lines,
        f"How smooth the run with {what} is, over its learning rate",
        ("learning rate, log scale", "1 is perfect, 0 is chance"),
        ("dash", "solid", "dot", "dashdot"),
    )
    figure.update_xaxes(tickvals=np.log10(RATES), ticktext=[f"{rate:g}" for rate in RATES])
    if len(activations) == 1:
        rate = setting.number("rate")
        place = int(np.argmin(np.abs(np.array(RATES) - rate)))
        dot(figure, float(np.log10(RATES[place])), float(tables[0]["metasmoothness"][place]), f"rate {RATES[place]:g}")
    caption = "Every mark of the scale is a network of its own, trained from the same start in the same order."
    if truth:
        caption = "r: correlation of the derivative with the same run without each point, median over the test points."
    table = pd.concat(tables, ignore_index=True)
    shown = table if truth else table[["activation", "learning_rate", "metasmoothness"]]
    return [Picture(figure, caption, shown, f"smooth-{'-'.join(activations)}")]


def _fails_from(table: pd.DataFrame) -> float:
    """The smallest rate at which the runs do not bear the derivative out; infinite for none."""
    failing = table[~(table["r"] >= ENOUGH)]
    return float(failing["learning_rate"].min()) if len(failing) else float("inf")


def _from(setting: Setting) -> AnswerKey:
    table = _table(setting, "tanh")
    rate = _fails_from(table)
    low, high = table.iloc[0], table.iloc[-1]
    return right(
        0 if rate <= RATES[FIRST] else 1 if np.isfinite(rate) else 2,
        fails=bool(np.isfinite(rate)), rate=rate if np.isfinite(rate) else RATES[-1],
        low=low.r, smooth=low.metasmoothness, high=high.r, rough=high.metasmoothness,
    )  # fmt: skip


def _kinks(setting: Setting) -> AnswerKey:
    tanh, relu = (_table(setting, name) for name in ("tanh", "relu"))
    first, second = _fails_from(tanh), _fails_from(relu)
    gap = (tanh["metasmoothness"] - relu["metasmoothness"]).fillna(0.0)
    k = int(gap.argmax())
    return right(
        0 if second < first else 1 if second == first else 2,
        rate=RATES[k], tanh=tanh["metasmoothness"][k], relu=relu["metasmoothness"][k],
        r_tanh=tanh["r"][k], r_relu=relu["r"][k],
    )  # fmt: skip


def _fits(setting: Setting) -> str:
    train = setting.split.train
    if train.classes and isinstance(train.x, np.ndarray) and train.x.size <= MOST:
        return ""
    return "This lesson trains small networks again and again: choose a small table or small images with classes."


SMOOTH = Lesson(
    text=prose.lesson("smooth"),
    settings=lambda: teaching.smooth.smooth_settings(DATA, "tanh", 0.1),
    steps=(
        Step(draw=_first, answer=_closer, sliders=("rate",)),
        Step(draw=lambda setting, revealed: _curve(setting, ("tanh",), revealed), answer=_from, sliders=("rate",)),
        Step(
            draw=lambda setting, revealed: _curve(setting, ("tanh", "relu") if revealed else ("tanh",), revealed),
            answer=_kinks,
        ),
    ),
    options=(Option("rate", 0.1, "Learning rate", 0.01, 3.0),),
    stops={"rate": RATES},
    fits=_fits,
)
