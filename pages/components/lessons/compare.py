"""Compare two models on the same data and test point: the scores of the same training point in both, joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from influence_core.settings import Option, Settings
from pages.components import cached, controls, scene, state, suit
from pages.components.charts import INK, blank
from pages.components.influence_map import plain
from pages.components.lessons import figure_view
from pages.components.lessons.drawing import DIVERGING, HARMFUL, HELPFUL, SIGN, words
from pages.components.lessons.kinds import Picture, Tool, projected
from pages.components.lessons.tuning import tuned
from pages.components.strips import Strip, strip
from pages.components.trust_line import trust_line
from pages.components.words import signed

if TYPE_CHECKING:
    from influence_core.lessons import Joined

KEEP = -1.0
OPTIONS = (
    Option("second", "", "Second model"),
    Option(
        "l2",
        KEEP,
        "its l2 (−1: automatic)",
        KEEP,
        1e9,
        help="Automatic: that of the first model, or a usual one where only one of the two is a network.",
    ),
)
TOP = 6


def settings_of(second: str, l2: float) -> Settings:
    """The chosen problem with the second model.

    Returns:
        The settings.
    """
    found: Settings = cached.lessons().second_settings(state.settings(), second)
    return found if l2 == KEEP else replace(found, model=replace(found.model, l2=l2))


def _default(offered: list[str]) -> str:
    """Another model than the first where there is one; a network, which has to be trained, comes last."""
    quick = sorted(reversed(offered), key=lambda name: cached.core().MODELS[name].network)
    return next((name for name in quick if name != state.settings().model.name), offered[0])


def draw() -> None:
    """Controls, the joined scores, and the strongest points of both side by side."""
    suit.say_once()
    suit.suit_model(cached.problem(state.settings()).split.train)
    with st.spinner("Fitting the first model …"):
        cached.fit(state.settings())
    controls.exist(cached.problem(state.settings()).split)
    _loss_only()
    values, problems = tuned(state.view().tune, OPTIONS)
    for sentence in problems:
        st.warning(controls.plain_markdown(sentence), icon=":material/link_off:")
    offered = cached.lessons().applicable(cached.analysis(state.settings()))
    second = str(values["second"]) or _default(offered)
    if second not in offered:
        _instead(second, offered)
        second = _default(offered)
    _controls(offered, second, float(values["l2"]))
    state.mirror()
    first, other = state.settings(), settings_of(second, float(values["l2"]))
    with st.spinner("Fitting the second model …"):
        joined = cached.lessons().joined(cached.analysis(first), cached.analysis(other), state.test())
    names = _names(first, other)
    st.markdown(summary(joined, names))
    figure_view.pictures([lines(joined, names), scatter(joined, names)])
    for column, one, name in zip(st.columns(2, gap="medium"), (first, other), names, strict=True):
        with column:
            st.markdown(f"**{controls.plain_markdown(name)}**")
            trust_line(cached.analysis(one).trust(state.test()))
    _top(joined, names)


def _loss_only() -> None:
    """Only the loss is a quantity that every pair of models shares."""
    if state.settings().quantity != "loss":
        st.info("Two models are compared by what happens to their loss.", icon=":material/info:")
        state.change(quantity="loss", target=-1)


def _instead(second: str, offered: list[str]) -> None:
    sentence = f"Second model: expected one of {', '.join(offered)}, got {second[:40]!r}. {_default(offered)} is used."
    st.warning(controls.plain_markdown(sentence), icon=":material/link_off:")


def _controls(offered: list[str], second: str, l2: float) -> None:
    titles = {name: cached.core().MODELS[name].title for name in offered}
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
            "Second model", offered, second, "compare.second", lambda name: figure_view.put({"second": name}, OPTIONS),
            titles=titles,
        )  # fmt: skip
    with penalty:
        controls.value(OPTIONS[1], l2, "compare.l2", lambda value: figure_view.put({"l2": value}, OPTIONS))


def _take_first(name: str) -> None:
    state.put(cached.lessons().second_settings(state.settings(), name))


def _names(first: Settings, second: Settings) -> tuple[str, str]:
    models = cached.core().MODELS
    titles = [f"{models[one.model.name].title}, l2 = {one.model.l2:g}" for one in (first, second)]
    return (f"1: {titles[0]}", f"2: {titles[1]}")


def summary(joined: Joined, names: tuple[str, str]) -> str:
    """How far the two agree, one line of Markdown.

    Returns:
        Rank correlation, r, common points of the top lists.
    """
    found = joined.agreed
    overlap = "undefined" if found.top_k.value is None else f"{found.top_k.value:.0%}"
    return (
        f"**Rank correlation ρ = {found.rho}** · r = {found.r} · same sign "
        f"{'undefined' if found.sign.value is None else f'{found.sign.value:.0%}'} · common among the {found.k} "
        f"strongest {overlap} · "
        f"n = {found.n:,}"
    )


def limits(joined: Joined) -> tuple[float, float]:
    """|score| of the full colour for each model: one limit for both where they share a unit.

    Returns:
        Two positive numbers.
    """
    found = [float(np.percentile(joined.table[name].abs(), 99)) or 1.0 for name in ("first", "second")]
    if joined.units[0] == joined.units[1]:
        found = [max(found)] * 2
    return found[0], found[1]


def lines(joined: Joined, names: tuple[str, str]) -> Picture:
    """Every training point twice, at its place for either model and at the height of its score, joined by a line.

    Returns:
        One picture.
    """
    table, same = joined.table, joined.places[0] == joined.places[1]
    place = joined.places[0] if same else f"1: {joined.places[0]}\n2: {joined.places[1]}"
    units = joined.units[0] if joined.units[0] == joined.units[1] else f"1: {joined.units[0]}; 2: {joined.units[1]}"
    figure = blank("The same training point in both models, joined", place, f"score, {units}\n{SIGN}")
    figure.update_xaxes(title=words(place))
    figure.update_yaxes(title=words(f"score, {units}\n{SIGN}"), zeroline=True, zerolinecolor=INK)
    gap = np.full(len(table), np.nan)
    ends = [
        np.column_stack([table[a], table[b], gap]).ravel()
        for a, b in (("place_first", "place_second"), ("first", "second"))
    ]
    figure.add_trace(
        go.Scatter(
            x=ends[0], y=ends[1], mode="lines", name="the same point", hoverinfo="skip",
            line={"color": INK, "width": 0.6},
        )
    )  # fmt: skip
    for which, name, symbol, limit in zip(
        ("first", "second"), names, ("circle", "diamond"), limits(joined), strict=True
    ):
        figure.add_trace(_marks(table, which, (name, symbol), limit))
    figure.update_layout(legend={"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0})
    shared = (
        "Colours share one scale."
        if joined.units[0] == joined.units[1]
        else "Each model's colours end at its own 99th percentile, because the units differ."
    )
    caption = (
        f"Score = predicted change of the test loss if the training point leaves. Circles: first model; diamonds: "
        f"second. {shared}"
    )
    return Picture(projected(figure, 460), caption, table, "compare-lines")


def _marks(table: pd.DataFrame, which: str, look: tuple[str, str], limit: float) -> go.Scatter:
    return go.Scatter(
        x=table[f"place_{which}"], y=table[which], mode="markers", name=plain(look[0]), text=table["id"].map(plain),
        marker={
            "symbol": look[1], "size": 9, "color": table[which], "colorscale": DIVERGING, "cmin": -limit, "cmax": limit,
            "line": {"width": 0.8, "color": INK},
        },
        hovertemplate="%{text}<br>%{x:.3g}: %{y:.3g}<extra></extra>",
    )  # fmt: skip


def scatter(joined: Joined, names: tuple[str, str]) -> Picture:
    """Second score against first, in the colours of where they agree; rings around the strongest of either.

    Returns:
        One picture.
    """
    table = joined.table
    figure = blank("Where the two models disagree", f"score of 1, {joined.units[0]}", f"score of 2, {joined.units[1]}")
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
    figure.update_xaxes(title=words(f"score of 1, {joined.units[0]}\n{SIGN}"), zeroline=True, zerolinecolor=INK)
    figure.update_yaxes(title=words(f"score of 2, {joined.units[1]}\n{SIGN}"), zeroline=True, zerolinecolor=INK)
    figure.update_layout(legend={"orientation": "h", "y": -0.28, "yanchor": "top", "x": 0})
    caption = (
        f"{names[0]} across, {names[1]} upwards. On a straight line through zero both would rank every point alike."
    )
    return Picture(projected(figure, 460), caption, table, "compare-scatter")


def _top(joined: Joined, names: tuple[str, str]) -> None:
    """The strongest training points of both models, side by side: images where there are, else tables."""
    st.subheader("The training points that matter most to each", anchor=False)
    split = cached.problem(state.settings()).split
    pictured = split.train.images is not None and split.test.images is not None
    labels = scene.describe(split.train, split.original_y)
    for column, which, name in zip(st.columns(2, gap="medium"), ("first", "second"), names, strict=True):
        with column:
            st.markdown(f"**{controls.plain_markdown(name)}**")
            rows = joined.top(which, TOP, 1).tolist(), joined.top(which, TOP, -1).tolist()
            if pictured:
                _images(split, labels, (which, joined), rows)
            else:
                frame = top_table(joined, which, labels, rows)
                st.dataframe(frame, hide_index=True, alt=f"Strongest training points of {name}")


def _images(split: Any, labels: list[str], asked: tuple[str, Joined], rows: tuple[list[int], list[int]]) -> None:
    which, joined = asked
    unit = joined.units[0 if which == "first" else 1]
    row = state.test()
    content = Strip(
        split.test.images[row], scene.describe(split.test)[row], *rows, joined.table[which].to_numpy(), unit,
        file=f"compare-{which}",
    )  # fmt: skip
    strip(split.train.images, labels, content, state.choose_train, f"compare-{which}")


def top_table(joined: Joined, which: str, labels: list[str], rows: tuple[list[int], list[int]]) -> pd.DataFrame:
    """The strongest helpful and harmful points of one model with their rank in the other.

    Returns:
        One row per point.
    """
    other, unit = ("second", joined.units[0]) if which == "first" else ("first", joined.units[1])
    chosen = [*rows[0], *rows[1]]
    return pd.DataFrame(
        {
            "training point": [labels[i] for i in chosen],
            f"score, {unit}": [signed(float(joined.table[which][i])) for i in chosen],
            "rank here": joined.table[f"rank_{which}"].to_numpy()[chosen],
            "rank in the other": joined.table[f"rank_{other}"].to_numpy()[chosen],
        }
    )


COMPARE = Tool(
    "Two models, one question",
    "Do two models lean on the same training points? Any two models, on the current data and test point.",
    draw,
)
