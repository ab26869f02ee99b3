"""Charts of figures E and G: from the tables of the core to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.components.charts.base import INK, QUIET, SHAPES, blank, class_colour, line
from pages.components.charts.examples import FLIPPED, boundary_ends
from pages.components.charts.panels import Pair, dressed, multiples, titled
from pages.components.charts.scale import plain
from pages.components.lessons.figures.scores import Drawing
from pages.components.lessons.parts.drawing import SIGN, Cloud, against, box, cloud_traces, curves, groups, mark, spread
from pages.components.lessons.parts.kinds import Picture, projected

if TYPE_CHECKING:
    from influence_core.teaching.figures import Figure

PRINTED = {0.01: 0.8602, 0.1: 0.7700}


def hinge_smoothing(figure: Figure, drawing: Drawing) -> list[Picture]:
    """r of every draw with the printed value, the pairs of the first draw, and the smoothed hinges."""
    pairs = figure.tables["pairs"]
    panels = [
        Pair(rows["loo_loss_change"].to_numpy(), rows["loss_change"].to_numpy(), f"t = {t:g}")
        for t, rows in sorted(groups(pairs, "t"), key=lambda group: -group[0])
    ]
    scatter = against(
        panels, "First draw: the sharper the hinge, the wilder; at t = 0 the prediction is lost",
        ("LOO change, hinge units", f"predicted, {SIGN}"),
    )  # fmt: skip
    note = (
        "Every pair of one of 90 training and one of 10 test points. Each panel has its own scale; dashed: "
        "predicted = LOO with the exact hinge."
    )
    return [
        _draws(figure.tables["draws"]),
        hinge_picture(figure.tables["curves"]),
        Picture(scatter, note, pairs, "figure-e-pairs", wide=True),
    ]


def _draws(draws: pd.DataFrame) -> Picture:
    drawn = blank("One draw of ten test points says little: r spreads widely", "r of predicted and LOO changes", "")
    kinds = {("influence", "circle", "first order"), ("newton", "diamond-open", "one-step Newton")}
    rows_at = {0.01: 0.0, 0.1: 1.0}
    for estimator, symbol, words in sorted(kinds):
        part = draws[(draws.estimator == estimator) & draws.t.isin(list(rows_at))]
        height = part.t.map(rows_at).to_numpy() + (0.12 if estimator == "newton" else -0.12)
        drawn.add_trace(
            go.Scatter(
                x=part.r, y=height + spread(part.r.to_numpy(), -0.09, 0.09), mode="markers", name=words,
                marker={"symbol": symbol, "size": 9, "color": QUIET, "line": {"width": 1, "color": INK}},
                customdata=part.draw, hovertemplate="draw %{customdata}: r = %{x:.3f}<extra></extra>",
            )
        )  # fmt: skip
    drawn.add_trace(
        go.Scatter(x=list(PRINTED.values()), y=[rows_at[t] for t in PRINTED], mode="markers", name="printed, one draw",
                   marker={"symbol": "line-ns", "size": 44, "line": {"width": 4, "color": INK}},
                   hovertemplate="printed r = %{x}<extra></extra>")
    )  # fmt: skip
    drawn.update_yaxes(tickvals=list(rows_at.values()), ticktext=[f"t = {t:g}" for t in rows_at], range=[-0.5, 1.5])
    caption = (
        "Each mark is one draw of ten test points held out together. Bars: the two values that the paper prints "
        "for its one draw."
    )
    return Picture(projected(drawn), caption, draws, "figure-e-draws")


def hinge_picture(curve: pd.DataFrame) -> Picture:
    """The smoothed hinges h_t and the hinge itself."""
    lines = {
        "hinge, t = 0" if t == 0 else f"t = {t:g}": (rows["margin"].to_numpy(), rows["loss"].to_numpy())
        for t, rows in groups(curve, "t")
        if t == 0 or t >= 0.1
    }
    drawn = curves(lines, "The smoothed hinge rounds the corner", ("margin s = y f", "loss hₜ(s)"))
    caption = (
        "hₜ(s) = t·log(1 + exp((1 − s)/t)). Curves below t = 0.1 lie on the hinge at this scale; the table has them."
    )
    return Picture(drawn, caption, curve, "figure-e-curves")


def blobs(figure: Figure, drawing: Drawing) -> list[Picture]:
    """The clouds with three boundaries, curves, confusion, and influence by both solvers on the plane."""
    return [
        _clouds(figure.tables["examples"], figure.tables["boundaries"]),
        _training(figure.tables["curves"]),
        _influence(figure.tables["influence"], float(drawing["limit"])),
        _confusion(figure.tables["confusion"]),
    ]


def _clouds(examples: pd.DataFrame, boundaries: pd.DataFrame) -> Picture:
    drawn = blank("Both fits lie near the optimal boundary; flipped labels are ringed", "x1", "x2")
    for part, opacity in (("train", 0.85), ("test", 0.35)):
        for k, (name, rows) in enumerate(examples[examples.part == part].groupby("class")):
            drawn.add_trace(
                go.Scatter(x=rows.x1, y=rows.x2, mode="markers", name=plain(f"{name}, {part}"), hoverinfo="skip",
                           marker={"symbol": SHAPES[k], "size": 7, "color": class_colour(k), "opacity": opacity,
                                   "line": {"width": 0.6, "color": INK}})
            )  # fmt: skip
    mark(drawn, examples.loc[examples.flipped, ["x1", "x2"]].to_numpy(), FLIPPED, "circle-open", 15)
    drawn.update_xaxes(zeroline=False).update_yaxes(zeroline=False)  # lines through 0 would look like boundaries
    low, high = box(drawn)
    for row, dash in zip(boundaries.to_dict("records"), ("dash", "solid", "dot"), strict=True):
        ends = boundary_ends((row["w1"], row["w2"]), row["offset"], low, high)
        if ends is not None:
            drawn.add_trace(line(ends, f"{row['fit']}: error {row['error']:.1%}", dash))
    caption = (
        "Dashed: the exactly optimal boundary, whose error is the Bayes error. Solid: the minimum of J by "
        "Newton. Dotted: AdamW. "
        "Errors of the fits are counted on the test points."
    )
    return Picture(projected(drawn, 520), caption, examples, "figure-g-clouds")


def _training(table: pd.DataFrame) -> Picture:
    epochs = table["epoch"].to_numpy()
    lines = {
        "objective J on the training set": (epochs, table["objective"].to_numpy()),
        "mean loss on the validation set": (epochs, table["validation_loss"].to_numpy()),
    }
    drawn = curves(lines, "AdamW settles, yet not at the minimum of J", ("epoch", "nats"))
    caption = (
        "Weight decay of AdamW acts outside the gradient, so its fixed point is no minimum of J: ∇J stays away from 0."
    )
    return Picture(projected(drawn, 520), caption, table, "figure-g-curves")


def _influence(table: pd.DataFrame, percentile: float) -> Picture:
    names = tuple(sorted(table["class"].unique()))
    classes = table["class"].map(names.index).to_numpy()
    limit = float(np.percentile(table[["direct", "cg"]].abs(), percentile)) or 1.0
    grid, places = multiples(("Direct solver", "Conjugate gradients"))
    xy, ids = table[["x1", "x2"]].to_numpy(), table["id"].tolist()
    for k, column in enumerate(("direct", "cg"), 1):
        for trace in cloud_traces(Cloud(xy, classes, names, table[column].to_numpy(), limit, ids), k == 2):
            trace.showlegend = k == 1
            grid.add_trace(trace, 1, k)
        flipped = table[table.flipped]
        grid.add_trace(
            go.Scatter(x=flipped.x1, y=flipped.x2, mode="markers", name=FLIPPED, showlegend=k == 1,
                       hoverinfo="skip",
                       marker={"symbol": "circle-open", "size": 20, "color": INK, "line": {"width": 2}}),
            1, k,
        )  # fmt: skip
    titled(grid, places, ("x1", "x2"))
    drawn = dressed(grid, places, "Flipped labels stand out, and both solvers agree", legend=True)
    drawn.update_xaxes(zeroline=False).update_yaxes(zeroline=False)
    caption = (
        "The first 100 training points: predicted change of the mean test loss if the point leaves, nats. Blue "
        "helpful, "
        f"orange harmful, full colour at {limit:.2g} ({percentile:g}th percentile)."
    )
    return Picture(projected(drawn, 460, -0.22), caption, table, "figure-g-influence", wide=True)


def _confusion(table: pd.DataFrame) -> Picture:
    drawn = blank("Where the two fits err", "", "test points", barmode="group")
    for (fit, rows), pattern in zip(table.groupby("fit", sort=False), ("", "/"), strict=True):
        drawn.add_trace(
            go.Bar(x=(rows.true_class + " → " + rows.predicted_class).tolist(), y=rows["count"], name=str(fit),
                   texttemplate="%{y}",
                   marker={"color": QUIET, "pattern": {"shape": pattern, "fgcolor": "#222222", "fillmode": "overlay"}})
        )  # fmt: skip
    caption = "Confusion matrix as bars: true class → predicted class, counts on the test set."
    return Picture(projected(drawn, 380, -0.25), caption, table, "figure-g-confusion", wide=True)
