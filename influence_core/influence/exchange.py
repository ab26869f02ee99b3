"""The score of one training point over the features of what is asked about, and over pairs of features of both.

influence(i → j) = (1/n) Σ_{k,l} x_ik r_iᵀ (A⁻¹)_kl u_j x_jl with u_j = ∂m/∂f: summed over l it is the share of the
training point's feature k (``shares``), summed over k that of the test point's feature l.  One-step Newton: ρ_i and
mean slopes, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.compute import FloatArray, numpy
from influence_core.influence.shares import Bilinear, Shares, newton_sides, splitting, with_own
from influence_core.influence.watched import Influence, Watched, training_gradients

MOST = 400  # features of a side of the table


@dataclass(frozen=True, eq=False)
class Exchange:
    """The score of one training point in parts that sum to it.

    Attributes:
        table: (k, l) over features of the training point and of what is asked about.
        train: (k,) which features; those that are not zero.
        test: (l,) which features.
        rest: what the intercepts and a folded penalty carry.
        score: the sum of all.
    """

    table: FloatArray
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    rest: float
    score: float


def asked_shares(influence: Influence, watched: Watched, row: int, estimator: str = "influence") -> Shares:
    """The score of training point ``row`` over the features of the test point, or of the group that is watched.

    Returns:
        Shares in the unit of the score; their sum is the score to rounding.
    """
    sides, width = _sides(influence, watched, row, estimator), _width(influence)
    parts = (sides.asked * sides.step).view(-1, width).sum(0)
    penalty = float(_folded(influence, watched, estimator) @ sides.step)
    constant = influence.fitted.linear.intercept
    features = parts[:-1] if constant else parts
    weights = watched.batch.x.new_ones(len(watched.batch), 1) if watched.combine is None else watched.combine
    values = (weights.T @ watched.batch.x)[0, : len(features)]
    intercept = float(parts[-1]) if constant else 0.0
    found = Shares(numpy(features), numpy(values), intercept, penalty, None, float(parts.sum()) + penalty)
    return with_own(found, sides)


def exchange(influence: Influence, watched: Watched, row: int, estimator: str = "influence") -> Exchange:
    """The score over pairs of features, by one solve for every feature of what is asked about.

    Of a side with more than ``MOST`` features that are not zero, those with the largest shares; the others are in
    ``rest``.
    """
    sides, width = _sides(influence, watched, row, estimator), _width(influence)
    constant = int(influence.fitted.linear.intercept)
    asked, x = sides.asked.view(-1, width), influence.fitted.train.x[row]
    test = _largest((sides.asked * sides.step).view(-1, width).sum(0).abs(), asked.abs().sum(0) > 0, constant)
    columns = asked.new_zeros(len(asked), width, len(test))
    columns[:, test, torch.arange(len(test))] = asked[:, test]
    solved = sides.solve(columns.view(-1, len(test))).view(len(asked), width, -1)
    pairs = torch.einsum("a,akl->kl", sides.residual, solved) * x[:, None] / len(influence.fitted.train)
    train = _largest(pairs.abs().sum(1), x != 0, constant)
    plain = float((sides.asked + _folded(influence, watched, estimator)) @ sides.step)
    # Rankings divide the first-order score, and its parts with it.
    table = numpy(pairs[train]) * ((sides.score - sides.own) / plain if plain else 0.0)
    return Exchange(table, train.numpy(), test.numpy(), sides.score - float(table.sum()), sides.score)


def asked_column(influence: Influence, watched: Watched, feature: int) -> Tensor:
    """A⁻¹ (u ⊗ x_jl e_l), (p, 1): against g_i/n it is what feature l of the test point has of the first-order score."""
    width, asked = _width(influence), watched.gradient[:, 0] - _folded(influence, watched, "influence")
    column = torch.zeros_like(asked).view(-1, width)
    column[:, feature] = asked.view(-1, width)[:, feature]
    return influence.solve(column.reshape(-1, 1)).value


def _sides(influence: Influence, watched: Watched, row: int, estimator: str) -> Bilinear:
    """Both sides of a score of this estimator."""
    entry = splitting(estimator)
    if estimator == "newton":
        return newton_sides(influence, watched, row)
    fitted = influence.fitted
    score = float(entry.one(influence, watched, row)[0])
    g = training_gradients(influence, slice(row, row + 1)) / len(fitted.train)
    step = influence.solve(g).value if entry.curvature else g
    slopes = watched.quantity.residuals(fitted.linear.loss, watched.outputs, watched.batch.y, watched.target)
    if watched.combine is not None:
        slopes = slopes * watched.combine
    asked = fitted.linearised.pullback(watched.batch.x, slopes).sum(0)
    solve = (lambda b: influence.solve(b).value) if entry.curvature else (lambda b: b)
    return Bilinear(fitted.residuals[row], step[:, 0], slopes, asked, solve, 0.0, score)


def _folded(influence: Influence, watched: Watched, estimator: str) -> Tensor:
    """(p,) what a folded penalty adds to the gradient of a watched loss, to first order."""
    counts = len(watched.batch) if watched.combine is None else float(watched.combine.sum())
    first = watched.quantity.penalised and estimator != "newton"
    return influence.folded * (counts if first else 0.0)


def _width(influence: Influence) -> int:
    """d̄, features and intercept."""
    return influence.fitted.size // influence.fitted.linear.loss.outputs


def _largest(sizes: Tensor, there: Tensor, constant: int) -> Tensor:
    """Places of the largest features that are there, ascending; the intercept is none."""
    features = len(sizes) - constant
    places = torch.nonzero(there[:features])[:, 0]
    chosen: Tensor = places[torch.argsort(-sizes[places], stable=True)[:MOST]]
    return chosen.sort().values
