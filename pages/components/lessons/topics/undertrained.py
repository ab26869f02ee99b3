"""A network that is trained briefly: what influence says at its θ against training it again without each point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import ModelSettings, Options, SolverSettings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import AnswerKey, Picture, Setting, right
from pages.components.session.door import core

SMALL: Options = (("activation", "tanh"), ("batch_size", 32), ("layers", 1), ("learning_rate", 0.02), ("width", 16))


def network(setting: Setting) -> Setting:
    """The same data with a small network, trained for as many epochs as the slider says."""
    options = tuple(sorted((*SMALL, ("epochs", int(setting.tuned["epochs"])))))
    model = ModelSettings("mlp", core.MODELS["mlp"].l2, options=options)
    settings = replace(setting.settings, model=model, solver=SolverSettings(), quantity="loss", target=-1)
    return Setting(replace(settings, estimator="influence"), setting.test, setting.tuned)


def _again(setting: Setting) -> tuple[Setting, float]:
    """The network, trained again without some points, and σ over other seeds."""
    chosen = network(setting)
    with st.spinner("Training the network again without each point …"):
        noise = chosen.refits.noise_of([chosen.test])
    assert noise is not None  # a network has it
    return chosen, noise


def trained_again(setting: Setting, revealed: bool) -> list[Picture]:
    """Prediction against the runs without each point; once revealed, with the band that other seeds fill."""
    chosen, noise = _again(setting)
    scores, measured = chosen.scores, chosen.measured
    title = "A network: prediction against training it again"
    axes = (f"measured, nats\n{SIGN}", "predicted, nats")
    figure = against([Pair(measured, scores)], title, axes, band=2 * noise * revealed)
    table = pd.DataFrame({"id": setting.split.train.ids, "predicted": scores, "measured": measured})
    caption = (
        f"{int(np.isfinite(measured).sum())} of {len(measured)} training points, each left out of a run of its own "
        "from the same start in the same order." + " Grey: ±2σ of other seeds." * revealed
    )
    return [Picture(figure, caption, table, "fails-network")]


def lost(setting: Setting) -> AnswerKey:
    """How large the noise of other seeds is, which share of the changes it hides, and how well influence ranks them."""
    chosen, noise = _again(setting)
    known = np.isfinite(chosen.measured)
    measured = chosen.measured[known]
    found, inside = core.agreement(measured, chosen.scores[known]), float(np.mean(np.abs(measured) <= 2 * noise))
    norm = chosen.analysis.problem.fitted.fit.gradient_norm
    choice = 0 if inside >= 0.5 else 1
    return right(choice, noise=noise, inside=inside, r=found.r, slope=found.slope, norm=norm)
