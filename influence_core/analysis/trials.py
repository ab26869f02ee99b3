"""One system, every solver: factored and applied once, timed, and told apart from what the rest of the app shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from influence_core.compute import FloatArray, Task, numpy
from influence_core.curvature import Curvature, SampledProducts
from influence_core.influence.estimators import dots
from influence_core.influence.watched import Influence, Watched
from influence_core.models import FittedModel, Network
from influence_core.models.chain import activations
from influence_core.settings import SettingsError, SolverSettings
from influence_core.solvers import SOLVERS, EighFactor, Factor, Load, SingularError, Solution, factor

T = TypeVar("T")
ACCURATE, SINGLE = 1e-8, 1e-4  # relative residuals that count as solved, in double and in single precision
PERCEPTRON = 1e-10  # seconds of a product per example and parameter
REPEATS, QUICK = 3, 0.05  # solves that take less than this many seconds are timed again


@dataclass(eq=False)
class _Clock:
    """The task of one thread and the seconds for which others went first."""

    task: Task | None
    waited: float = 0.0

    def now(self) -> float:
        return time.perf_counter() - self.waited

    def tick(self) -> None:
        if self.task is not None:
            start = time.perf_counter()
            self.task.tick()
            self.waited += time.perf_counter() - start


# A factor is kept and asked again by other jobs, so the task to obey is that of the thread that asks.
_CLOCK: ContextVar[_Clock] = ContextVar("clock")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A solver's factor, or the sentence that says why there is none."""

    influence: Influence
    factor: Factor | None
    seconds: float
    products: int = 0
    error: str = ""

    @property
    def spectrum(self) -> EighFactor | None:
        """The factor, where it is an eigendecomposition."""
        return self.factor if isinstance(self.factor, EighFactor) else None


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

    def solved(self, accurate: float) -> bool:
        """Whether it solved the system to a relative residual; a baseline never does, whatever its residual."""
        return self.residual is not None and self.residual <= accurate and SOLVERS[self.name].kind != "baseline"


def prepare(fitted: FittedModel, settings: SolverSettings, task: Task | None = None) -> Prepared:
    """Factor the system with one solver, and take the time.

    Returns:
        The factor; a refusal is a sentence, not an exception.
    """
    influence = Influence(fitted, settings)
    with _obeying(task) as clock:
        start = clock.now()
        try:
            made = factor(settings, interruptible(influence.curvature))
            products = int(getattr(made, "setup", 0))
        except (SingularError, SettingsError) as error:
            return Prepared(influence, None, clock.now() - start, error=str(error))
        return Prepared(influence, made, clock.now() - start, products)


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
        with _obeying(task) as clock:
            solution, seconds = _timed(made, watched, clock)
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
    """The same matrix, whose every product obeys the task of the thread that asks for it."""
    samples = curvature.samples
    if samples is not None:
        samples = SampledProducts(samples.count, _ticking(samples.matvec), samples.norms)
    return replace(curvature, matvec=_ticking(curvature.matvec), dense=_ticking(curvature.dense), samples=samples)


def _ticking(work: Callable[..., T]) -> Callable[..., T]:
    def ticked(*given: Any) -> T:
        clock = _CLOCK.get(None)
        if clock is not None:
            clock.tick()
        return work(*given)

    return ticked


@contextmanager
def _obeying(task: Task | None) -> Generator[_Clock]:
    clock = _Clock(task)
    token = _CLOCK.set(clock)
    try:
        yield clock
    finally:
        _CLOCK.reset(token)


def _timed(solve: Factor, watched: Watched, clock: _Clock) -> tuple[Solution, float]:
    """The solution and the best of a few times: the first call of a solver also warms up caches."""
    times: list[float] = []
    while not times or (len(times) < REPEATS and times[0] < QUICK):
        start = clock.now()
        solution = solve(watched.gradient)
        times.append(clock.now() - start)
    return solution, min(times)


def expected_seconds(fitted: FittedModel, name: str) -> float:
    """A rough estimate for one right-hand side on two cores, from typical numbers of products."""
    n, p, kind, model = float(len(fitted.train)), float(fitted.size), fitted.kind, fitted.model
    # A perceptron shares its matrix products between examples; convolutions repeat theirs at every position.
    shared = isinstance(model, Network) and activations(model) is not None
    load = Load(
        form=n * p * p * kind.dense_seconds(model.loss.outputs),
        cube=p**3 / 2e10,
        product=max(5e-4, (PERCEPTRON if shared else kind.product_seconds) * n * p),
        draws=n * kind.draw_seconds,
        searched=kind.cg_products,
    )
    return SOLVERS[name].seconds(load)


def cheapest(trials: list[Trial], tests: int, accurate: float = ACCURATE) -> Trial | None:
    """The solver that reaches this relative residual and needs least time to factor once and solve ``tests`` times.

    Returns:
        Its trial, or None where no solver is that accurate.
    """
    return min((one for one in trials if one.solved(accurate)), key=lambda one: cost(one, tests), default=None)


def cost(one: Trial, tests: int) -> float:
    """Seconds to factor once and solve for ``tests`` right-hand sides, one after the other."""
    return one.factor_seconds + tests * one.solve_seconds


def advice(trials: list[Trial], tests: int, accurate: float = ACCURATE) -> str:
    """One honest sentence from the measured numbers.

    Args:
        trials: of all solvers.
        tests: how many test points there are.
        accurate: relative residual of a solve that is as good as exact: in single precision that is larger.
    """
    one, many = cheapest(trials, 1, accurate), cheapest(trials, tests, accurate)
    goal = f"{accurate:.0e}".replace("e-0", "e-")
    if one is None or many is None:
        return f"No solver reaches a relative residual of {goal} here: raise the damping, or choose a larger l2."
    text = (
        f"For one test point the cheapest solver with a relative residual of at most {goal} is {one.title} "
        f"({seconds(cost(one, 1))}); "
    )
    again = "it is also" if many.name == one.name else f"{many.title} is"
    text += f"for all {tests:,} test points one after the other, factored once, "
    return text + f"{again} the cheapest ({seconds(cost(many, tests))})."


def seconds(value: float) -> str:
    """A duration in a unit that fits.

    Returns:
        Such as ``3.2 ms``, with a space that does not break.
    """
    if value < 1e-3:
        return f"{value * 1e6:.0f}\u00a0µs"
    return f"{value * 1e3:.3g}\u00a0ms" if value < 1 else f"{value:.3g}\u00a0s"


def relative_error(scores: FloatArray, reference: FloatArray) -> float:
    """‖scores − reference‖ / ‖reference‖.

    Returns:
        A number ≥ 0.
    """
    size = float(np.linalg.norm(reference))
    return float(np.linalg.norm(scores - reference)) / size if size else float(np.linalg.norm(scores))


@dataclass(frozen=True, eq=False)
class DampingPath:
    """Scores of the strongest points over many dampings.

    Attributes:
        dampings: ascending, the first is 0.
        rows: training points with the largest |score| at the damping of the settings.
        scores: (len(rows), len(dampings)); NaN where H + δI is singular.
    """

    dampings: FloatArray
    rows: NDArray[np.int64]
    scores: FloatArray
