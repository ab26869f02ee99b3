"""Figures about solvers: their scores against the truth, the spectrum of H, scores over the damping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.components.charts.base import INK, QUIET, blank, log_step, scatter_kind
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.panels import Pair, Style, against, dressed, multiples, titled
from pages.components.charts.scale import plain

if TYPE_CHECKING:
    from influence_core.analysis.trials import DampingPath

COLUMNS = 4


@dataclass(frozen=True)
class Meant:
    """What the sign of a change means.

    Attributes:
        ends: words for negative and positive changes.
        sign: −1 where negative changes are helpful and blue, else +1.
    """

    ends: tuple[str, str] = ("harmful", "helpful")
    sign: int = 1

    @property
    def axis(self) -> str:
        """Below the title of an axis."""
        return f"← {self.ends[0]} | {self.ends[1]} →"


@dataclass(frozen=True)
class Against:
    """A truth in words.

    Attributes:
        name: what it is.
        unit: of the changes.
        band: half width of the grey band of measured changes that are no more than noise; 0 for none.
    """

    name: str
    unit: str
    band: float = 0.0


def panels(
    truth: NDArray[np.float64], scores: dict[str, NDArray[np.float64]], words: Against, meant: Meant = Meant()
) -> go.Figure:
    """Every solver's scores against the same truth: equal axes in each panel, with the 45° line.

    Args:
        truth: (n,) measured, or of the reference solver.
        scores: title to (n,) predicted changes.
        words: what the truth is, and the unit.
        meant: sign in words.
    """
    pairs = [Pair(truth, predicted, title) for title, predicted in scores.items()]
    axes = (f"{words.name}\n{meant.axis}", f"predicted\n{meant.axis}")
    title = f"Every solver against {words.name}, {words.unit}"
    return against(pairs, title, axes, Style(COLUMNS, meant.sign, words.band, scatter_kind(truth.size * len(scores))))


def halves_panels(
    measured: NDArray[np.float64], sums: dict[str, NDArray[np.float64]], found: dict[str, float]
) -> go.Figure:
    """What every solver predicts for the half that is left out, over what training on the other half measured: ranks.

    Args:
        measured: (s,) the watched quantity after training on each half.
        sums: title to (s,) predicted changes.
        found: title to rank correlation.
    """
    grid, places = multiples([f"{name}: {found[name]:.2f}" for name in sums], COLUMNS)
    for predicted, (row, col) in zip(sums.values(), places, strict=True):
        dots = go.Scatter(
            x=_ranks(measured), y=_ranks(predicted), mode="markers",
            customdata=[[k, f"{a:.3g}", f"{b:.3g}"] for k, (a, b) in enumerate(zip(measured, predicted, strict=True))],
            marker={"size": 6, "color": QUIET, "opacity": 0.85, "line": {"width": 0.5, "color": INK}},
            hovertemplate="half %{customdata[0]}<br>"
            "measured %{customdata[1]}<br>predicted %{customdata[2]}<extra></extra>",
        )  # fmt: skip
        grid.add_trace(dots, row, col)
    titled(grid, places, ("rank of the measured", "rank of the predicted"))
    return dressed(grid, places, f"Every solver against {len(measured)} random halves: rank correlation (LDS)")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """From 1 for the smallest; equal ones in their order."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") + 1


def spectrum(values: NDArray[np.float64], damping: float) -> go.Figure:
    """Positive eigenvalues of H, largest first, on a logarithmic axis, with the damping as a line."""
    ordered = np.sort(values)[::-1]
    shown = np.flatnonzero(ordered > 0)
    below = int((values < damping).sum())
    title = f"{below:,} of {len(values):,} eigenvalues of H lie below the damping"
    if damping == 0:
        title = f"The {len(values):,} eigenvalues of H, no damping"
    figure = blank(title, "rank of the eigenvalue", "eigenvalue of H, log scale", yaxis_type="log", height=380)
    figure.add_trace(
        scatter_kind(len(shown))(
            x=shown + 1, y=ordered[shown], mode="markers", name="eigenvalue", showlegend=False,
            marker={"size": 6, "color": QUIET, "line": {"width": 0.6, "color": INK}},
            hovertemplate="rank %{x}: %{y:.3g}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(dtick=log_step(ordered[shown]))
    if damping > 0:
        figure.add_hline(damping, line={"color": INK, "dash": "dash", "width": 2})
        # On a logarithmic axis Plotly takes the place of a line as it is, and that of a note as its logarithm.
        note = {"text": f"damping {damping:g}", "showarrow": False, "xanchor": "right", "yanchor": "bottom"}
        figure.add_annotation(x=1, xref="x domain", y=float(np.log10(damping)), **note)
    if len(shown) <= 12:
        figure.update_xaxes(dtick=1)
    return figure


def damping_ticks(dampings: Sequence[float]) -> tuple[NDArray[np.float64], list[int]]:
    """Places of the dampings on an axis that is logarithmic, with zero one decade below the smallest.

    Returns:
        Places (log10), and those that get a label.
    """
    positive = np.array([value for value in dampings if value > 0])
    first = np.log10(positive.min()) - 1
    places = np.array([np.log10(value) if value > 0 else first for value in dampings])
    labelled = [k for k, place in enumerate(places) if abs(place - round(place)) < 1e-9 or dampings[k] == 0]
    return places, labelled


def score_paths(
    path: DampingPath, names: Sequence[str], damping: float, unit: str, meant: Meant = Meant()
) -> go.Figure:
    """How the strongest scores change with the damping, one line per training point, coloured by its sign here.

    Args:
        path: scores at every damping, NaN where there is no solution.
        names: of the points.
        damping: marked by a line.
        unit: of the scores.
        meant: sign in words.
    """
    dampings = path.dampings.tolist()
    places, labelled = damping_ticks(dampings)
    here = int(np.argmin(np.abs(path.dampings - damping)))
    title = f"How damping changes the {len(names)} strongest scores"
    figure = blank(title, "damping δ of (H + δI)⁻¹, log scale", "", height=380, showlegend=False)
    for name, row in zip(names, path.scores, strict=True):
        score = meant.sign * (row[here] if np.isfinite(row[here]) else row[-1])
        colour = HELPFUL if score >= 0 else HARMFUL
        figure.add_trace(
            go.Scatter(
                x=places, y=row, mode="lines", name=plain(name), customdata=[f"{value:g}" for value in dampings],
                line={"color": colour, "width": 1.6},
                text=[plain(name)] * len(places),
                hovertemplate="%{text}<br>damping %{customdata}: %{y:.3g}<extra></extra>",
            )
        )  # fmt: skip
    figure.add_vline(places[here], line={"color": INK, "dash": "dash", "width": 2})
    figure.update_xaxes(
        tickvals=places[labelled], ticktext=["0" if dampings[k] == 0 else f"{dampings[k]:g}" for k in labelled]
    )
    words = f"{plain(f'predicted change, {unit}')}<br>{meant.axis}"
    return figure.update_yaxes(title=words, zeroline=True, zerolinecolor=INK)
