"""A task for models that outlive the job which made them: it obeys whichever job uses them now, or nobody."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from influence_core.compute.store import result_store
from influence_core.compute.task import Task


@dataclass(eq=False)
class Leash:
    """Jobs that hold a model, the newest last."""

    holders: list[Task] = field(default_factory=list)

    def task(self) -> Task:
        """What a lazy model is given for good.

        Returns:
            A task whose progress, cancel and turn are those of the newest holder.
        """
        return Task(report=self._report, turn=self._turn, store=result_store())

    @contextmanager
    def held(self, task: Task) -> Generator[None]:
        """While this job uses the model, the job's Cancel stops it.

        Yields:
            Nothing.
        """
        self.holders.append(task)
        try:
            yield
        finally:
            self.holders.remove(task)

    def _report(self, done: float, total: float) -> None:
        for task in self.holders[-1:]:
            task.report(done, total)

    def _turn(self) -> None:
        for task in self.holders[-1:]:
            task.tick()
