"""Figure J: influence is a derivative, of the path on which one training point is weighted up or down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from influence_core.analysis import Analysis, analyse
from influence_core.compute import FloatArray, Task
from influence_core.models import FittedModel
from influence_core.models.fitting import newton
from influence_core.settings import DataSettings, ModelSettings, Option, Settings, SettingsError
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

REACH, STEPS = 3.0, 41  # the path runs from −REACH/n to REACH/n
SETTINGS = Settings(DataSettings("blobs", (("n", 100),)), ModelSettings("logistic", 0.01))


@dataclass(frozen=True, eq=False)
class Path:
    """Values of the watched loss along one way of changing the weight of a training point.

    Attributes:
        step: (k,) ε or h.
        loss: (k,) loss at the test point after refitting.
        theta: (k, p) refitted parameters.
        slope: derivative of the loss at step 0.
    """

    step: FloatArray
    loss: FloatArray
    theta: FloatArray
    slope: float

    @property
    def tangent(self) -> FloatArray:
        """(k,) loss at step 0 plus slope times step."""
        return np.asarray(self.loss[len(self.loss) // 2] + self.slope * self.step)


def up_weighted(analysis: Analysis, train: int, test: int, steps: FloatArray) -> Path:
    """θ̂(ε) minimises J(θ) + ε ℓ_i(θ), so a_i = 1 + nε; ε = −1/n is leaving out.

    Derivative at 0: dm_j/dε = −q_jᵀ H⁻¹ g_i = −n · loss_change[i, j].
    """
    n = len(analysis.problem.fitted.train)
    weights = np.ones((len(steps), n))
    weights[:, train] += n * steps
    return _path(analysis, test, steps, weights, -n * float(analysis.scores([test])[train, 0]))


def contaminated(analysis: Analysis, train: int, test: int, steps: FloatArray) -> Path:
    """θ(F_h) for the mixture F_h = (1 − h) F + h δ_z of the empirical distribution and a point mass at z = z_i.

    All weights are 1 − h, that of i grows by n·h; the penalty stays.  The Gâteaux derivative at h = 0 is
    −q_jᵀ H⁻¹ (g_i − ḡ) with ḡ = (1/n) Σ g_k = −l2·θ̂_penalised; without a penalty ḡ = 0 and it equals the derivative
    by ε.
    h = −1/n gives i the weight (1 + 1/n) − 1 = 1/n instead of 0: removal up to o(1/n).
    """
    fitted = analysis.problem.fitted
    n, model = len(fitted.train), fitted.linear
    weights = np.ones((len(steps), n)) * (1 - steps)[:, None]
    weights[:, train] += n * steps
    mean = mean_gradient(fitted)
    solved = analysis.influence.solved(analysis.watched([test])).value[:, 0]
    own = model.gradients(fitted.theta, fitted.train.take(slice(train, train + 1)))[0]
    return _path(analysis, test, steps, weights, -float(solved @ (own - mean)))


def mean_gradient(fitted: FittedModel) -> torch.Tensor:
    """ḡ = (1/n) Σ ∇ℓ_k(θ̂), the penalty left out, (p,)."""
    return (fitted.residuals.T @ fitted.train.x).reshape(-1) / len(fitted.train)


def _path(analysis: Analysis, test: int, steps: FloatArray, weights: FloatArray, slope: float) -> Path:
    fitted, asked = analysis.problem.fitted, analysis.problem.test.take(slice(test, test + 1))
    theta, losses = [], []
    for row in weights:
        found = newton(fitted.linear, fitted.train, torch.as_tensor(row, device=fitted.theta.device), fitted.theta)
        theta.append(found.theta.cpu().numpy())
        losses.append(float(fitted.model.losses(found.theta, asked)[0]))
    return Path(steps, np.array(losses), np.array(theta), slope)


def steps(n: int) -> FloatArray:
    """ε from −3/n to 3/n, 0 in the middle and −1/n among them.

    Negative weights of the point (ε < −1/n) go beyond removal: there the objective may cease to be convex, so the
    path ends at −1/n on that side.

    Returns:
        (k,), symmetric in its indices about 0.
    """
    half = STEPS // 2
    left, right = np.linspace(-1.0, 0.0, half + 1), np.linspace(0.0, REACH, half + 1)
    return np.concatenate([left, right[1:]]) / n


def derivative(chosen: Chosen, task: Task) -> Figure:
    """The true curves of the loss by refits along ε and h, their tangents at 0, and LOO at ε = −1/n.

    Returns:
        Table ``path``: way, step, loss, tangent, and θ̂ along the way.

    Raises:
        SettingsError: there is no such training point.
    """
    analysis = analyse(SETTINGS)
    train, test = int(chosen["train"]), int(chosen["test"])
    problem = analysis.problem
    n = len(problem.fitted.train)
    if train < 0:
        train = most_influential(analysis, test)
    if train >= n:
        raise SettingsError(f"Training point: expected a row from 0 to {n - 1}, got {train}.")
    along = steps(n)
    ways = {"ε: one point weighted up": up_weighted(analysis, train, test, along)}
    task.tick(1, 2)
    ways["h: mixture with a point mass"] = contaminated(analysis, train, test, along)
    task.tick(2, 2)
    return Figure({"path": _table(ways)}, tuple(_numbers(analysis, (train, test), ways)))


def most_influential(analysis: Analysis, test: int) -> int:
    """The training point with the largest |score| at a test point."""
    return int(np.abs(analysis.scores([test])[:, 0]).argmax())


def _table(ways: dict[str, Path]) -> pd.DataFrame:
    tables = []
    for name, path in ways.items():
        theta = {f"theta{k + 1}": path.theta[:, k] for k in range(path.theta.shape[1])}
        columns = {"way": name, "step": path.step, "loss": path.loss, "tangent": path.tangent, **theta}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _numbers(analysis: Analysis, at: tuple[int, int], ways: dict[str, Path]) -> list[Number]:
    (train, test), n = at, len(analysis.problem.fitted.train)
    first, second = ways.values()
    middle = len(first.step) // 2
    loo = float(first.loss[0] - first.loss[middle])
    h = float(second.loss[0] - second.loss[middle])
    nearest = _secant(first, middle)
    return [
        Number("training point", float(train)),
        Number("predicted loss change, nats", float(analysis.scores([test])[train, 0])),
        Number("LOO loss change, at ε = −1/n, nats", loo),
        Number("change at h = −1/n, nats", h),
        Number("derivative by ε, times −1/n, nats", -first.slope / n),
        Number("derivative by h, times −1/n, nats", -second.slope / n),
        Number("secant of the curve around ε = 0, times −1/n, nats", -nearest / n),
    ]


def _secant(path: Path, middle: int) -> float:
    """Second-order difference quotient on unequal steps either side of 0."""
    before, after = path.step[middle] - path.step[middle - 1], path.step[middle + 1] - path.step[middle]
    back = (path.loss[middle] - path.loss[middle - 1]) / before
    ahead = (path.loss[middle + 1] - path.loss[middle]) / after
    return float((back * after + ahead * before) / (before + after))


DERIVATIVE = FigureEntry(
    title="Influence is a derivative: the tangent at ε = 0, read off at ε = −1/n",
    source="[Hampel 1974](https://doi.org/10.1080/01621459.1974.10482962); "
    "[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730), section 2",
    run=derivative,
    options=(
        Option("train", -1, "Training point", -1, 89, empty="the most influential"),
        Option("test", 0, "Test point", 0, 9),
    ),
    settings=SETTINGS,
)
