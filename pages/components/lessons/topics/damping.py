"""Lesson 5: damping and the spectrum of H."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts import solvers
from pages.components.charts.base import INK
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import curves, dot
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.session.door import core
from pages.components.solvers import benches

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
STOPS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
HALF, ASKED = 0.5, 0.1


def _eigenvalues(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.analysis.problem.spectrum.eigenvalues.cpu().numpy()
    return found


def _lost(setting: Setting, damping: float) -> float:
    """Share of the directions that keep less than half of their influence."""
    values = _eigenvalues(setting)
    return float(np.mean(values / (values + damping) < HALF))


def _kept(setting: Setting, revealed: bool) -> list[Picture]:
    values, damping = np.sort(_eigenvalues(setting))[::-1], setting.number("damping")
    rank = np.arange(1, len(values) + 1)
    table = pd.DataFrame({"rank": rank, "eigenvalue": values, "share_kept": values / (values + damping)})
    caption = f"{len(values)} eigenvalues of H from {values.max():.3g} to {values.min():.3g}."
    if not revealed:
        return [Picture(projected(solvers.spectrum(values, damping)), caption, table, "damping-spectrum")]
    lines = {f"δ = {at:g}": (rank.astype(float), values / (values + at)) for at in sorted({ASKED, damping})}
    figure = curves(
        lines,
        "Every direction keeps the share λ/(λ + δ) of its influence",
        ("direction, from the most curved to the flattest", "share kept"),
    )
    figure.add_hline(HALF, line={"color": INK, "dash": "dot", "width": 1.5})
    figure.update_yaxes(range=[0, 1.05])
    caption += f" Dotted: one half. At δ = {damping:g}, {_lost(setting, damping):.0%} of the directions lie below."
    return [Picture(figure, caption, table, "damping-kept")]


def _how_many(setting: Setting) -> AnswerKey:
    values, lost = _eigenvalues(setting), _lost(setting, ASKED)
    choice = 0 if lost < 0.1 else 1 if lost < 0.5 else 2
    return right(choice, lost=lost, largest=values.max(), smallest=values.min())


def _paths(setting: Setting, revealed: bool) -> list[Picture]:
    path = benches.damping_path(setting.settings, setting.test, STOPS)
    if path is None:
        return []
    names = [str(name) for name in setting.split.train.ids[path.rows]]
    figure = solvers.score_paths(path, names, STOPS[_place(setting)], "nats")
    table = pd.DataFrame(
        {"id": names} | {f"delta_{value:g}": path.scores[:, k] for k, value in enumerate(path.dampings)}
    )
    caption = (
        "One line per training point: the ten strongest at the damping of the settings. Blue: helpful. Orange: harmful."
    )
    return [Picture(projected(figure), caption, table, "damping-paths")]


def _place(setting: Setting) -> int:
    """Which stop is nearest to the slider."""
    return int(np.argmin(np.abs(np.array(STOPS) - setting.number("damping"))))


def _agreed(setting: Setting) -> pd.DataFrame:
    return computed.damping_agreement(setting, STOPS)


def _limit(setting: Setting) -> AnswerKey:
    cosine = _agreed(setting).cosine
    return right(0, most=STOPS[-1], cosine=cosine.iloc[-1], undamped=cosine.iloc[0])


def _truth(setting: Setting, revealed: bool) -> list[Picture]:
    table = _agreed(setting)
    # Zero has no place on a logarithmic axis: it stands one step below the smallest.
    places, labelled = solvers.damping_ticks(STOPS)
    lines = {"relative error of the scores": (places, table["relative_error"].to_numpy())}
    if revealed:
        lines["1 − r with exact leave-one-out"] = (places, 1 - table["r"].to_numpy())
    figure = curves(
        lines, "How far the scores are from the refits, over the damping", ("damping δ, log scale", "0 is perfect")
    )
    figure.update_xaxes(tickvals=places[labelled], ticktext=[f"{STOPS[k]:g}" for k in labelled])
    figure.update_yaxes(rangemode="tozero")
    here = _place(setting)
    dot(figure, float(places[here]), float(table["relative_error"].iloc[here]), f"δ = {STOPS[here]:g}")
    caption = "Relative error = ‖predicted − measured‖ / ‖measured‖ over all training points at this test point."
    return [Picture(figure, caption, table, "damping-truth")]


def _best(setting: Setting) -> AnswerKey:
    table = _agreed(setting)
    best, none = table.iloc[table["relative_error"].argmin()], table.iloc[0]
    return right(
        0 if best.damping == 0 else 1 if best.damping < 1 else 2,
        error=none.relative_error,
        slope=none.slope,
        damped=best.damping > 0,
        least=best.relative_error,
        best=best.damping,
    )


DAMPING = Lesson(
    text=prose.lesson("damping"),
    settings=SETTINGS,
    steps=tuple(
        Step(draw=draw, answer=answer, sliders=("damping",))
        for draw, answer in ((_kept, _how_many), (_paths, _limit), (_truth, _best))
    ),
    options=(Option("damping", 0.0, "Damping δ", 0.0, 100.0),),
    stops={"damping": STOPS},
    fits=lambda setting: (
        ""
        if setting.analysis.problem.fitted.theta.numel() <= core.SOLVERS[core.SPECTRAL].limit
        else "The eigendecomposition is not offered for so many parameters: choose a smaller model."
    ),
)
