"""Figures B and C: the published solver settings against leave-one-out, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from influence_core.agreement import agreement
from influence_core.analysis import Analysis, analyse
from influence_core.compute import FloatArray, Task, numpy
from influence_core.settings import DataSettings, ModelSettings, Option, Options, Settings, SolverSettings, Value
from influence_core.teaching.figures.figure import Chosen, Figure, FigureEntry, Number

NAN = float("nan")
FIRES = 516  # rows left when one is held out
RIDGE_SETTINGS: tuple[float, int] = (400.0, 2_000)  # s and m of the paper
RUNS = 10
PANELS = (
    "CG",
    "LiSSA, one run",
    "LiSSA, mean of ten runs",
    "full Taylor at the same settings",
    "LiSSA, automatic settings",
)


@dataclass(frozen=True, eq=False)
class Panel:
    """One solver's scores at the test point, and what the solve left over."""

    name: str
    scores: FloatArray
    residual: float

    def against(self, loo: FloatArray) -> tuple[float, float]:
        """r, and slope of LOO on the scores; NaN where undefined."""
        found = agreement(loo, self.scores)
        r, slope = found.r.value, found.slope.value
        return NAN if r is None else r, NAN if slope is None else slope


def panel(settings: Settings, name: str, test: int, options: Options = ()) -> Panel:
    """First-order scores with one solver."""
    analysis = analyse(replace(settings, solver=SolverSettings(name, options=options)))
    watched = analysis.watched([test], mean=True)
    scores = analysis.scores([test])[:, 0]
    return Panel(name, scores, float(analysis.influence.solved(watched).residual.max()))


def as_published(scale: float, depth: int, draw: int = 0, repeats: int = 1) -> Options:
    """LiSSA as the paper runs it: one uniformly drawn example per step, nothing corrected afterwards.

    Returns:
        Options of the solver ``lissa``.
    """
    chosen: dict[str, Value] = {
        "scale": scale,
        "depth": depth,
        "batch": 1,
        "repeats": repeats,
        "rounds": 1,
        "sampling": "uniform",
    }
    return tuple(sorted({**chosen, "tolerance": 1e-14, "draw": draw}.items()))


def truncated(analysis: Analysis, test: int, scale: float, depth: int) -> Panel:
    """The full Taylor series after ``depth`` steps, in the eigenbasis of H instead of by products.

    V_m / s = (1/s) Σ_{k=0}^{m} (1 − λ/s)^k q = (1 − (1 − λ/s)^{m+1}) / λ q for every eigenvalue λ: what LiSSA is in
    the mean, so the distance from H⁻¹q is the bias that no number of repeats removes.
    """
    spectrum, watched = analysis.problem.spectrum, analysis.watched([test], mean=True)
    values = spectrum.eigenvalues.clamp(min=1e-300)
    kept = -torch.expm1((depth + 1) * torch.log1p(-(values / scale).clamp(max=1 - 1e-16)))
    q = spectrum.vectors.T @ watched.gradient
    solved = spectrum.vectors @ (q * (kept / values)[:, None])
    fitted, influence = analysis.problem.fitted, analysis.influence
    n = len(fitted.train)
    scores = fitted.linear.gradient_dot(fitted.train.x, fitted.residuals, solved, 1 / n)
    scores = scores + (influence.folded @ solved) / n
    left = float((q * (1 - kept)[:, None]).norm() / q.norm())
    return Panel("taylor", numpy(scores)[:, 0], left)


def ridge_settings(row: int, encoding: str = "ordinal") -> Settings:
    """Ridge on the forest fires, λ = 1 as total penalty λ‖θ‖², one row held out."""
    data = DataSettings("forest_fires", (("encoding", encoding), ("held_out", row)))
    return Settings(data, ModelSettings("ridge", 2 / FIRES))


def ridge(chosen: Chosen, task: Task) -> Figure:
    """Explicit inverse, CG, full Taylor and LiSSA at the paper's settings, each against leave-one-out.

    Returns:
        Tables ``panels`` (one row per solver and training point), ``summary`` (r, slope, relative residual) and
        ``choices`` (r by encoding and held-out row).
    """
    row, runs = int(chosen["row"]), int(chosen["runs"])
    settings = ridge_settings(row)
    analysis, (scale, depth) = analyse(settings), RIDGE_SETTINGS
    loo = analysis.problem.loo().change[:, 0]
    found = [panel(settings, "cholesky", 0), panel(settings, "cg", 0)]
    series: Options = (("max_products", depth), ("scale", scale), ("tolerance", 1e-14))
    found.append(panel(settings, "taylor", 0, series))
    choices, ids = _choices(row), analysis.problem.split.train.ids

    def tables() -> dict[str, pd.DataFrame]:
        return {"panels": _long(found, ids, loo), "summary": _summary(found, loo), "choices": choices}

    for draw in range(runs):
        run = partial(panel, settings, "lissa", 0, as_published(scale, depth, draw))
        found.append(_kept_panel(task, f"figure-b:{settings.key()}", f"lissa, run {draw}", run))
        task.show(Figure(tables(), ()))
        task.tick(draw + 1, runs + 1)
    newton = analyse(replace(settings, estimator="newton")).scores([0])[:, 0]
    found.append(Panel("one-step Newton", newton, found[0].residual))
    return Figure(tables(), tuple(_ridge_numbers(found, loo, row)))


def _choices(row: int) -> pd.DataFrame:
    """How r depends on what is chosen without a word: encoding and held-out row."""
    rows = []
    for encoding in ("ordinal", "one-hot"):
        for held_out in sorted({40, 41, 42, 43, row}):
            settings = ridge_settings(held_out, encoding)
            loo = analyse(settings).problem.loo().change[:, 0]
            r, slope = panel(settings, "cholesky", 0).against(loo)
            rows.append((encoding, held_out, r, slope))
    return pd.DataFrame(rows, columns=["encoding", "held_out_row", "r", "slope"])


def _long(found: list[Panel], ids: np.ndarray, loo: FloatArray) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"id": ids, "solver": one.name, "loss_change": one.scores, "loo_loss_change": loo})
        for one in found
    ]
    return pd.concat(parts, ignore_index=True)


def _summary(found: list[Panel], loo: FloatArray) -> pd.DataFrame:
    rows = [(one.name, *one.against(loo), one.residual) for one in found]
    return pd.DataFrame(rows, columns=["solver", "r", "slope", "relative_residual"])


def _ridge_numbers(found: list[Panel], loo: FloatArray, row: int) -> list[Number]:
    inverse, cg, taylor = found[:3]
    lissa, newton = found[3:-1], found[-1]
    r, slope = inverse.against(loo)
    published = row == 41
    return [
        Number("r of the explicit inverse", r, 0.995 if published else NAN),
        Number("slope of LOO on the explicit inverse", slope, 0.88 if published else NAN),
        Number("r of CG", cg.against(loo)[0], 0.995 if published else NAN),
        Number("relative residual of full Taylor at m = 2000, s = 400", taylor.residual),
        Number("r of full Taylor", taylor.against(loo)[0]),
        Number("smallest r of LiSSA over the runs", min(one.against(loo)[0] for one in lissa)),
        Number("largest r of LiSSA over the runs", max(one.against(loo)[0] for one in lissa)),
        Number("slope of LOO on one-step Newton", newton.against(loo)[1], 1.0),
    ]


def logistic_settings(source: str, folded: float) -> Settings:
    """Logistic regression of 1 against 7 with n·l2 = ``folded`` and the penalty in every example's loss."""
    data = DataSettings(source)
    n = len(analyse(Settings(data)).problem.split.train)
    return Settings(data, ModelSettings("logistic", folded / n, fold_penalty=True))


def logistic(chosen: Chosen, task: Task) -> Figure:
    """CG, and LiSSA at the paper's settings once and averaged over ten runs, against LOO; the bias beside the variance.

    Returns:
        Tables ``panels``, ``summary``, ``pictures`` (rows of an easy and a hard training image) and ``sides`` (how
        many points of each class are helpful and harmful).
    """
    source = "mnist" if str(chosen["images"]) == "bundled" else "mnist_large"
    test, settings = int(chosen["test"]), logistic_settings(source, float(chosen["penalty"]))
    analysis, scale, depth = analyse(settings), float(chosen["scale"]), int(chosen["steps"])
    loo = analysis.problem.loo(task=replace(task, report=lambda _done, _total: None)).change[:, test]
    makers: tuple[Callable[[], Panel], ...] = (
        partial(panel, settings, "cg", test),
        partial(panel, settings, "lissa", test, as_published(scale, depth)),
        partial(panel, settings, "lissa", test, as_published(scale, depth, 1, RUNS)),
        partial(truncated, analysis, test, scale, depth),
        partial(panel, settings, "lissa", test),
    )
    task.tick(1, 1 + len(makers))
    key, found = f"figure-c:{settings.key()}:{test}:{scale:g}:{depth}", list[Panel]()
    for name, make in zip(PANELS, makers, strict=True):
        found.append(_kept_panel(task, key, name, make))
        task.show(_compared(analysis, found, loo, test))
        task.tick(1 + len(found), 1 + len(makers))
    return _compared(analysis, found, loo, test)


def _kept_panel(task: Task, key: str, name: str, make: Callable[[], Panel]) -> Panel:
    """One panel; with a store, it is kept."""

    def arrays() -> dict[str, FloatArray]:
        made = make()
        return {"scores": made.scores, "residual": np.asarray(made.residual)}

    found = task.kept(f"{key}:{name}", arrays)
    return Panel(name, found["scores"], float(found["residual"]))


def _compared(analysis: Analysis, found: list[Panel], loo: FloatArray, test: int) -> Figure:
    """Figure C with as many panels as there are; numbers once there are all."""
    split = analysis.problem.split
    tables = {
        "panels": _long(found, split.train.ids, loo),
        "summary": _summary(found, loo),
        "pictures": _pictures(analysis, found[0].scores, test),
        "sides": _sides(analysis, found[0].scores),
    }
    return Figure(tables, tuple(_logistic_numbers(found, loo)) if len(found) == len(PANELS) else ())


def _pictures(analysis: Analysis, scores: FloatArray, test: int) -> pd.DataFrame:
    split = analysis.problem.split
    easy, hard = int(np.abs(scores).argmin()), int(scores.argmin())
    rows = [
        ("test digit", "test", test, split.test.ids[test], NAN),
        ("smallest |score| (easy)", "train", easy, split.train.ids[easy], scores[easy]),
        ("most harmful (hard)", "train", hard, split.train.ids[hard], scores[hard]),
    ]
    return pd.DataFrame(rows, columns=["what", "part", "row", "id", "loss_change"])


def _sides(analysis: Analysis, scores: FloatArray) -> pd.DataFrame:
    train = analysis.problem.split.train
    rows = [
        (name, int((scores[train.y == k] > 0).sum()), int((scores[train.y == k] < 0).sum()))
        for k, name in enumerate(train.class_names)
    ]
    return pd.DataFrame(rows, columns=["class", "helpful", "harmful"])


def _logistic_numbers(found: list[Panel], loo: FloatArray) -> list[Number]:
    cg, once, mean, taylor, good = found
    size = float(np.linalg.norm(cg.scores))
    bias = float(np.linalg.norm(taylor.scores - cg.scores)) / size
    noise = [float(np.linalg.norm(one.scores - taylor.scores)) / size for one in (once, mean)]
    return [
        Number("r of CG", cg.against(loo)[0]),
        Number("slope of LOO on CG", cg.against(loo)[1]),
        Number("r of LiSSA, one run", once.against(loo)[0]),
        Number("r of LiSSA, mean of ten runs", mean.against(loo)[0]),
        Number("noise of one run: its distance from full Taylor, of ‖score‖", noise[0]),
        Number("noise of the mean of ten runs, of ‖score‖", noise[1]),
        Number("bias of these settings: full Taylor minus CG, of ‖score‖", bias),
        Number("r of full Taylor at these settings", taylor.against(loo)[0]),
        Number("slope of LOO on full Taylor at these settings", taylor.against(loo)[1]),
        Number("r of LiSSA with automatic settings", good.against(loo)[0]),
        Number("slope of LOO on LiSSA with automatic settings", good.against(loo)[1]),
    ]


RIDGE = FigureEntry(
    title="Four ways to the inverse Hessian, one experiment",
    source="Figure of the reproduction of [Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730) "
    "on ForestFires ([Cortez & Morais 2007](https://doi.org/10.24432/C5D88D))",
    run=ridge,
    options=(Option("row", 41, "Held-out row", 0, FIRES), Option("runs", 5, "Runs of LiSSA", 2, 20)),
    settings=ridge_settings(41),
)
LOGISTIC = FigureEntry(
    title="Averaging removes the noise of LiSSA, not its bias",
    source="[Koh & Liang 2017](https://doi.org/10.48550/arXiv.1703.04730), figure 2, and its reproduction",
    run=logistic,
    options=(
        Option("images", "bundled", "Images", choices=("bundled", "data folder")),
        Option("test", 6, "Test point", 0, 99),
        Option("penalty", 2000.0, "n·l2", 1.0, 1e5),
        Option("scale", 1e3, "Scale s of LiSSA", 10.0, 1e6),
        Option("steps", 10_000, "Steps m of LiSSA", 10, 100_000),
    ),
    settings=Settings(DataSettings("mnist"), ModelSettings("logistic", 2000 / 900, fold_penalty=True)),
)
