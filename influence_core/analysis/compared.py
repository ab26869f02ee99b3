"""Solvers compared on one fit in another process, which keeps their factors for the next test point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from influence_core.analysis.trials import Prepared, Trial, prepare, trial
from influence_core.compute import Recent, Task, once
from influence_core.compute.spread import cores
from influence_core.compute.task import Call
from influence_core.influence.watched import watch
from influence_core.models import Batch, FittedModel
from influence_core.settings import SolverSettings

FACTORS = 12  # kept of one fit


@dataclass(frozen=True, eq=False)
class Compared:
    """One fit and the factors of its solvers.

    Attributes:
        fitted: the model.
    """

    fitted: FittedModel

    @once
    def factors(self) -> Recent[Prepared]:
        """By the settings of the solver."""
        return Recent(FACTORS)

    def trials(
        self, solvers: Sequence[SolverSettings], batch: Batch, watched: tuple[str, int], task: Task
    ) -> list[Trial]:
        """What every solver makes of one test point; each trial is shown as it comes.

        Args:
            solvers: with their dampings and options.
            batch: the test point.
            watched: quantity and target.
            task: ticks in solvers.
        """
        asked, found = watch(self.fitted, batch, *watched), list[Trial]()
        for done, chosen in enumerate(solvers):
            prepared = self.factors.get(chosen, lambda chosen=chosen: prepare(self.fitted, chosen, task))  # type: ignore[misc]
            found.append(trial(prepared, asked, task))
            task.show(found[-1])
            task.tick(done + 1, len(solvers))
        return found


def compared(
    fitted: FittedModel, solvers: Sequence[SolverSettings], batch: Batch, watched: tuple[str, int], task: Task
) -> list[Trial]:
    """``Compared.trials`` in one of the processes of the task, or here where it has none or the model is on a GPU."""
    one = Compared(fitted)
    if task.workers is None or batch.x.device.type != "cpu":
        return one.trials(solvers, batch, watched, task)
    call = Call(Compared.trials, one, (tuple(solvers), batch, watched), cores())
    return task.workers.run([call], task)[0]  # type: ignore[no-any-return]
