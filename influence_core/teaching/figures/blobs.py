"""Figure G: Gaussian blobs whose optimal boundary is known, fitted to the minimum and by AdamW."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from influence_core.agreement import agreement
from influence_core.analysis import Analysis, analyse
from influence_core.compute import FloatArray, Task
from influence_core.data import Split
from influence_core.influence import effects
from influence_core.settings import DataSettings, ModelSettings, Option, Settings, SolverSettings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

SHOWN = 100
SETTINGS = Settings(
    DataSettings("blobs", validation_fraction=0.1, test_fraction=0.2, flip_fraction=0.05),
    ModelSettings("logistic", 0.05, fit="adamw"),
)


def blobs(chosen: Chosen, task: Task) -> Figure:
    """Both fits, their errors beside the smallest possible one, and who shapes the average test loss.

    Returns:
        Tables ``examples`` (train and test), ``boundaries`` (weights·x = offset in the unit of x), ``curves`` (J and
        validation loss per epoch of AdamW), ``confusion``, and ``influence`` (the first 100 training points, mean
        over all test points, by the direct solver and by CG).
    """
    settings = replace(
        SETTINGS, data=replace(SETTINGS.data, flip_fraction=float(chosen["flips"])), seed=int(chosen["seed"])
    )
    trained = analyse(settings)
    exact = analyse(replace(settings, model=replace(settings.model, fit="newton")))
    task.tick(1, 3)
    split = exact.problem.split
    direct = exact.scores(range(len(split.test)), mean=True)[:, 0]
    cg = analyse(replace(exact.settings, solver=SolverSettings("cg"))).scores(range(len(split.test)), mean=True)[:, 0]
    task.tick(2, 3)
    tables = {
        "examples": _examples(split),
        "boundaries": pd.DataFrame([_optimal(split), _fitted("Newton", exact), _fitted("AdamW", trained)]),
        "curves": _curves(trained),
        "confusion": pd.concat([_confusion("Newton", exact), _confusion("AdamW", trained)]),
        "influence": _influence(split, direct, cg),
    }
    task.tick(3, 3)
    return Figure(tables, tuple(_numbers(exact, trained, direct, cg)))


def perturbation_tensor(settings: Settings) -> FloatArray:
    """Predicted change of every test loss when one feature of one training point grows by one unit.

    Returns:
        (m, n, d), nats per unit of the scaled feature.
    """
    found = analyse(settings)
    rows = np.arange(len(found.problem.split.train))
    return effects.perturbation_change(found.influence, found.everywhere, rows).transpose(2, 0, 1)


def _examples(split: Split) -> pd.DataFrame:
    tables = []
    for part, data in (("train", split.train), ("test", split.test)):
        x = split.scaling.invert(data.x)
        flipped = split.flipped if part == "train" else np.zeros(len(data), dtype=bool)
        names = np.asarray(data.class_names)[data.y]
        columns = {"id": data.ids, "part": part, "x1": x[:, 0], "x2": x[:, 1], "class": names, "flipped": flipped}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _optimal(split: Split) -> dict[str, float | str]:
    boundary = split.boundary
    assert boundary is not None  # a generator's
    return {
        "fit": "optimal",
        "w1": boundary.weights[0],
        "w2": boundary.weights[1],
        "offset": boundary.offset,
        "error": boundary.bayes_error,
    }


def _fitted(name: str, analysis: Analysis) -> dict[str, float | str]:
    """The fitted boundary in the unit of the source, and its share of wrong test points."""
    split, theta = analysis.problem.split, analysis.problem.fitted.theta.cpu().numpy()
    weights = theta[:2] / split.scaling.scale
    offset = float(weights @ split.scaling.mean - theta[2])
    error = float(np.mean(analysis.problem.misclassified))
    return {"fit": name, "w1": float(weights[0]), "w2": float(weights[1]), "offset": offset, "error": error}


def _curves(trained: Analysis) -> pd.DataFrame:
    fit = trained.problem.fitted.fit
    epochs = np.arange(1, len(fit.history) + 1)
    return pd.DataFrame({"epoch": epochs, "objective": fit.history, "validation_loss": fit.validation})


def _confusion(name: str, analysis: Analysis) -> pd.DataFrame:
    test, predicted = analysis.problem.split.test, analysis.problem.predictions.argmax(1)
    names = test.class_names
    rows = [(name, names[a], names[b], int(np.sum((test.y == a) & (predicted == b)))) for a in (0, 1) for b in (0, 1)]
    return pd.DataFrame(rows, columns=["fit", "true_class", "predicted_class", "count"])


def _influence(split: Split, direct: FloatArray, cg: FloatArray) -> pd.DataFrame:
    train, first = split.train, slice(SHOWN)
    x = split.scaling.invert(train.x)[first]
    columns = {"id": train.ids[first], "x1": x[:, 0], "x2": x[:, 1], "class": np.asarray(train.class_names)[train.y]}
    columns["class"] = columns["class"][first]
    return pd.DataFrame(columns | {"flipped": split.flipped[first], "direct": direct[first], "cg": cg[first]})


def _numbers(exact: Analysis, trained: Analysis, direct: FloatArray, cg: FloatArray) -> list[Number]:
    flipped, found = exact.problem.split.flipped, agreement(direct, cg)
    nan = float("nan")
    return [
        Number("Bayes error", float(_optimal(exact.problem.split)["error"])),
        Number("test error, Newton", float(_fitted("", exact)["error"])),
        Number("test error, AdamW", float(_fitted("", trained)["error"])),
        Number("‖∇J‖ after Newton", exact.problem.fitted.fit.gradient_norm),
        Number("‖∇J‖ after AdamW", trained.problem.fitted.fit.gradient_norm),
        Number("largest difference of direct and CG, of the largest score", float(_gap(direct, cg))),
        Number("slope of direct on CG", found.slope.value or nan),
        Number("share of flipped labels that are harmful", _share_harmful(direct[flipped])),
        Number("share of the other labels that are harmful", _share_harmful(direct[~flipped])),
    ]


def _share_harmful(scores: FloatArray) -> float:
    return float(np.mean(scores < 0)) if len(scores) else float("nan")


def _gap(direct: FloatArray, cg: FloatArray) -> float:
    return float(np.abs(direct - cg).max() / np.abs(direct).max())


BLOBS = FigureEntry(
    title="Two Gaussian clouds: flipped labels stand out, and an optimiser that stops short moves the ground",
    source="The Gaussian-blobs notebook of the reproduction of "
    "[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730)",
    run=blobs,
    options=(Option("flips", 0.05, "Share of flipped labels", 0.0, 0.3), Option("seed", 0, "Seed", 0, 10_000)),
    settings=SETTINGS,
)
