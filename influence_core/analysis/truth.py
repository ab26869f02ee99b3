"""The truth of a problem: what happens without some training points, measured by fitting again in a way chosen once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis.halves import DRAW, Draw, Halves, random_halves
from influence_core.compute import FloatArray, NotStored, Rows, SparseRows, Task, blocks, result_store
from influence_core.compute.pieces import together
from influence_core.compute.shard import WHOLE, Shard
from influence_core.models import Batch, FittedModel
from influence_core.models.losses import Squared
from influence_core.retraining import LeaveOneOut, Question, Refits, leave_groups_out

PIECE = 2e11  # operations after which a run leaves something to look at, about five seconds on two cores
FEWEST = 10  # models of a piece, however long they take
INSTANT = 2e10  # floating-point operations of a LOO run that is shown without being asked, about 0.3 s on two cores
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of fitting again without some training points, and what it is called.

    Attributes:
        name: refits without one point each, in a sentence.
        title: the job that makes them.
        button: what starts it.
        runs: many of them, in a heading.
        columns: headings of what is compared with them, and with random halves where those say more.
        digits: format of a number that is compared with them: two where they are noisy themselves.
        does: what the job does, as a sentence.
        once: after what it costs.
        noisy: whether another seed ends elsewhere, so that random halves say more than single points.
        seeds: runs that are averaged; 1 for a minimum, and for this very run with the same start and order.
        short: its name beside others, where there is a choice.
        cost: of the job in floating-point operations, roughly.
        run_cost: of one run of many; 0 where no run is worth a piece of its own.
        rows: training points that leave-one-out leaves out, ascending.
        loo: changes (n, m) without each training point; a task that shall compute nothing gets what is stored.
        stored: those of an earlier run; where the last argument says so, also of one that is not finished.
        without: one row of changes, with θ, without a group.
        groups: changes (g, m) without each of many groups.
        on_subsets: the watched quantity (s, m) after fitting to subsets (s, n), from so many seeds each.
        members: so many models of other seeds, each on a random half.
    """

    name: str
    title: str
    button: str
    runs: str
    columns: tuple[str, ...]
    digits: str
    does: Callable[[Truth], str]
    once: str
    noisy: bool
    seeds: int = 1
    short: str = ""
    cost: Callable[[Truth], float]
    run_cost: Callable[[Truth], float]
    rows: Callable[[Truth], NDArray[np.int64]]
    loo: Callable[[Truth, Question, Task], Refits]
    stored: Callable[[Truth, Question, bool], Refits | None]
    without: Callable[[Truth, Question, Rows, Task], Refits]
    groups: Callable[[Truth, Question, Sequence[Rows], Task], FloatArray]
    on_subsets: Callable[[Truth, Question, NDArray[np.bool_], int, Task], FloatArray]
    members: Callable[[Truth, int, Task], tuple[FittedModel, ...]]


@dataclass(frozen=True, eq=False)
class Truth:
    """What really happens at the test points of a problem without some training points.

    Attributes:
        way: of fitting again, chosen once.
        fitted: the model at θ̂.
        test: m test points.
        seed: of samples and halves.
        key: names data, model and seed in the store.
        asked: names them with a watched quantity and its class.
        shard: what of leave-one-out and random halves is made here.
    """

    way: Way
    fitted: FittedModel
    test: Batch
    seed: int
    key: str
    asked: Callable[[str, int], str]
    shard: Shard = WHOLE

    def share(self, count: int, seeds: int = 1, task: Task = Task()) -> Sequence[slice]:  # noqa: B008 - frozen
        """Which of ``count`` runs are made here, as pieces that are started together.

        Shards are the same whatever processes a task has.  A certified refit does not depend on those beside it, so
        that all of them here are one piece.
        """
        if self.run_cost:
            return self.shard.of(list(pieces(seeds * self.run_cost, count, task if self.shard == WHOLE else Task())))
        own = self.shard.of(range(count))
        return [slice(own[0], own[-1] + 1)]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Training points that leave-one-out leaves out here, ascending."""
        rows = self.way.rows(self)
        own = self.share(len(rows), self.way.seeds)
        return rows[own[0].start : own[-1].stop]

    @property
    def cost(self) -> float:
        """A full leave-one-out run in floating-point operations, roughly."""
        return self.way.cost(self)

    @property
    def run_cost(self) -> float:
        """One run of many."""
        return self.way.run_cost(self)

    @property
    def halves_cost(self) -> float:
        """Random halves, in floating-point operations."""
        return DRAW.subsets * self.way.seeds * self.run_cost

    @property
    def instant(self) -> bool:
        """Whether leave-one-out is cheap enough to be shown without being asked; far from the minimum it never is."""
        return self.cost <= INSTANT and self.fitted.fit.converged and not self.way.noisy

    def _question(self, quantity: str, target: int) -> Question:
        return Question(self.test, quantity, target)

    def loo(self, quantity: str = "loss", target: int = -1, task: Task | None = None) -> Refits:
        """Leave-one-out for every training point and all test points; with a store, blocks are kept and resumed.

        Returns:
            (n, m) measured changes with certificates; for a network those of a sample, with the noise of refitting.
        """
        return self.way.loo(self, self._question(quantity, target), task or Task())

    def stored(self, quantity: str = "loss", target: int = -1, partial: bool = False) -> Refits | None:
        """A leave-one-out run that an earlier session finished; ``partial``: or has finished a part of; or None."""
        return self.way.stored(self, self._question(quantity, target), partial)

    def group(self, group: Rows, quantity: str = "loss", target: int = -1, task: Task | None = None) -> Refits:
        """One row of changes, with θ, without a group; with a store, the refit is kept and found again."""
        return self.way.without(self, self._question(quantity, target), group, task or Task())

    def groups(self, groups: Sequence[Rows], quantity: str, target: int, task: Task) -> FloatArray:
        """Changes (g, m) without each of many groups; with a store, refits are kept and found again."""
        return self.way.groups(self, self._question(quantity, target), groups, task)

    def halves(self, quantity: str = "loss", target: int = -1, task: Task | None = None, draw: Draw = DRAW) -> Halves:
        """Fit to random halves, for the linear datamodelling score, in pieces that are kept where there is a store.

        A task that shall compute nothing gets what earlier runs have finished.

        Returns:
            Members and values, of a shard its own; without a finished piece there are none.
        """
        question, told = self._question(quantity, target), task or Task()
        members = random_halves(len(self.fitted.train), draw.subsets, self.seed, draw.dropped)
        seeds = self.way.seeds if self.way.seeds == 1 else draw.seeds or self.way.seeds  # one run has no other seeds

        def piece(part: slice) -> Callable[[], FloatArray]:
            own = within(told, seeds * part.start, seeds * len(members))
            return lambda: self.way.on_subsets(self, question, members[part], seeds, own)

        own = self.share(len(members), seeds, told)
        found = collected(piece(part) for part in own)
        values, first = np.concatenate(found) if found else np.empty((0, len(question.batch))), own[0].start
        return Halves(members[first : first + len(values)], values, seeds)

    def stored_halves(self, quantity: str = "loss", target: int = -1, partial: bool = False) -> Halves | None:
        """The halves that an earlier session fitted to and stored, or those of them that are ready by now, or None."""
        found = self.halves(quantity, target, looking())
        return found if len(found.members) >= (1 if partial else DRAW.subsets) else None


def pieces(run_cost: float, count: int, task: Task) -> Iterable[slice]:
    """Runs of so many operations each that are started together.

    Returns:
        Slices of ``range(count)``.
    """
    return blocks(count, 1, max(FEWEST, int(PIECE / max(run_cost, 1.0))) * together(task))


def collected(makes: Iterable[Callable[[], T]]) -> list[T]:
    """Results in order, up to the first that was only looked up and is not there.

    Returns:
        As many as there are.
    """
    found: list[T] = []
    with suppress(NotStored):
        for make in makes:
            found.append(make())
    return found


def within(task: Task, before: float, total: float) -> Task:
    """The task of one part of a longer run, whose progress counts on from ``before``."""
    return replace(task, report=lambda done, _all: task.report(before + done, total))


def looking() -> Task:
    """A task that finds what is stored and computes nothing."""
    return Task(store=result_store(finished=True))


def _left_out(truth: Truth, question: Question, task: Task) -> LeaveOneOut:
    return LeaveOneOut(truth.fitted, task, truth.asked(question.quantity, question.target))


def _passes(truth: Truth) -> float:
    """Two passes of two products per refit; exponentials and the like are about 4,000 operations of a product each."""
    n, p, loss, x = len(truth.fitted.train), truth.fitted.size, truth.fitted.model.loss, truth.fitted.train.x
    # A number of sparse rows takes about ten times as long as one of dense rows.
    width = min(p, 10 * loss.outputs * x.matrix.nnz / n) if isinstance(x, SparseRows) else p
    per_refit = 2.0 * p * p if isinstance(loss, Squared) else n * (8.0 * width + 4_000.0 * loss.outputs)
    factored = min(n, p) if loss.outputs == 1 else p
    return n * per_refit + 4.0 * factored**3 / 3


def _without_all(truth: Truth, question: Question, members: NDArray[np.bool_], _seeds: int, task: Task) -> FloatArray:
    groups = [np.flatnonzero(~row) for row in members]
    return leave_groups_out(truth.fitted, question, groups, task, truth.key).change


CERTIFIED = Way(
    name="exact LOO",
    title="Exact leave-one-out",
    button="Run exact leave-one-out",
    runs="exact leave-one-out",
    columns=("to exact LOO",),
    digits=".3g",
    does=lambda truth: f"Refit the model without each of the {len(truth.fitted.train):,} training points.",
    once="once; the result is kept for every session",
    noisy=False,
    cost=_passes,
    run_cost=lambda _truth: 0.0,
    rows=lambda truth: np.arange(len(truth.fitted.train)),
    loo=lambda truth, question, task: _left_out(truth, question, task).run(question, truth.rows),
    stored=lambda truth, question, _partial: _left_out(truth, question, Task(store=result_store())).stored(question),
    without=lambda truth, question, group, task: leave_groups_out(truth.fitted, question, [group], task, truth.key),
    groups=lambda truth, question, groups, task: (
        leave_groups_out(truth.fitted, question, groups, task, truth.key).change
    ),
    on_subsets=_without_all,
    members=lambda _truth, _count, _task: (),
)
