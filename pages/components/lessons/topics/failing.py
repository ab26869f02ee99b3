"""Lesson 8: where influence fails: a network trained too briefly, an unfinished fit, groups, noise of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import SIGN, against, curves, spread
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step, projected
from pages.components.lessons.topics import undertrained
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
EPOCHS = (1, 3, 10, 30, 100)
SIZES = (1, 2, 3, 5, 10, 20, 30, 50, 75, 100)
SEEDS = 8


def trained(setting: Setting, epochs: int) -> Setting:
    """The same problem trained by AdamW for some epochs instead of to the minimum.

    Returns:
        The setting.
    """
    model = setting.settings.model
    known = {item.name for item in core.MODELS[model.name].all_options} & {"t"}
    kept = tuple(pair for pair in model.options if pair[0] in known)
    options = tuple(sorted((*kept, ("batch_size", 32), ("epochs", epochs))))
    settings = replace(setting.settings, model=replace(model, fit="adamw", options=options))
    return Setting(settings, setting.test, setting.tuned)


def _epochs(setting: Setting) -> Setting:
    return trained(setting, int(setting.tuned["epochs"]))


def _shift(setting: Setting) -> tuple[float, float, float]:
    """Mean and spread of the measured changes, and ‖∇J‖ of the fit."""
    short = _epochs(setting)
    measured = short.refits.change[:, short.test]
    return float(np.nanmean(measured)), float(np.nanstd(measured)), short.analysis.problem.fitted.fit.gradient_norm


def _early(setting: Setting, revealed: bool) -> list[Picture]:
    short = _epochs(setting)
    scores, measured = short.analysis.scores([short.test])[:, 0], short.refits.change[:, short.test]
    figure = against(
        [Pair(measured, scores)],
        "After a few epochs: predicted change against refits",
        (f"measured, nats\n{SIGN}", "predicted, nats"),
    )
    if not revealed:
        figure.update_xaxes(showticklabels=False)
    table = pd.DataFrame({"id": short.analysis.problem.split.train.ids, "predicted": scores, "measured": measured})
    caption = (
        f"Trained by AdamW for {int(setting.tuned['epochs'])} epochs; every refit without a point goes to the minimum."
    )
    return [Picture(figure, caption, table, "fails-early")]


def _offset(setting: Setting) -> int:
    mean, spread_of, _ = _shift(setting)
    return 0 if abs(mean) > 3 * spread_of else 1


def _offset_words(setting: Setting) -> str:
    mean, spread_of, norm = _shift(setting)
    return (
        f"On average the measured change is {mean:+.3g} nats, and it differs between points by only "
        f"{spread_of:.2g}. All refits share the way from *this* θ to the minimum, which has nothing to do with point "
        f"i: ‖∇J‖ is {norm:.2g} here, not 0: Explore's trust line turns amber."
    )


def _groups(setting: Setting, order: str, title: str, revealed: bool) -> list[Picture]:
    n = len(setting.analysis.problem.split.train)
    table = computed.growing(setting, order, tuple(size for size in SIZES if size <= n // 3))
    size = table["size"].to_numpy()
    lines = {"sum of single changes": (size, table["first_order"].to_numpy())}
    if revealed:
        lines |= {
            name: (size, table[column].to_numpy())
            for name, column in (("one-step Newton", "newton"), ("real refit", "measured"))
        }
    figure = curves(
        lines,
        title,
        ("training points that leave together", f"change of the loss, nats\n{SIGN}"),
        ("dash", "dot", "solid"),
    )
    caption = f"Test point {setting.test}. Newton uses H − H_S/n; the refit is certified at every size."
    return [Picture(figure, caption, table, f"fails-{order}")]


def _last(setting: Setting, order: str) -> pd.Series:
    n = len(setting.analysis.problem.split.train)
    return computed.growing(setting, order, tuple(size for size in SIZES if size <= n // 3)).iloc[-1]


def _enough(setting: Setting) -> int:
    row = _last(setting, "helpful")
    ratio = row.measured / row.first_order
    return 0 if ratio > 1.5 else 2 if ratio < 0.67 else 1


def _enough_words(setting: Setting) -> str:
    row = _last(setting, "helpful")
    return (
        f"With the {int(row['size'])} most helpful points gone the loss rises by {row.measured:.2f} nats; the sum says "
        f"{row.first_order:.2f}, one Newton step {row.newton:.2f}. Every point that leaves makes the next one "
        f"matter more: together they "
        "held the prediction. The ranking survives longer than the size."
    )


def _noisy(setting: Setting) -> Setting:
    return undertrained.network(setting)


def _runs(setting: Setting) -> pd.DataFrame:
    noisy, row = _noisy(setting), _strongest(setting)
    return computed.noise(noisy.settings.key(), row, setting.test, SEEDS, noisy.settings)


def _strongest(setting: Setting) -> int:
    return int(np.abs(_noisy(setting).analysis.scores([setting.test])[:, 0]).argmax())


def _two_clouds(setting: Setting, revealed: bool) -> list[Picture]:
    table = _runs(setting)
    figure = blank(
        "The same training, with and without one point, under other seeds", "loss at the test point, nats", ""
    )
    for k, (column, name, symbol) in enumerate(
        (("loss_with", "with the point", "circle"), ("loss_without", "without it", "diamond"))
    ):
        figure.add_trace(
            go.Scatter(
                x=table[column], y=k + spread(table[column].to_numpy(), -0.12, 0.12), mode="markers", name=name,
                marker={"symbol": symbol, "size": 13, "color": QUIET, "line": {"width": 1.5, "color": INK}},
                customdata=table["seed"], hovertemplate="seed %{customdata}: %{x:.4g}<extra></extra>",
            )
        )  # fmt: skip
        if revealed:
            figure.add_scatter(
                x=[table[column].mean()], y=[k], mode="markers", showlegend=k == 0, name="mean", hoverinfo="skip",
                marker={"symbol": "line-ns", "size": 50, "line": {"width": 4, "color": INK}},
            )  # fmt: skip
    figure.update_yaxes(tickvals=[0, 1], ticktext=["with", "without"], range=[-0.5, 1.5])
    caption = (
        f"{int(setting.tuned['epochs'])} epochs of training; training point {_strongest(setting)}, the strongest of "
        f"all; {SEEDS} seeds."
    )
    return [Picture(projected(figure, 380), caption, table, "fails-noise")]


def _signal(setting: Setting) -> tuple[float, float]:
    """Mean change over seeds, and its spread from seed to seed."""
    change = _runs(setting)["loss_without"] - _runs(setting)["loss_with"]
    return float(change.mean()), float(change.std(ddof=1))


def _larger(setting: Setting) -> int:
    mean, sd = _signal(setting)
    return 0 if sd > abs(mean) else 1


def _larger_words(setting: Setting) -> str:
    mean, sd = _signal(setting)
    score = float(_noisy(setting).analysis.scores([setting.test])[_strongest(setting), 0])
    needed = int(np.ceil((2 * sd / max(abs(mean), 1e-12)) ** 2))
    return (
        f"The change is {mean:+.2g} on average and varies by ±{sd:.2g} from seed to seed; influence predicts "
        f"{score:+.2g}. To see a mean of that size at two standard errors takes about {needed:,} pairs of runs, and "
        "this is the *strongest* point. Disagreement with one such “truth” is not the fault of influence."
    )


FAILING = Lesson(
    "Where it fails",
    "When should the numbers not be believed, and how does one notice?",
    SETTINGS,
    (
        Step(
            "Try to break it: an under-trained network",
            "A small network, 16 tanh units, trained for a few epochs. Influence is taken at its θ; the truth is "
            "another run, from the same first weights in the same order, **without** the point.",
            ask="How large are these changes beside what another seed alone changes?",
            choices=("Mostly lost in it", "Mostly above it"),
            answer=undertrained.lost,
            reveal=undertrained.lost_words,
            draw=undertrained.trained_again,
            sliders=("epochs",),
        ),
        Step(
            "Why: the way to the minimum",
            "Influence expands around a **minimum** of J. The convex model is stopped after a few epochs of AdamW, "
            "and its refits go to the minimum. Turn the epochs.",
            r"\nabla J(\hat\theta) = 0 \quad\text{(assumed)}",
            ("J", "theta_hat"),
            "What do the measured changes look like?",
            ("All shifted alike, far from zero", "Scattered around the predictions"),
            _offset,
            _offset_words,
            _early,
            ("epochs",),
        ),
        Step(
            "Try to break it: let a group leave",
            "First order **adds**: the change of a group is the sum of its single changes. Take away the most "
            "helpful points of one "
            "prediction, more and more of them, and compare with real refits.",
            r"\sum_{i\in S}\mathrm{change}_{ij} \quad\text{against}\quad \Big(H - \tfrac1n H_S\Big)^{-1}\tfrac1n g_S",
            ("S", "change", "H", "HS", "gS", "n"),
            "For a large group the sum is",
            ("too small", "about right", "too large"),
            _enough,
            _enough_words,
            lambda setting, revealed: _groups(setting, "helpful", "The most helpful points leave together", revealed),
        ),
        Step(
            "Noise: train twice and see",
            "Leave-one-out of a network has a seed: its first weights and the order of the batches. Train with and "
            "without the *strongest* point, under several seeds.",
            ask="Which is larger: the effect of the point, or the seed?",
            choices=("The seed", "The effect of the point"),
            answer=_larger,
            reveal=_larger_words,
            draw=_two_clouds,
            sliders=("epochs",),
        ),
    ),
    options=(Option("epochs", 3, "Epochs of training", 1, 100),),
    stops={"epochs": EPOCHS},
    fits=lambda setting: (
        ""
        if setting.analysis.problem.split.train.classes and setting.settings.model.fit == "newton"
        else ("This lesson trains a classifier by AdamW itself: choose classes and a model fitted by Newton.")
    ),
)
