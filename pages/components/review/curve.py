"""What checking brings: share of the data checked against flips found and test accuracy, by influence, loss, random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.components.charts.base import INK, blank
from pages.components.charts.scale import plain
from pages.components.review import opening
from pages.components.review.administration import title
from pages.components.review.desk import Desk
from pages.components.session import cached, state
from pages.components.session.door import core, reviewing
from pages.components.widgets import controls, job_panel
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis import Curve, Task
    from influence_core.reviewing import Recipe

SEEDS = (3, 5, 10, 20)
COLOURS = ("#009E73", "#CC79A7", INK)
DASHES, SHAPES = ("solid", "dash", "dot"), ("circle", "square", "x")


def curve(desk: Desk, recipe: Recipe) -> None:
    """The curve as a job; only data whose flips are known have one."""
    st.subheader("What checking brings", anchor=False)
    settings = recipe.settings
    if settings.data.flip_fraction <= 0:
        st.caption(
            "Which labels are wrong is not known for these data, so nobody can draw how many a queue finds. Set a "
            "flipped share on the Data page, and flipped labels stand in."
        )
        return
    left, right = st.columns(2)
    with left:
        offered = [name for name in opening.applicable() if name not in ("loss", "random")]
        chosen = state.view().strategy if state.view().strategy in offered else offered[0]
        titles = {name: title(name) for name in offered}
        controls.choice(
            "Beside loss and random",
            offered,
            chosen,
            "review.curve",
            lambda name: state.look(strategy=name),
            titles=titles,
        )
    seeds = right.selectbox("Seeds: each draws another split and other flips", SEEDS, 1, key="review.seeds")
    work = _work(recipe, chosen, int(seeds))
    found = job_panel.result(work.key)
    if found is None:
        job_panel.panel(work)
        return
    draw(found, chosen)


def _work(recipe: Recipe, signal: str, seeds: int) -> job_panel.Work:
    settings = recipe.settings

    def start(task: Task) -> Curve:
        return core.checking_curve(settings, (signal,), tuple(range(seeds)), task=task)

    return job_panel.Work(
        f"curve:{settings.key('data', 'model', 'solver')}:{signal}:{seeds}",
        "Curve",
        "seeds",
        start,
        seconds=3.0 * seeds * reviewing.seconds(recipe, cached.problem(settings)),
        lead="For every seed: flip labels, fit, check the most suspicious shares, give the flips found their labels "
        "back, refit, and measure the accuracy on the test points.",
        button="Draw the curve",
    )


def draw(found: Curve, signal: str) -> None:
    """Two pictures with their tables."""
    names = [signal, "loss", "random"]
    table = curve_table(found, names)
    at = int(np.argmin(np.abs(found.fractions - 0.1)))
    share, (first, _) = found.fractions[at], core.mean_and_error(found.found[signal])
    second, _ = core.mean_and_error(found.found["loss"])
    words = f"mean ± standard error over {len(found.seeds)} seeds"
    left, right = st.columns(2)
    with left:
        show(
            figure(found, names, found.found, "share of the flips found"),
            f"After checking {share:.0%}: {first[at]:.0%} of the flips by {title(signal).lower()}, {second[at]:.0%} by "
            f"loss; {words}.",
            table,
            "review-curve-found",
        )
    clean = float(found.clean.mean())
    with right:
        show(
            figure(found, names, found.accuracy, "test accuracy after fixing", clean),
            f"Test accuracy when the flips found have got their labels back; {clean:.1%} with all of them; {words}.",
            table,
            "review-curve-accuracy",
        )
    areas = {name: core.mean_and_error(found.auc[name]) for name in names}
    st.caption("AUC: " + ", ".join(f"{title(name)} {mean:.3f} ± {error:.3f}" for name, (mean, error) in areas.items()))


def figure(found: Curve, names: list[str], values: Any, axis: str, clean: float | None = None) -> go.Figure:
    """One line with a band per signal.

    Returns:
        The figure.
    """
    drawn = blank(f"Checking the most suspicious first: {axis}", "share of the training data checked", axis, height=340)
    x = found.fractions
    for name, colour, dash, shape in zip(names, COLOURS, DASHES, SHAPES, strict=True):
        mean, error = core.mean_and_error(values[name])
        ends = np.concatenate([mean + np.nan_to_num(error), (mean - np.nan_to_num(error))[::-1]])
        drawn.add_trace(
            go.Scatter(
                x=np.concatenate([x, x[::-1]]).tolist(),
                y=ends.tolist(),
                fill="toself",
                mode="none",
                fillcolor=faint(colour),
                hoverinfo="skip",
                showlegend=False,
            )  # fmt: skip
        )
        drawn.add_trace(
            go.Scatter(
                x=x.tolist(),
                y=mean.tolist(),
                name=plain(title(name)),
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                marker={"symbol": shape, "size": 7},
                hovertemplate="%{x:.0%} checked: %{y:.3f}<extra>" + plain(title(name)) + "</extra>",
            )  # fmt: skip
        )
    if clean is not None:
        drawn.add_hline(clean, line={"color": INK, "dash": "dash", "width": 1}, annotation_text="all labels right")
    return drawn.update_xaxes(tickformat=".0%").update_yaxes(tickformat=".0%")


def faint(colour: str) -> str:
    """A colour that lets what lies below through.

    Returns:
        CSS.
    """
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def curve_table(found: Curve, names: list[str]) -> pd.DataFrame:
    """The numbers of both pictures.

    Returns:
        One row per share.
    """
    table = pd.DataFrame({"share checked": found.fractions})
    for kind, values in (("flips found", found.found), ("accuracy", found.accuracy)):
        for name in names:
            mean, error = core.mean_and_error(values[name])
            table[f"{kind}, {name}"], table[f"{kind}, {name}, s.e."] = mean, error
    return table
