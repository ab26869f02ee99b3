"""Figures E and F: the linear support vector classifier on Iris, through its smoothed hinge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.svm import SVC

from influence_core.agreement import agreement
from influence_core.analysis import analyse
from influence_core.compute import FloatArray, Task
from influence_core.data import Split, load
from influence_core.data.dataset import Dataset, Table
from influence_core.data.split import split
from influence_core.influence import estimators
from influence_core.influence.watched import Influence, watch
from influence_core.models import Fit, FittedModel, LinearModel, fit
from influence_core.models.losses import SmoothedHinge
from influence_core.settings import DataSettings, ModelSettings, Option, Settings, SolverSettings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

PENALTY = 2.0  # λ of (λ/2)‖β‖² beside the summed hinge losses, so l2 = λ/n
TEST = 10
TEMPERATURES = (0.001, 0.01, 0.1, 1.0)
ESTIMATED = ((0.01, "influence"), (0.01, "newton"), (0.1, "influence"), (0.1, "newton"), (0.0, "influence"))
PRINTED = {0.01: 0.8602, 0.1: 0.7700}


def iris(seed: int) -> Split:
    """Versicolor and virginica with ten random test points held out together.

    Returns:
        90 training and 10 test points, features in centimetres.
    """
    whole = load(DataSettings("iris", standardise=False, test_fraction=0.01), 0)
    x, y = np.vstack([whole.train.x, whole.test.x]), np.concatenate([whole.train.y, whole.test.y])
    ids = np.concatenate([whole.train.ids, whole.test.ids])
    order = np.argsort(ids)
    data = Dataset(x[order], y[order], ids[order], whole.train.feature_names, whole.train.class_names, "species")
    rows = np.random.default_rng([seed, 5]).permutation(len(data))
    table = Table(data, train=np.sort(rows[TEST:]), test=np.sort(rows[:TEST]))
    return split(table, DataSettings("iris", standardise=False), seed)


def measured(parts: Split) -> FloatArray:
    """Exact leave-one-out changes of the exact hinge loss; points that are no support vectors change nothing.

    Returns:
        (n, m), hinge units.
    """
    train = parts.train
    whole = _machine().fit(train.x, train.y)
    before, change = _hinge(whole, parts.test), np.zeros((len(train), len(parts.test)))
    for row in whole.support_:
        kept = np.delete(np.arange(len(train)), row)
        change[row] = _hinge(_machine().fit(train.x[kept], train.y[kept]), parts.test) - before
    return change


def _machine() -> SVC:
    """The same objective with the exact hinge: C = 1/(n·l2) = 1/λ, whoever leaves."""
    return SVC(kernel="linear", C=1 / PENALTY, tol=1e-9)


def _hinge(machine: SVC, data: Dataset) -> FloatArray:
    return np.asarray(np.maximum(0.0, 1 - (2.0 * data.y - 1) * machine.decision_function(data.x)))


def smoothed(parts: Split, t: float) -> Influence:
    """The smoothed hinge with temperature t on the same data; at t = 0 the exact hinge with δ = l2.

    At t = 0 H is l2·I with a zero for the intercept, which only a damping makes invertible.
    """
    l2 = PENALTY / len(parts.train)
    if t > 0:
        fitted = fit(ModelSettings("hinge", l2, options=(("t", t),)), parts, device="cpu")
        return Influence(fitted, SolverSettings())
    machine = _machine().fit(parts.train.x, parts.train.y)
    model = LinearModel(SmoothedHinge(0.0), l2)
    theta = torch.from_numpy(np.append(machine.coef_[0], machine.intercept_))
    train = model.batch(parts.train, torch.device("cpu"))
    gradient = model.objective(theta, train)[1]
    return Influence(
        FittedModel(model, train, Fit(theta, "svc", float(gradient.norm()), 0.0, ())), SolverSettings(damping=l2)
    )


@dataclass(frozen=True, eq=False)
class Replicate:
    """Predicted and measured changes of one draw of ten test points, for one t and estimator."""

    seed: int
    t: float
    estimator: str
    predicted: FloatArray
    measured: FloatArray

    def row(self) -> dict[str, float | int | str]:
        """Pooled over all pairs of a training and a test point.

        Returns:
            r and slope of LOO on predicted, and how many times larger the predictions are.
        """
        found = agreement(self.measured.ravel(), self.predicted.ravel())
        r, slope = found.r.value, found.slope.value
        size, nan = float(np.linalg.norm(self.measured)), float("nan")
        return {
            "draw": self.seed,
            "t": self.t,
            "estimator": self.estimator,
            "r": nan if r is None else r,
            "slope": nan if slope is None else slope,
            "times_too_large": float(np.linalg.norm(self.predicted)) / size if size else nan,
        }


def _draw(seed: int) -> list[Replicate]:
    parts = iris(seed)
    truth, found = measured(parts), []
    fitted = {t: smoothed(parts, t) for t, _ in ESTIMATED}
    for t, name in ESTIMATED:
        influence = fitted[t]
        asked = watch(influence.fitted, influence.fitted.batch(parts.test))
        found.append(Replicate(seed, t, name, estimators.scores(influence, asked, name), truth))
    return found


def hinge_smoothing(chosen: Chosen, task: Task) -> Figure:
    """Predicted against measured changes of the hinge loss over many draws of ten test points.

    Returns:
        Tables ``draws`` (r and slope per draw, t and estimator), ``pairs`` (every pair of the first draw) and
        ``curves`` (the smoothed hinge for several t).
    """
    count, draws = int(chosen["draws"]), []
    for seed in range(count):
        draws += _kept_draw(seed, task)
        task.show(_drawn(draws, seed + 1))
        task.tick(seed + 1, count)
    return _drawn(draws, count)


def _kept_draw(seed: int, task: Task) -> list[Replicate]:
    """One draw; with a store, it is kept."""

    def make() -> dict[str, FloatArray]:
        draws = _draw(seed)
        return {"measured": draws[0].measured, "predicted": np.stack([draw.predicted for draw in draws])}

    found = task.kept(f"hinge-draw:{IRIS.name}:{PENALTY:g}:{TEST}:{seed}", make)
    return [
        Replicate(seed, t, name, predicted, found["measured"])
        for (t, name), predicted in zip(ESTIMATED, found["predicted"], strict=True)
    ]


def _drawn(draws: list[Replicate], count: int) -> Figure:
    table = pd.DataFrame([draw.row() for draw in draws])
    return Figure({"draws": table, "pairs": _pairs(draws), "curves": hinge_curves()}, tuple(_numbers(table, count)))


def _pairs(draws: list[Replicate]) -> pd.DataFrame:
    first = [draw for draw in draws if draw.seed == 0 and draw.estimator == "influence"]
    return pd.concat(
        pd.DataFrame({"t": draw.t, "loss_change": draw.predicted.ravel(), "loo_loss_change": draw.measured.ravel()})
        for draw in first
    )


def _numbers(table: pd.DataFrame, count: int) -> list[Number]:
    first = table[table.estimator == "influence"]
    numbers = []
    for t, printed in PRINTED.items():
        r = first[first.t == t].r
        why = (
            f"The paper shows one draw; r of {count} draws spreads from {r.min():.2f} to {r.max():.2f}, the printed "
            f"value lies {'inside' if r.min() <= printed <= r.max() else 'outside'} that range."
        )
        numbers.append(Number(f"median r at t = {t}", float(r.median()), printed, why))
    for t in PRINTED:
        newton = table[(table.estimator == "newton") & (table.t == t)].r
        numbers.append(Number(f"median r of one-step Newton at t = {t}", float(newton.median())))
    sharp = first[first.t == 0].times_too_large
    numbers.append(Number("times too large at t = 0 with δ = l2: ‖predicted‖ / ‖LOO‖, median", float(sharp.median())))
    return numbers


def hinge_curves() -> pd.DataFrame:
    """h_t(s) = t·log(1 + e^{(1 − s)/t}) of the margin s = y f, and the hinge itself as t = 0.

    Returns:
        One row per t and s.
    """
    s = np.linspace(-1.0, 3.0, 161)
    f, y = torch.from_numpy(s)[:, None], torch.ones(len(s), dtype=torch.float64)
    return pd.concat(
        pd.DataFrame({"t": t, "margin": s, "loss": SmoothedHinge(t).values(f, y).numpy()}) for t in (0.0, *TEMPERATURES)
    )


def distances(chosen: Chosen, task: Task) -> Figure:
    """Scores of one test point against the signed distance to the boundary, for two models on the same split.

    Returns:
        Table ``points``: one row per model and training point; distance in standard deviations of the features,
        positive on the side of virginica.
    """
    test, tables = int(chosen["test"]), []
    for model, l2 in (("logistic", 0.01), ("hinge", 0.01)):
        options = (("t", float(chosen["t"])),) if model == "hinge" else ()
        analysis = analyse(Settings(IRIS, ModelSettings(model, l2, options=options), seed=int(chosen["seed"])))
        fitted, train = analysis.problem.fitted, analysis.problem.split.train
        if not test < len(analysis.problem.test):
            test = 0
        distance = fitted.outputs[:, 0] / fitted.theta[:-1].norm()
        tables.append(
            pd.DataFrame(
                {
                    "id": train.ids,
                    "model": model,
                    "class": np.asarray(train.class_names)[train.y],
                    "distance": distance.cpu().numpy(),
                    "loss_change": analysis.scores([test])[:, 0],
                }
            )
        )
        task.tick(len(tables), 2)
    points = pd.concat(tables, ignore_index=True)
    return Figure({"points": points}, tuple(_unused(points)))


def _unused(points: pd.DataFrame) -> list[Number]:
    """How much the half of the training points that lies farthest from the boundary contributes, per model."""
    numbers = []
    for model, rows in points.groupby("model", sort=False):
        far = rows.distance.abs() >= rows.distance.abs().median()
        share = rows.loss_change.abs()[far].sum() / rows.loss_change.abs().sum()
        numbers.append(Number(f"share of the farther half in the summed |score|, {model}", float(share)))
    return numbers


def _seed(words: str) -> Option:
    return Option("seed", 0, words, 0, 10_000)


IRIS = DataSettings("iris")
HINGE_SMOOTHING = FigureEntry(
    title="A smoothed hinge makes influence of a support vector machine meaningful, within limits",
    source="[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730), figure 4, and its reproduction",
    run=hinge_smoothing,
    options=(Option("draws", 20, "Draws of ten test points", 6, 200),),
    settings=Settings(IRIS, ModelSettings("hinge", PENALTY / 90, options=(("t", 0.01),))),
)
DISTANCES = FigureEntry(
    title="Far points: exactly unused by the support vector machine, merely small for logistic regression",
    source="The reproduction of [Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730) on Iris",
    run=distances,
    options=(
        Option("test", 1, "Test point", 0, 9),
        Option("t", 0.01, "Smoothing t of the hinge", 1e-3, 1.0),
        _seed("Seed"),
    ),
    settings=Settings(IRIS, ModelSettings("hinge", 0.01, options=(("t", 0.01),))),
)
