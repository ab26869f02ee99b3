"""Two models on the same data, asked about the same test point: their scores joined per training point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from influence_core.agreement import Agreement, agreement
from influence_core.analysis import Analysis
from influence_core.compute import FloatArray, numpy
from influence_core.models import applicable_models, usual_penalty
from influence_core.settings import ModelSettings, Settings


@dataclass(frozen=True, eq=False)
class Joined:
    """Scores of two models for the same n training points.

    Attributes:
        table: one row per training point: id, first, second (predicted changes in the unit of each model), place_first
            and place_second (signed distance to the boundary, or output, see :func:`place`), rank_first, rank_second.
        agreed: r, ρ and overlap of the top lists of the second on the first.
        units: of both scores.
        places: what the two places are.
    """

    table: pd.DataFrame
    agreed: Agreement
    units: tuple[str, str]
    places: tuple[str, str]

    def top(self, which: str, count: int, sign: int) -> NDArray[np.int64]:
        """Rows with the most positive (sign +1) or negative (−1) scores of ``first`` or ``second``.

        Returns:
            At most ``count`` rows of that sign, strongest first.
        """
        scores = sign * self.table[which].to_numpy()
        order = np.argsort(-scores, kind="stable")[:count]
        return order[scores[order] > 0]


def applicable(analysis: Analysis) -> list[str]:
    """Models that fit the data of an analysis.

    Returns:
        Names in ``MODELS``.
    """
    return applicable_models(analysis.problem.split.train)


def second_settings(settings: Settings, name: str) -> Settings:
    """The same data and seed with another model, its own options at their defaults.

    The penalty is kept between linear predictors and between networks; what suits one would undo the other.

    Returns:
        The settings; with a quantity and an estimator that every model has.
    """
    if name == settings.model.name:
        return settings
    return replace(settings, model=ModelSettings(name, usual_penalty(settings.model, name)), quantity="loss", target=-1)


def place(analysis: Analysis) -> tuple[FloatArray, str]:
    """Where each training point lies for the model: its signed distance to the boundary where that is defined.

    Returns:
        (n,) and what it is: signed distance for two classes and a linear boundary, margin otherwise, output for
        regression.
    """
    fitted = analysis.problem.fitted
    outputs = numpy(fitted.outputs)
    if not analysis.problem.split.train.classes:
        return outputs[:, 0], "predicted target"
    if outputs.shape[1] == 1 and fitted.theta.numel() == fitted.train.x.shape[1]:
        weights = fitted.theta[: analysis.problem.split.train.x.shape[1]]
        return outputs[:, 0] / float(weights.norm()), "signed distance to the boundary"
    margins = fitted.model.loss.margins(fitted.outputs, fitted.train.y)
    assert margins is not None  # classes
    return numpy(margins), "margin of the true class"


def joined(first: Analysis, second: Analysis, test: int) -> Joined:
    """Both models' scores at one test point, in the order of the training points."""
    columns: dict[str, FloatArray | NDArray[np.str_]] = {"id": first.problem.split.train.ids}
    units, places = [], []
    for name, analysis in (("first", first), ("second", second)):
        columns[name] = analysis.scores([test])[:, 0]
        columns[f"place_{name}"], words = place(analysis)
        units.append(analysis.unit)
        places.append(words)
    table = pd.DataFrame(columns)
    for name in ("first", "second"):
        table[f"rank_{name}"] = table[name].abs().rank(ascending=False, method="min").astype(int)
    agreed = agreement(table["second"].to_numpy(), table["first"].to_numpy())
    return Joined(table, agreed, (units[0], units[1]), (places[0], places[1]))
