"""Figure A: linear regression on a noisy plane, where every leave-one-out change can be compared with influence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.agreement import agreement
from influence_core.analysis import Analysis, analyse
from influence_core.compute import FloatArray, Task
from influence_core.influence.effects import parameter_change_norm
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

SETTINGS = Settings(DataSettings("linear_example"), ModelSettings("linear", intercept=False))


def _moved(analysis: Analysis, test: int) -> tuple[FloatArray, FloatArray]:
    """(n,) measured changes of the loss at the test point, and (n,) norms of the measured changes of θ."""
    fitted = analysis.problem.fitted
    asked = fitted.batch(analysis.problem.split.test.take(np.array([test])))
    refits = leave_one_out(fitted, Question(asked), keep=True)
    assert refits.parameters is not None  # asked for
    return refits.change[:, 0], np.linalg.norm(refits.parameters - fitted.theta.cpu().numpy(), axis=1)


def linear_regression(chosen: Chosen, task: Task) -> Figure:
    """Leave-one-out against influence, for the loss at one point and for ‖θ̂₋ᵢ − θ̂‖.

    Returns:
        Table ``points``: one row per training point, changes in squared target units and in units of θ.
    """
    test, analysis = int(chosen["test"]), analyse(SETTINGS)
    train, fitted = analysis.problem.split.train, analysis.problem.fitted
    loss, theta = _moved(analysis, test)
    predicted = analysis.scores([test])[:, 0]
    norms = parameter_change_norm(analysis.influence)
    task.tick(1, 1)
    points = pd.DataFrame(
        {
            "id": train.ids,
            "x1": train.x[:, 0],
            "x2": train.x[:, 1],
            "loss_change": predicted,
            "loo_loss_change": loss,
            "parameter_change_norm": norms,
            "loo_parameter_change_norm": theta,
        }
    )
    found, moves = agreement(loss, predicted), agreement(theta, norms)
    at, default = float((train.y[test] - train.x[test] @ fitted.theta.cpu().numpy()) ** 2), test == 7
    nan = float("nan")
    numbers = (
        Number("θ̂₁", float(fitted.theta[0]), 0.27816619),
        Number("θ̂₂", float(fitted.theta[1]), 0.71295385),
        Number(f"loss at point {test}, squared target units", at, 0.00720099 if default else nan),
        Number("slope of LOO on influence, loss", found.slope.value or nan, 1.02 if default else nan),
        Number("r of LOO and influence, loss", found.r.value or nan, 0.99994 if default else nan),
        Number("slope of LOO on influence, ‖change of θ‖", moves.slope.value or nan),
        Number("r of LOO and influence, ‖change of θ‖", moves.r.value or nan),
    )
    return Figure({"points": points}, numbers)


LINEAR_REGRESSION = FigureEntry(
    title="In linear regression influence finds the same points as leaving each out",
    source="The linear-regression notebook of the reproduction of "
    "[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730)",
    run=linear_regression,
    options=(Option("test", 7, "Test point", 0, 99),),
    settings=SETTINGS,
)
