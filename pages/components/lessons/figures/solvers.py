"""Charts of figures B, C and H: from the tables of the core to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, Settings
from pages.components.charts.base import INK, QUIET, blank, log_step
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.panels import Pair
from pages.components.lenses.picture import pictures
from pages.components.lessons.figures.scores import Drawing
from pages.components.lessons.parts.drawing import SIGN, against, checked, groups
from pages.components.lessons.parts.kinds import Picture, projected
from pages.components.lessons.parts.tiles import tiles
from pages.components.session import cached

if TYPE_CHECKING:
    from influence_core.data import Split
    from influence_core.teaching.figures import Figure

TITLES = {"cholesky": "Explicit inverse (Cholesky)", "cg": "Conjugate gradients", "taylor": "Full Taylor series"}


def _panels(table: pd.DataFrame, unit: str, title: str, name: str) -> Picture:
    pairs = [
        Pair(
            rows["loo_loss_change"].to_numpy(),
            rows["loss_change"].to_numpy(),
            TITLES.get(solver, solver),
            (),
            rows["id"].tolist(),
        )
        for solver, rows in groups(table, "solver")
    ]
    drawn = against(pairs, title, (f"LOO change, {unit}", f"predicted\n{SIGN}"), 720)
    caption = (
        "Predicted change of the loss of the test point against leave-one-out, one panel per way. Dashed: "
        "predicted = LOO."
    )
    return Picture(drawn, caption, table, name, wide=True)


def ridge(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Panels of every solver, and r by encoding and held-out row."""
    panels = figure.tables["panels"].copy()
    runs = panels.solver[panels.solver.str.startswith("lissa")].nunique()
    panels["solver"] = panels.solver.str.replace(r"^lissa.*", f"LiSSA, {runs} runs", regex=True)
    return [
        _panels(panels, "squared target units", "Inverse and CG agree; LiSSA scatters; Newton is exact", "figure-b"),
        _choices(figure.tables["choices"]),
    ]


def _choices(table: pd.DataFrame) -> Picture:
    drawn = blank(
        "What was chosen without a word matters more than the solver", "held-out row", "r of influence and LOO"
    )
    for (encoding, rows), symbol in zip(table.groupby("encoding", sort=False), ("circle", "diamond-open"), strict=True):
        drawn.add_trace(
            go.Scatter(
                x=rows.held_out_row.astype(str), y=rows.r, mode="markers", name=f"{encoding} months and days",
                marker={"symbol": symbol, "size": 15, "color": QUIET, "line": {"width": 2, "color": INK}},
                customdata=rows.slope, hovertemplate="row %{x}: r = %{y:.3f}, slope %{customdata:.3g}<extra></extra>",
            )
        )  # fmt: skip
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(range=[-1.05, 1.05], zeroline=True, zerolinecolor=INK)
    caption = "r between first-order influence by the explicit inverse and leave-one-out, for several held-out rows."
    return Picture(projected(drawn, 380), caption, table, "figure-b-choices", wide=True)


def logistic(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Panels of every solver, the easy and the hard image, and how many points lie on each side."""
    panels = _panels(figure.tables["panels"], "nats", "Averaging removes the noise of LiSSA, not its bias", "figure-c")
    source = "mnist" if drawing["images"] == "bundled" else "mnist_large"
    split = cached.problem(Settings(DataSettings(source))).split
    return [panels, images(figure.tables["pictures"], split), _sides(figure.tables["sides"])]


def images(table: pd.DataFrame, split: Split) -> Picture:
    """The test digit, an easy and a hard training image, as they are in the source."""
    shown = [pictures(getattr(split, row["part"]))[row["row"]] for row in table.to_dict("records")]
    grid = tiles(
        shown, [f"{row.what}\n{row.id}" for row in table.itertuples()], "An easy training image and a hard one", 3
    )
    easy, hard = table.iloc[1], table.iloc[2]
    caption = (
        f"Scores: {easy.loss_change:.2g} nats for {easy.id}, which is fitted well and hardly matters, and "
        f"{hard.loss_change:.2g} "
        f"for {hard.id}, the most harmful one."
    )
    return Picture(grid, caption, table, "figure-c-images")


def _sides(table: pd.DataFrame) -> Picture:
    drawn = blank("Points of both classes are helpful, and of both are harmful", "", "training points", barmode="group")
    for name, colour, pattern in (("helpful", HELPFUL, ""), ("harmful", HARMFUL, "/")):
        drawn.add_trace(
            go.Bar(
                x=[f"class {one}" for one in table["class"]], y=table[name], name=name, texttemplate="%{y}",
                marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": "#222222", "fillmode": "overlay"}},
            )
        )  # fmt: skip
    caption = "Number of training points with a positive and with a negative predicted change, by class."
    return Picture(projected(drawn, 300), caption, table, "figure-c-sides")


def flipped_labels(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Share of flips found and test accuracy against the share of training labels checked."""
    table = figure.tables["curves"]
    found = checked(table, "found", "Most flips are among the most suspicious tenth", "share of the flips found")
    accuracy = checked(table, "accuracy", "What fixing them does to the test accuracy", "test accuracy after fixing")
    note = "Mean over seeds; whiskers: one standard error."
    return [
        Picture(found, "Labels are checked in the order of each signal. " + note, table, "figure-h-found"),
        Picture(accuracy, "Labels found are put right and the model is refitted. " + note, table, "figure-h-accuracy"),
    ]


def shorter_search(figure: Figure, drawing: Drawing) -> list[Picture]:
    """Recall against time by number of candidates, and what each of the three parts saves."""
    table, parts, ways = (figure.tables[name] for name in ("sizes", "parts", "ways"))
    full = float(parts.seconds_without.iloc[0])
    drawn = blank("Recall of the strongest points against time", "milliseconds per test point, log scale", "recall")
    drawn.add_trace(
        go.Scatter(
            x=1e3 * table.seconds, y=table.recall, mode="lines+markers+text", name="nearest neighbours only",
            text=[f"{k:,}" for k in table.candidates], cliponaxis=False,
            textposition=["bottom right" if k % 2 else "top left" for k in range(len(table))],
            marker={"size": 10, "color": QUIET, "line": {"width": 1, "color": INK}}, line={"color": QUIET, "width": 2},
        )
    )  # fmt: skip
    drawn.add_trace(
        go.Scatter(x=[1e3 * full], y=[1.0], mode="markers", name="every training point",
                   marker={"size": 14, "symbol": "diamond", "color": INK})
    )  # fmt: skip
    drawn.add_trace(
        go.Scatter(x=1e3 * table.seconds, y=table.chance, mode="lines", name="the same number drawn at random",
                   line={"color": INK, "width": 2, "dash": "dot"})
    )  # fmt: skip
    drawn.update_xaxes(type="log", dtick=log_step(1e3 * np.append(table.seconds.to_numpy(), full)))
    drawn.update_yaxes(range=[0, 1.12])
    caption = "Numbers at the marks: candidates per test point. Recall: share of the true top ten among them."
    recall = Picture(projected(drawn, 430, -0.25), caption, table, "figure-i-recall", wide=True)
    return [recall, _savings(parts, ways)]


def _savings(parts: pd.DataFrame, ways: pd.DataFrame) -> Picture:
    """Each part in its own step, then alone and together in the whole way from a gradient to the strongest points."""
    drawn = blank("What each of the three parts saves, alone and together", "", "times faster", barmode="group")
    shorter = ways.iloc[1:]
    found = [f"{row.times_faster:.2g}×<br>recall {row.recall:.2f}<br>r {row.r:.3f}" for row in shorter.itertuples()]
    hatched = {"color": QUIET, "pattern": {"shape": "/", "fgcolor": "#222222", "fillmode": "overlay"}}
    drawn.add_trace(
        go.Bar(x=parts.part, y=parts.times_faster, texttemplate="%{y:.2g}×", textposition="outside", cliponaxis=False,
               marker=hatched, name="its own step")
    )  # fmt: skip
    drawn.add_trace(
        go.Bar(x=shorter.parts, y=shorter.times_faster, text=found, textposition="outside", cliponaxis=False,
               constraintext="none",
               marker_color=QUIET, name="solve and scores of one test point")
    )  # fmt: skip
    drawn.add_hline(1, line={"color": INK, "dash": "dash", "width": 1.5})
    drawn.update_yaxes(range=[0, 1.35 * max(parts.times_faster.max(), shorter.times_faster.max())])
    note = (
        "Below the dashed line a part costs more than it saves. Recall: share of the true top ten that is the top ten "
        "by these scores; r: with the exact scores of the points scored. Ratios of times on this server."
    )
    return Picture(projected(drawn, 430, -0.25), note, ways, "figure-i-parts", wide=True)
