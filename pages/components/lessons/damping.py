"""Lesson 5: damping and the spectrum of H."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts import solvers
from pages.components.charts.examples import INK
from pages.components.lessons import computed
from pages.components.lessons.drawing import curves, dot
from pages.components.lessons.kinds import Lesson, Picture, Setting, Step, projected
from pages.components.session.door import core
from pages.components.solvers import desks

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
STOPS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
HALF, ASKED = 0.5, 0.1


def _eigenvalues(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.analysis.problem.spectrum.eigenvalues.cpu().numpy()
    return found


def _lost(setting: Setting) -> float:
    """Share of the directions that keep less than half of their influence."""
    values = _eigenvalues(setting)
    return float(np.mean(values / (values + setting.number("damping")) < HALF))


def _kept(setting: Setting, revealed: bool) -> list[Picture]:
    values, damping = np.sort(_eigenvalues(setting))[::-1], setting.number("damping")
    rank = np.arange(1, len(values) + 1)
    lines = {f"δ = {at:g}": (rank, values / (values + at)) for at in sorted({ASKED, damping})}
    figure = curves(
        lines,
        "Every direction keeps the share λ/(λ + δ) of its influence",
        ("direction, from the most curved to the flattest", "share kept"),
    )
    figure.add_hline(HALF, line={"color": INK, "dash": "dot", "width": 1.5})
    figure.update_yaxes(range=[0, 1.05])
    spectrum = solvers.spectrum(values, damping)
    table = pd.DataFrame({"rank": rank, "eigenvalue": values, "share_kept": values / (values + damping)})
    caption = f"{len(values)} eigenvalues of H from {values.max():.3g} to {values.min():.3g}."
    if not revealed:
        return [Picture(projected(spectrum), caption, table, "damping-spectrum")]
    caption += f" Dotted: one half. At δ = {damping:g}, {_lost(setting):.0%} of the directions lie below."
    return [Picture(projected(figure), caption, table, "damping-kept")]


def _how_many(setting: Setting) -> int:
    at = replace_damping(setting, ASKED)
    return 0 if _lost(at) < 0.1 else 1 if _lost(at) < 0.5 else 2


def replace_damping(setting: Setting, damping: float) -> Setting:
    """The same problem with the slider elsewhere.

    Returns:
        The setting.
    """
    return Setting(setting.settings, setting.test, {**setting.tuned, "damping": damping})


def _how_many_words(setting: Setting) -> str:
    values = _eigenvalues(setting)
    return (
        f"At δ = 0.1, {_lost(replace_damping(setting, ASKED)):.0%} of the directions keep less than half: every "
        f"eigenvalue below "
        f"δ is all but switched off. They run from {values.max():.3g} down to {values.min():.3g}. Damping is a "
        f"**low-pass filter**; move the slider."
    )


def _paths(setting: Setting, revealed: bool) -> list[Picture]:
    path = desks.damping_path(setting.settings, setting.test, STOPS)
    if path is None:
        return []
    names = [str(name) for name in setting.analysis.problem.split.train.ids[path.rows]]
    figure = solvers.score_paths(path, names, _nearest(setting), "nats")
    table = pd.DataFrame(
        {"id": names} | {f"delta_{value:g}": path.scores[:, k] for k, value in enumerate(path.dampings)}
    )
    caption = (
        "One line per training point: the ten strongest at the damping of the settings. Blue: helpful. Orange: harmful."
    )
    return [Picture(projected(figure), caption, table, "damping-paths")]


def _nearest(setting: Setting) -> float:
    return min(STOPS, key=lambda value: abs(value - setting.number("damping")))


def _agreed(setting: Setting) -> pd.DataFrame:
    return computed.damping_agreement(setting, STOPS)


def _limit_words(setting: Setting) -> str:
    table = _agreed(setting)
    return (
        f"(H + δI)⁻¹ ≈ I/δ for large δ, so the scores shrink like 1/δ towards the gradient dot product: at δ = "
        f"{STOPS[-1]:g} the "
        f"cosine between the two is {table.cosine.iloc[-1]:.4f}, at δ = 0 it is {table.cosine.iloc[0]:.2f}."
    )


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
    here = int(np.argmin(np.abs(np.array(STOPS) - setting.number("damping"))))
    dot(figure, float(places[here]), float(table["relative_error"].iloc[here]), f"δ = {STOPS[here]:g}")
    caption = "Relative error = ‖predicted − measured‖ / ‖measured‖ over all training points at this test point."
    return [Picture(figure, caption, table, "damping-truth")]


def _best(setting: Setting) -> int:
    best = int(_agreed(setting)["relative_error"].to_numpy().argmin())
    return 0 if STOPS[best] == 0 else 1 if STOPS[best] < 1 else 2


def _best_words(setting: Setting) -> str:
    table = _agreed(setting)
    best = table.loc[table["relative_error"].idxmin()]
    none = table.iloc[0]
    lower = f", {best.relative_error:.0%} at δ = {best.damping:g}" if best.damping else ", more at every δ > 0"
    return (
        f"Error {none.relative_error:.0%} without damping (slope {none.slope:.2f}){lower}. For a convex model at its "
        "minimum, damping only removes information. It is needed where H is singular or indefinite, and for noisy "
        "iterative solvers. The penalty l2 is something else: it moves the fit itself."
    )


DAMPING = Lesson(
    "Damping and the spectrum",
    "What does the little δ in (H + δI)⁻¹ do to an answer?",
    SETTINGS,
    (
        Step(
            "A filter over curvature",
            "Handwritten 3s and 8s, logistic regression. Along the eigenvector $u_k$ of H influence is divided by the "
            "curvature $\\lambda_k$. Damping divides by more:",
            r"\begin{gathered}(H + \delta I)^{-1} = \sum_k \frac{1}{\lambda_k + \delta}\, u_k u_k^{\top} \\"
            r"\text{share kept} = \frac{\lambda_k}{\lambda_k+\delta}\end{gathered}",
            ("H", "damping", "lambda_k", "u_k"),
            "At δ = 0.1, how many directions keep less than half of their influence?",
            ("Fewer than 10 %", "10 to 50 %", "More than half"),
            _how_many,
            _how_many_words,
            _kept,
            ("damping",),
        ),
        Step(
            "What happens to the scores?",
            "One eigendecomposition is enough for every δ: each position of the slider costs two products. Watch "
            "the strongest "
            "ten scores.",
            r"\tfrac1n\, q_j^{\top} (H + \delta I)^{-1} g_i",
            ("q", "H", "damping", "g", "n"),
            "As δ → ∞ the scores turn towards",
            ("the gradient dot product, shrinking", "noise", "the refits"),
            lambda _setting: 0,
            _limit_words,
            _paths,
            ("damping",),
        ),
        Step(
            "Which damping predicts the refits best?",
            "The refits know nothing of damping: they minimise J itself. So there is a truth to compare with, at "
            "every δ.",
            ask="The smallest error is at",
            choices=("δ = 0", "a small δ, below 1", "a large δ, 1 or more"),
            answer=_best,
            reveal=_best_words,
            draw=_truth,
            sliders=("damping",),
        ),
    ),
    options=(Option("damping", 0.0, "Damping δ", 0.0, 100.0),),
    stops={"damping": STOPS},
    fits=lambda setting: (
        ""
        if setting.analysis.problem.fitted.theta.numel() <= core.SOLVERS[core.SPECTRAL].limit
        else "The eigendecomposition is not offered for so many parameters: choose a smaller model."
    ),
)
