"""What a page waits for before the scores of an unrolled training run: they are made by a job, and then found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import torch

from influence_core.analysis.answers import Analysis
from influence_core.analysis.truth import looking
from influence_core.compute import NotStored, RowsLike, Task, once, result_store
from influence_core.influence.unrolled import Announced, AskedColumn, announced, changes, columns_of


@dataclass(frozen=True, eq=False)
class Unrolling:
    """A question, and what each training point is worth to all test points, as columns of one walk back.

    Attributes:
        analysis: whose.
        tests: test points that are asked about.
        mean: about their mean, instead of about each.
    """

    analysis: Analysis
    tests: RowsLike
    mean: bool = False

    @once
    def columns(self) -> list[AskedColumn]:
        """Of the question, and last the mean over all test points."""
        problem, settings, rows = self.analysis.problem, self.analysis.settings, list(self.tests)
        m, like = len(problem.test), problem.test.x
        asked = like.new_zeros(m, 1 if self.mean else len(rows))
        asked[rows, torch.zeros(len(rows), dtype=torch.long) if self.mean else torch.arange(len(rows))] = (
            1 / len(rows) if self.mean else 1.0
        )
        combine = torch.cat([asked, like.new_full((m, 1), 1 / m)], 1)
        return columns_of(problem.test, settings.quantity, settings.target, combine)

    @property
    def cost(self) -> Announced:
        """Time and memory, if nothing of it is there."""
        return announced(self.analysis.problem.fitted, len(self.columns))

    @property
    def ready(self) -> bool:
        """Whether an earlier job has stored all of it."""
        with suppress(NotStored):
            self.run(looking())
            return True
        return False

    def run(self, task: Task) -> None:
        """Make what is missing and store it; finished columns are kept.  The trust line asks how smooth the run is."""
        told = replace(task, store=task.store or result_store())
        self.analysis.problem.smoothness(told)
        changes(replace(self.analysis.influence, task=told), self.columns)
