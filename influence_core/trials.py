"""One system, every solver: factored and applied once, timed, and told apart from what the rest of the app shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from influence_core.compute import FloatArray, Task, numpy
from influence_core.curvature import Curvature, Samples
from influence_core.estimators import dots
from influence_core.influence import Influence, Watched
from influence_core.models import FittedModel, Network
from influence_core.models.chain import activations
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import SOLVERS, Factor, SingularError, Solution, factor

T = TypeVar("T")
REPEATS, QUICK = 3, 0.05  # solves that take less than this many seconds are timed again
# A factor is kept and asked again by other jobs, so the task to obey is that of the thread that asks.
_TASK: ContextVar[Task | None] = ContextVar("task", default=None)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A solver's factor, or the sentence that says why there is none."""

    influence: Influence
    factor: Factor | None
    seconds: float
    products: int = 0
    error: str = ""


@dataclass(frozen=True, eq=False)
class Trial:
    """What one solver made of one test point.

    Attributes:
        name: in ``SOLVERS``.
        title: for people.
        factor_seconds: measured once, on this server.
        solve_seconds: for one right-hand side.
        residual: relative residual of the solve; None where it failed.
        products: Hessian products, those before the first solve included.
        converged: whether the residual reached what the solver promises.
        says: advice, or the reason of the failure.
        scores: (n,) first-order predicted change; None where it failed.
        note: what the solver chose itself, and why.
        spread: relative standard error of a random solver over its repeats; None for others.
    """

    name: str
    title: str
    factor_seconds: float
    solve_seconds: float = 0.0
    residual: float | None = None
    products: int = 0
    converged: bool = False
    says: str = ""
    scores: FloatArray | None = None
    note: str = ""
    spread: float | None = None


def prepare(fitted: FittedModel, settings: SolverSettings, task: Task | None = None) -> Prepared:
    """Factor the system with one solver, and take the time.

    Returns:
        The factor; a refusal is a sentence, not an exception.
    """
    influence = Influence(fitted, settings)
    start = time.perf_counter()

    def work() -> tuple[Factor, int]:
        made = factor(settings, interruptible(influence.curvature))
        return made, int(getattr(made, "setup", 0))

    try:
        made, products = _obeying(task, work)
    except (SingularError, SettingsError) as error:
        return Prepared(influence, None, time.perf_counter() - start, error=str(error))
    return Prepared(influence, made, time.perf_counter() - start, products)


def trial(prepared: Prepared, watched: Watched, task: Task | None = None) -> Trial:
    """Ask one solver about one watched quantity.

    Returns:
        What it made of it; a failure is a sentence, not an exception.
    """
    name, made = prepared.influence.solver, prepared.factor
    title = SOLVERS[name].title
    if made is None:
        return Trial(name, title, prepared.seconds, says=prepared.error)
    try:
        solution, seconds = _obeying(task, lambda: _timed(made, watched))
    except (SingularError, SettingsError) as error:
        return Trial(name, title, prepared.seconds, says=str(error))
    scores = numpy(dots(prepared.influence, solution.value))[:, 0]
    spread = None if solution.spread is None else float(solution.spread.max())
    return Trial(
        name,
        title,
        prepared.seconds,
        seconds,
        float(solution.residual.max()),
        prepared.products + solution.products,
        solution.converged,
        solution.advice,
        scores,
        solution.note,
        spread,
    )


def interruptible(curvature: Curvature) -> Curvature:
    """The same matrix, whose every product obeys the task of the thread that asks for it.

    Returns:
        A curvature with the same numbers.
    """
    samples = curvature.samples
    if samples is not None:
        samples = Samples(samples.count, _ticking(samples.matvec), samples.norms)
    return replace(curvature, matvec=_ticking(curvature.matvec), dense=_ticking(curvature.dense), samples=samples)


def _ticking(work: Callable[..., T]) -> Callable[..., T]:
    def ticked(*given: Any) -> T:
        task = _TASK.get()
        if task is not None:
            task.tick()
        return work(*given)

    return ticked


def _obeying(task: Task | None, work: Callable[[], T]) -> T:
    token = _TASK.set(task)
    try:
        return work()
    finally:
        _TASK.reset(token)


def _timed(solve: Factor, watched: Watched) -> tuple[Solution, float]:
    """The solution and the best of a few times: the first call of a solver also warms up caches."""
    times: list[float] = []
    while not times or (len(times) < REPEATS and times[0] < QUICK):
        start = time.perf_counter()
        solution = solve(watched.gradient)
        times.append(time.perf_counter() - start)
    return solution, min(times)


def expected_seconds(fitted: FittedModel, name: str) -> float:
    """A rough estimate for one right-hand side on two cores, from typical numbers of products.

    Returns:
        Seconds.
    """
    n, p = float(len(fitted.train)), float(fitted.size)
    model = fitted.model
    # A perceptron shares its matrix products between examples; convolutions repeat theirs at every position.
    each = 1e-9 if not isinstance(model, Network) else 1e-10 if activations(model) is not None else 3e-8
    product = max(5e-4, each * n * p)
    if name in {"cholesky", "eigh"}:
        dense = n * p * p * (model.loss.outputs / 5e10 if fitted.network else 1 / 2e10)
        return dense + (0.4 if name == "cholesky" else 10.0) * p**3 / 2e10
    if fitted.network and name == "lissa":  # thousands of products with a few examples each, one after the other
        return 0.01 * n + 100 * product
    cg = 30 if fitted.network else 100
    return {"cg": cg, "taylor": 800, "lissa": 100, "arnoldi": 120, "nystrom": 150}.get(name, 10) * product
