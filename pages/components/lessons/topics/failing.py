"""Lesson 8: where influence fails: a network trained too briefly, an unfinished fit, groups, noise of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against, curves, spread
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.lessons.topics import undertrained
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
EPOCHS = (1, 3, 10, 30, 100)
SIZES = (1, 2, 3, 5, 10, 20, 30, 50, 75, 100)
SEEDS = 8


def trained(setting: Setting) -> Setting:
    """The same problem trained by AdamW for as many epochs as the slider says, instead of to the minimum."""
    model = setting.settings.model
    known = {item.name for item in core.MODELS[model.name].all_options} & {"t"}
    kept = tuple(pair for pair in model.options if pair[0] in known)
    options = tuple(sorted((*kept, ("batch_size", 32), ("epochs", int(setting.tuned["epochs"])))))
    settings = replace(setting.settings, model=replace(model, fit="adamw", options=options))
    return Setting(settings, setting.test, setting.tuned)


def _early(setting: Setting, revealed: bool) -> list[Picture]:
    short = trained(setting)
    title = "After a few epochs: predicted change against refits"
    axes = (f"measured, nats\n{SIGN}", "predicted, nats")
    figure = against([Pair(short.measured, short.scores)], title, axes)
    if not revealed:
        figure.update_xaxes(showticklabels=False)
    columns = {"id": short.split.train.ids, "predicted": short.scores, "measured": short.measured}
    caption = (
        f"Trained by AdamW for {int(setting.tuned['epochs'])} epochs; every refit without a point goes to the minimum."
    )
    return [Picture(figure, caption, pd.DataFrame(columns), "fails-early")]


def _offset(setting: Setting) -> AnswerKey:
    short = trained(setting)
    mean, sd = float(np.nanmean(short.measured)), float(np.nanstd(short.measured))
    norm = short.analysis.problem.fitted.fit.gradient_norm
    return right(0 if abs(mean) > 3 * sd else 1, mean=mean, spread=sd, norm=norm)


def _growing(setting: Setting) -> pd.DataFrame:
    most = len(setting.split.train) // 3
    return computed.growing(setting, tuple(size for size in SIZES if size <= most))


def _groups(setting: Setting, revealed: bool) -> list[Picture]:
    table = _growing(setting)
    named = {"sum of single changes": "first_order"}
    if revealed:
        named |= {"one-step Newton": "newton", "real refit": "measured"}
    figure = curves(
        {name: (table["size"].to_numpy(), table[column].to_numpy()) for name, column in named.items()},
        "The most helpful points leave together",
        ("training points that leave together", f"change of the loss, nats\n{SIGN}"),
        ("dash", "dot", "solid"),
    )
    caption = f"Test point {setting.test}. Newton uses H − H_S/n; the refit is certified at every size."
    return [Picture(figure, caption, table, "fails-helpful")]


def _enough(setting: Setting) -> AnswerKey:
    row = _growing(setting).iloc[-1]
    ratio = row.measured / row.first_order
    return right(0 if ratio > 1.5 else 2 if ratio < 0.67 else 1, **row[["size", "measured", "first_order", "newton"]])


def _runs(setting: Setting) -> pd.DataFrame:
    noisy = undertrained.network(setting)
    return computed.noise(noisy, noisy.strongest, SEEDS)


def _two_clouds(setting: Setting, revealed: bool) -> list[Picture]:
    table = _runs(setting)
    title = "The same training, with and without one point, under other seeds"
    figure = blank(title, "loss at the test point, nats", "")
    kinds = (("loss_with", "with the point", "circle"), ("loss_without", "without it", "diamond"))
    for k, (column, name, symbol) in enumerate(kinds):
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
        f"{int(setting.tuned['epochs'])} epochs of training; training point "
        f"{undertrained.network(setting).strongest}, the strongest of all; {SEEDS} seeds."
    )
    return [Picture(projected(figure, 380), caption, table, "fails-noise")]


def _larger(setting: Setting) -> AnswerKey:
    change = _runs(setting)["loss_without"] - _runs(setting)["loss_with"]
    mean, sd = float(change.mean()), float(change.std(ddof=1))
    noisy = undertrained.network(setting)
    needed = int(np.ceil((2 * sd / max(abs(mean), 1e-12)) ** 2))
    return right(0 if sd > abs(mean) else 1, mean=mean, sd=sd, score=noisy.scores[noisy.strongest], needed=needed)


FAILING = Lesson(
    text=prose.lesson("fails"),
    settings=SETTINGS,
    steps=(
        Step(draw=undertrained.trained_again, answer=undertrained.lost, sliders=("epochs",)),
        Step(draw=_early, answer=_offset, sliders=("epochs",)),
        Step(draw=_groups, answer=_enough),
        Step(draw=_two_clouds, answer=_larger, sliders=("epochs",)),
    ),
    options=(Option("epochs", 3, "Epochs of training", 1, 100),),
    stops={"epochs": EPOCHS},
    fits=lambda setting: (
        ""
        if setting.split.train.classes and setting.settings.model.fit == "newton"
        else "This lesson trains a classifier by AdamW itself: choose classes and a model fitted by Newton."
    ),
)
