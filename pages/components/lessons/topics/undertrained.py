"""A network that is trained briefly: what influence says at its θ against training it again without each point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import ModelSettings, SolverSettings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import Picture, Setting
from pages.components.session.door import core

PERCEPTRON = (("activation", "tanh"), ("batch_size", 32), ("layers", 1), ("learning_rate", 0.02), ("width", 16))


def network(setting: Setting) -> Setting:
    """The same data with a small network, trained for as many epochs as the slider says.

    Returns:
        The setting.
    """
    options = tuple(sorted((*PERCEPTRON, ("epochs", int(setting.tuned["epochs"])))))
    model = ModelSettings("mlp", core.MODELS["mlp"].l2, options=options)
    settings = replace(setting.settings, model=model, solver=SolverSettings(), quantity="loss", target=-1)
    return Setting(replace(settings, estimator="influence"), setting.test, setting.tuned)


def _again(setting: Setting) -> tuple[np.ndarray, np.ndarray, float]:
    """Predicted and measured changes of the network, NaN where it was not trained again, and σ over other seeds."""
    chosen = network(setting)
    with st.spinner("Training the network again without each point …"):
        refits = chosen.refits
    noise = refits.noise_of([chosen.test])
    assert noise is not None  # a network has it
    return chosen.analysis.scores([chosen.test])[:, 0], refits.change[:, chosen.test], noise


def trained_again(setting: Setting, revealed: bool) -> list[Picture]:
    """Prediction against the runs without each point; once revealed, with the band that other seeds fill.

    Returns:
        One picture.
    """
    scores, measured, noise = _again(setting)
    figure = against(
        [Pair(measured, scores)],
        "A network: prediction against training it again",
        (f"measured, nats\n{SIGN}", "predicted, nats"),
        band=2 * noise * revealed,
    )
    table = pd.DataFrame({"id": setting.analysis.problem.split.train.ids, "predicted": scores, "measured": measured})
    caption = (
        f"{int(np.isfinite(measured).sum())} of {len(measured)} training points, each left out of a run of its own "
        "from the same start in the same order." + " Grey: ±2σ of other seeds." * revealed
    )
    return [Picture(figure, caption, table, "fails-network")]


def _inside(setting: Setting) -> float:
    """Share of the measured changes within ±2σ of what another seed changes."""
    _, measured, noise = _again(setting)
    return float(np.mean(np.abs(measured[np.isfinite(measured)]) <= 2 * noise))


def lost(setting: Setting) -> int:
    """Whether most changes are within the noise of other seeds.

    Returns:
        0 where they are, else 1.
    """
    return 0 if _inside(setting) >= 0.5 else 1


def lost_words(setting: Setting) -> str:
    """How large the noise is, how many changes it hides, and how well influence ranks them.

    Returns:
        Markdown.
    """
    scores, measured, noise = _again(setting)
    known = np.isfinite(measured)
    found = core.agreement(measured[known], scores[known])
    norm = network(setting).analysis.problem.fitted.fit.gradient_norm
    return (
        f"Another seed alone changes this loss by σ = {noise:.2g} nats; {_inside(setting):.0%} of the changes lie "
        f"within ±2σ. r = {found.r}, slope {found.slope}: training stopped at ‖∇J‖ = {norm:.2g}, at no minimum: "
        "Explore's trust line turns amber. Turn the epochs: a longer run ends somewhere else, too."
    )
