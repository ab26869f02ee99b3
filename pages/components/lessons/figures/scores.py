"""Charts of figures A, D, F and J: from the tables of the core to pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import Value
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.panels import Pair, diagonal, dressed, multiples, titled
from pages.components.charts.scale import coloured, plain
from pages.components.lessons.parts.drawing import SIGN, against, curves
from pages.components.lessons.parts.kinds import Picture, projected

if TYPE_CHECKING:
    from influence_core.teaching.figures import Figure

Drawing = Mapping[str, Value]
VARIANTS = ("without σ(−y f)", "without H⁻¹", "without both")


def linear_regression(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Loss changes and parameter changes: influence against LOO, the five largest ringed."""
    points = figure.tables["points"]
    top = [points[name].nlargest(5).index.tolist() for name in ("loo_loss_change", "loo_parameter_change_norm")]
    ids = points["id"].tolist()
    loss = Pair(points["loo_loss_change"].to_numpy(), points["loss_change"].to_numpy(), "", top[0], ids)
    moved = Pair(
        points["loo_parameter_change_norm"].to_numpy(), points["parameter_change_norm"].to_numpy(), "", top[1], ids
    )  # fmt: skip
    about = f"of the loss, squared target units\n{SIGN}"
    first = against(
        [loss], "The loss: influence finds the change that leaving a point out makes",
        (f"LOO change {about}", "influence, in the same unit"),
    )  # fmt: skip
    second = against([moved], "The parameters: the same points move θ̂ the most", ("LOO ‖θ̂₋ᵢ − θ̂‖", "‖H⁻¹gᵢ‖/n"))
    reach = 1.08 * float(max(moved.measured.max(), moved.predicted.max()))
    second.update_xaxes(range=[0, reach]).update_yaxes(range=[0, reach])
    second.data[1].marker.color = QUIET
    note = " Rings: the five largest by LOO. Dashed: influence = LOO."
    return [
        Picture(
            first,
            "LOO change = loss without the training point minus loss with it, by refits." + note,
            points,
            "figure-a-loss",
        ),
        Picture(
            second,
            "How far θ̂ moves when a training point leaves, by refits and predicted." + note,
            points,
            "figure-a-theta",
        ),
    ]


def incomplete_scores(figure: Figure, drawing: Drawing) -> list[Picture]:
    """The score against each incomplete form, per scaling; filled circles are of the test point's class."""
    points = figure.tables["points"]
    return [
        Picture(
            _variants(rows, str(scaling)),
            "Score y, incomplete score x, for the same training points. Dashed: y = x. Without σ(−y f) easy "
            "points weigh as "
            "much as hard ones; without H⁻¹ the unit is another one, and only the sign can be compared.",
            rows,
            f"figure-d-{scaling}",
            wide=True,
        )
        for scaling, rows in points.groupby("scaling", sort=False)
    ]


def _variants(rows: pd.DataFrame, scaling: str) -> go.Figure:
    grid, places = multiples(VARIANTS)
    for name, (row, k) in zip(VARIANTS, places, strict=True):
        line = diagonal(float(rows["score"].abs().max()) * 1.08)
        grid.add_trace(line.update(showlegend=k == 1), row, k)
        for same, named, symbol in ((True, "same class as the test point", "circle"), (False, "other class", "x-thin")):
            part = rows[rows.same_class == same]
            grid.add_trace(
                go.Scatter(
                    x=part[name], y=part["score"], mode="markers", name=named, showlegend=k == 1,
                    text=part["id"].map(plain), hovertemplate="%{text}<br>incomplete %{x:.3g}<br>score %{y:.3g}",
                    marker={"symbol": symbol, "size": 7, "color": QUIET if same else INK, "opacity": 0.75,
                            "line": {"width": 1.5 if symbol == "x-thin" else 0.5, "color": INK}},
                ), row, k,
            )  # fmt: skip
    titled(grid, places, ("incomplete score", f"score, nats\n{SIGN}"))
    drawn = dressed(grid, places, f"Pixels {scaling}: what each factor of the score does", legend=True)
    return projected(drawn.update_xaxes(nticks=6).update_yaxes(nticks=6), 440, -0.22)


def distances(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Score against signed distance, the same training point in both models joined."""
    points = figure.tables["points"]
    drawn = blank(
        "Far points: exactly unused by the support vector machine, merely small for logistic regression",
        "signed distance to the boundary, standard deviations, positive on the side of virginica",
        f"score, in the unit of each loss, {SIGN}",
    )
    first, second = (rows.set_index("id") for _, rows in points.groupby("model", sort=False))
    ends = [
        np.column_stack([first[name], second.loc[first.index, name], np.full(len(first), np.nan)]).ravel()
        for name in ("distance", "loss_change")
    ]
    drawn.add_trace(
        go.Scatter(x=ends[0], y=ends[1], mode="lines", name="the same training point", hoverinfo="skip",
                   line={"color": INK, "width": 0.7})
    )  # fmt: skip
    for (name, rows), symbol in zip(points.groupby("model", sort=False), ("circle", "diamond"), strict=True):
        drawn.add_trace(
            go.Scatter(
                x=rows["distance"], y=rows["loss_change"], mode="markers", name=f"{name}", text=rows["id"].map(plain),
                hovertemplate="%{text}<br>distance %{x:.3g}<br>score %{y:.3g}",
                marker={"symbol": symbol, "size": 9, "color": coloured(rows["loss_change"].to_numpy()),
                        "line": {"width": 1, "color": INK}},
            )
        )  # fmt: skip
    drawn.update_yaxes(zeroline=True, zerolinecolor=INK).update_xaxes(zeroline=True, zerolinecolor=INK)
    caption = (
        "Score = predicted loss change of the test point if the training point leaves. Circles: logistic regression; "
        "diamonds: linear SVC. Blue helpful, orange harmful."
    )
    return [Picture(projected(drawn, 520), caption, points, "figure-f", wide=True)]


def derivative(figure: Figure, drawing: Drawing) -> list[Picture]:
    """The true curve of the loss along ε and along h with their tangents, and the path of θ̂."""
    path = figure.tables["path"]
    lines = {}
    for way, rows in path.groupby("way", sort=False):
        short = str(way).split(":")[0]
        lines[f"loss along {short}, by refits"] = (rows["step"].to_numpy(), rows["loss"].to_numpy())
        lines[f"tangent at {short} = 0"] = (rows["step"].to_numpy(), rows["tangent"].to_numpy())
    drawn = curves(
        lines, "Influence is the slope at 0; leave-one-out is the curve at −1/n",
        ("ε or h", "loss at the test point, nats"),
        ("solid", "dash", "dot", "dashdot"),
    )  # fmt: skip
    start = float(path["step"].min())
    drawn.add_vline(start, line={"color": INK, "dash": "dot", "width": 1.5})
    drawn.add_annotation(x=start, y=1, yref="y domain", text="−1/n: left out", showarrow=False, xanchor="left")
    caption = (
        "ε weighs one training point up in J; h mixes a point mass into the empirical distribution. Curves by refits, "
        "dashed tangents from one solve. Read at −1/n, the tangent is the prediction and the curve is leave-one-out."
    )
    return [Picture(drawn, caption, path, "figure-j-loss"), _theta_path(path)]


def _theta_path(path: pd.DataFrame) -> Picture:
    drawn = blank("θ̂ itself moves along a smooth path", "first weight θ̂₁", "second weight θ̂₂")
    for (way, rows), symbol in zip(path.groupby("way", sort=False), ("circle", "diamond-open"), strict=True):
        drawn.add_trace(
            go.Scatter(
                x=rows["theta1"], y=rows["theta2"], mode="lines+markers", name=plain(str(way)),
                marker={"symbol": symbol, "size": 7, "color": QUIET}, line={"color": QUIET, "width": 1.5},
                customdata=rows["step"], hovertemplate="step %{customdata:.3g}: (%{x:.4g}, %{y:.4g})<extra></extra>",
            )
        )  # fmt: skip
    at = path[np.isclose(path["step"], 0, atol=1e-12)].iloc[0]
    drawn.add_annotation(x=at["theta1"], y=at["theta2"], text="θ̂", showarrow=True, arrowhead=2)
    return Picture(
        projected(drawn), "Every marker is a refit; the arrow points at the fit itself.", path, "figure-j-theta"
    )
