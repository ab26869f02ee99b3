"""Compare two models on the same data and test point: the scores of the same training point in both, joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from influence_core.settings import Option, Settings
from pages.components.charts.base import INK, blank
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.scale import DIVERGING, plain
from pages.components.lessons.compared_points import strongest
from pages.components.lessons.parts.drawing import SIGN
from pages.components.lessons.parts.kinds import Picture, Tool, projected
from pages.components.lessons.parts.shown import pictures, put, replaced, values_of
from pages.components.problem import reading_panel, suit
from pages.components.session import cached, state
from pages.components.session.door import core, teaching
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls
from pages.components.widgets.trust_line import trust_line

if TYPE_CHECKING:
    from influence_core.teaching import Joined

KEEP = -1.0
OPTIONS = (
    Option("second", "", "Second model"),
    Option(
        "l2",
        KEEP,
        "its l2",
        KEEP,
        1e9,
        help="Automatic: that of the first model, or a usual one where only one of the two is a network.",
        empty="automatic",
    ),
)


def settings_of(second: str, l2: float) -> Settings:
    """The chosen problem with the second model."""
    found: Settings = teaching.second_settings(state.settings(), second)
    return found if l2 == KEEP else replace(found, model=replace(found.model, l2=l2))


def _default(offered: list[str]) -> str:
    """Another model than the first where there is one; a network, which has to be trained, comes last."""
    quick = sorted(reversed(offered), key=lambda name: core.MODELS[name].kind.seeded)
    return next((name for name in quick if name != state.settings().model.name), offered[0])


def draw() -> None:
    """Controls, the joined scores, and the strongest points of both side by side."""
    suit.say_once()
    reading_panel.wait(state.settings())
    suit.suit_model(cached.problem(state.settings()).split.train)
    with st.spinner("Fitting the first model …"):
        cached.fit(state.settings())
    controls.exist(cached.problem(state.settings()))
    _loss_only()
    values = values_of(OPTIONS)
    offered = teaching.applicable(cached.analysis(state.settings()))
    second = str(values["second"]) or _default(offered)
    if second not in offered:
        _instead(second, offered)
        second = _default(offered)
    _controls(offered, second, float(values["l2"]))
    state.mirror()
    first, other = state.settings(), settings_of(second, float(values["l2"]))
    with st.spinner("Fitting the second model …"):
        joined = teaching.joined(cached.analysis(first), cached.analysis(other), state.test())
    names = _names(first, other)
    st.markdown(summary(joined, names))
    pictures([lines(joined, names), scatter(joined, names)])
    for column, one, name in zip(st.columns(2, gap="medium"), (first, other), names, strict=True):
        with column:
            st.markdown(f"**{plain_markdown(name)}**")
            trust_line(cached.analysis(one).trust(state.test()))
    strongest(joined, names)


def _loss_only() -> None:
    """Only the loss is a quantity that every pair of models shares."""
    if state.settings().quantity != "loss":
        st.info("Two models are compared by what happens to their loss.", icon=":material/info:")
        state.change(quantity="loss", target=-1)


def _instead(second: str, offered: list[str]) -> None:
    expected = f"Second model: expected one of {', '.join(offered)}, got {second[:40]!r}."
    replaced(f"{expected} {_default(offered)} is used.")


def _controls(offered: list[str], second: str, l2: float) -> None:
    titles = {name: core.MODELS[name].title for name in offered}
    test, one, two, penalty = st.columns([2, 3, 3, 3], vertical_alignment="bottom")
    count = len(cached.problem(state.settings()).split.test)
    with test:
        described = Option("test", 0, f"Test point, 0 to {count - 1}", 0, count - 1)
        controls.value(described, state.test(), "compare.test", lambda value: state.choose_test(int(value)))
    with one:
        current = state.settings().model.name
        controls.choice("First model", offered, current, "compare.first", _take_first, titles=titles)
    with two:
        controls.choice(
            "Second model", offered, second, "compare.second", lambda name: put({"second": name}, OPTIONS),
            titles=titles,
        )  # fmt: skip
    with penalty:
        controls.value(OPTIONS[1], l2, "compare.l2", lambda value: put({"l2": value}, OPTIONS))


def _take_first(name: str) -> None:
    state.put(teaching.second_settings(state.settings(), name))


def _names(first: Settings, second: Settings) -> tuple[str, str]:
    models = core.MODELS
    titles = [f"{models[one.model.name].title}, l2 = {one.model.l2:g}" for one in (first, second)]
    return (f"1: {titles[0]}", f"2: {titles[1]}")


def summary(joined: Joined, names: tuple[str, str]) -> str:
    """How far the two agree, one line of Markdown."""
    found = joined.agreed
    overlap = "undefined" if found.top_k.value is None else f"{found.top_k.value:.0%}"
    return (
        f"**Rank correlation ρ = {found.rho}** · r = {found.r} · same sign "
        f"{'undefined' if found.sign.value is None else f'{found.sign.value:.0%}'} · common among the {found.k} "
        f"strongest {overlap} · "
        f"n = {found.n:,}"
    )


def limits(joined: Joined) -> tuple[float, float]:
    """|score| of the full colour for each model: one limit for both where they share a unit."""
    found = [float(np.percentile(joined.table[name].abs(), 99)) or 1.0 for name in ("first", "second")]
    if joined.units[0] == joined.units[1]:
        found = [max(found)] * 2
    return found[0], found[1]


def lines(joined: Joined, names: tuple[str, str]) -> Picture:
    """Every training point twice, at its place for either model and at the height of its score, joined by a line."""
    table, same = joined.table, joined.places[0] == joined.places[1]
    place = joined.places[0] if same else f"1: {joined.places[0]}\n2: {joined.places[1]}"
    shared, heights = heights_of(joined)
    height = f"score, {joined.units[0]}" if shared else "score ÷ the largest |score| of its model"
    figure = blank("The same training point in both models, joined", place, f"{height}\n{SIGN}")
    figure.update_yaxes(zeroline=True, zerolinecolor=INK)
    gap = np.full(len(table), np.nan)
    ends = [
        np.column_stack([table["place_first"], table["place_second"], gap]).ravel(),
        np.column_stack([*heights, gap]).ravel(),
    ]
    figure.add_trace(
        go.Scatter(
            x=ends[0], y=ends[1], mode="lines", name="the same point", hoverinfo="skip",
            line={"color": INK, "width": 0.6},
        )
    )  # fmt: skip
    for k, look in enumerate(zip(names, ("circle", "diamond"), strict=True)):
        figure.add_trace(_marks(table, ("first", "second")[k], look, heights[k], limits(joined)[k]))
    scale = (
        "Colours share one scale."
        if shared
        else f"Heights and colours are each model's own, because the units differ: {' and '.join(joined.units)}."
    )
    caption = (
        f"Score = predicted change of the test loss if the training point leaves. Circles: first model; diamonds: "
        f"second. {scale}"
    )
    return Picture(projected(figure, 460, -0.25), caption, table, "compare-lines")


def heights_of(joined: Joined) -> tuple[bool, list[np.ndarray]]:
    """Where both models' marks stand: at their scores in one unit, or as shares of the largest where the units differ.

    Returns:
        Whether the unit is shared, and the heights of the first and the second model.
    """
    scores = [joined.table[name].to_numpy() for name in ("first", "second")]
    if joined.units[0] == joined.units[1]:
        return True, scores
    return False, [one / (float(np.abs(one).max()) or 1.0) for one in scores]


def _marks(table: pd.DataFrame, which: str, look: tuple[str, str], height: np.ndarray, limit: float) -> go.Scatter:
    return go.Scatter(
        x=table[f"place_{which}"], y=height, mode="markers", name=plain(look[0]), text=table["id"].map(plain),
        customdata=table[which],
        marker={
            "symbol": look[1], "size": 9, "color": table[which], "colorscale": DIVERGING, "cmin": -limit, "cmax": limit,
            "line": {"width": 0.8, "color": INK},
        },
        hovertemplate="%{text}<br>%{x:.3g}: %{customdata:.3g}<extra></extra>",
    )  # fmt: skip


def scatter(joined: Joined, names: tuple[str, str]) -> Picture:
    """Second score against first, in the colours of where they agree; rings around the strongest of either."""
    table = joined.table
    axes = [f"score of {k}, {unit}\n{SIGN}" for k, unit in enumerate(joined.units, 1)]
    figure = blank("Where the two models disagree", *axes)
    both = np.sign(table["first"]) == np.sign(table["second"])
    for sign, name, colour in (
        (1, "helpful in both", HELPFUL),
        (-1, "harmful in both", HARMFUL),
        (0, "signs differ", INK),
    ):
        rows = ~both if sign == 0 else both & (np.sign(table["first"]) == sign)
        part = table[rows]
        figure.add_trace(
            go.Scatter(
                x=part["first"], y=part["second"], mode="markers", name=f"{name} ({len(part):,})",
                text=part["id"].map(plain), hovertemplate="%{text}<br>1: %{x:.3g}<br>2: %{y:.3g}<extra></extra>",
                marker={"size": 9, "color": colour, "symbol": "x" if sign == 0 else "circle",
                        "line": {"width": 0.8, "color": INK}},
            )
        )  # fmt: skip
    figure.update_xaxes(zeroline=True, zerolinecolor=INK).update_yaxes(zeroline=True, zerolinecolor=INK)
    caption = (
        f"{names[0]} across, {names[1]} upwards. On a straight line through zero both would rank every point alike."
    )
    return Picture(projected(figure, 460, -0.28), caption, table, "compare-scatter")


COMPARE = Tool(
    title="Two models, one question",
    question="Do two models lean on the same training points? Any two models, on the current data and test point.",
    draw=draw,
)
