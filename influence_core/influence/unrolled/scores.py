"""The estimator ``unrolled``: the change of this very run, first order in the weight of each training point.

Its truth is the same run (first parameters, order of the examples, schedule, epochs) with a_i = 0.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core.compute import FloatArray, Task, blocks, fingerprint, numpy, result_store
from influence_core.compute.pieces import Found, Piece, gathered
from influence_core.influence.networks import name_of
from influence_core.influence.unrolled.adjoint import kept_bytes, slopes, work
from influence_core.influence.unrolled.replay import Replay
from influence_core.influence.watched import Influence, Watched, watch
from influence_core.models import Batch, FittedModel
from influence_core.models.normalised import batch_norms
from influence_core.models.stacked import drops
from influence_core.settings import SettingsError

COLUMN_BYTES = 256 * 2**20  # of the columns that walk backwards together
MOST = 128  # of them, so that a run that was killed has kept some
ELSEWHERE = 1e-2  # of ‖θ̂‖: further off, the replayed run is another one


def repeatable(fitted: FittedModel) -> bool:
    """Whether this model was trained here, step by step, by a loss that has second derivatives.

    Batch norm is left out: its averages at the end depend on the weights of the examples, too.  So is a run that drops
    values, whose masks the way back would have to draw again.
    """
    program = fitted.program
    return (
        program is not None
        and program.optimiser.method in {"sgd", "adamw"}
        and program.network.bends
        and not batch_norms(program.network.module)
        and not drops(program.network)
    )


@dataclass(frozen=True)
class Announced:
    """What so many columns take.

    Attributes:
        runs: as long as so many training runs.
        gigabytes: kept at most.
    """

    runs: float
    gigabytes: float


def announced(fitted: FittedModel, columns: int) -> Announced:
    """Time and memory of so many test points, before they are asked for."""
    replay, together = _replay(fitted), min(columns, _together(fitted))
    again = (-(-columns // together) - 1) * replay.computed
    return Announced((work(replay, columns) + again) / replay.steps, kept_bytes(replay, together) / 1e9)


@dataclass(frozen=True, eq=False)
class AskedColumn:
    """What is watched: a quantity at one test point, or its weighted sum over some.

    Attributes:
        batch: the test points.
        weights: (m,) of them.
        quantity: in ``QUANTITIES``.
        target: class whose probability is watched.
    """

    batch: Batch
    weights: Tensor
    quantity: str
    target: int

    @property
    def name(self) -> str:
        """The same for the same question, however it is put."""
        asked = fingerprint(*(numpy(values) for values in (self.batch.x, self.batch.y, self.weights)))
        return f"{self.quantity}:{self.target}:{asked}"

    def gradient(self, there: FittedModel) -> Tensor:
        """Its q at the parameters of ``there``, (p, 1)."""
        return watch(there, self.batch, self.quantity, self.target, self.weights[:, None]).gradient


def columns_of(batch: Batch, quantity: str, target: int, combine: Tensor | None = None) -> list[AskedColumn]:
    """One column for each test point, or for each weighted group (m, g) of them."""
    if combine is None:
        ones = batch.x.new_ones(len(batch))
        return [AskedColumn(batch.take(slice(j, j + 1)), ones[j : j + 1], quantity, target) for j in range(len(batch))]
    found = []
    for weights in combine.T:
        rows = torch.nonzero(weights)[:, 0]
        found.append(AskedColumn(batch.take(rows), weights[rows], quantity, target))
    return found


def unrolled(influence: Influence, watched: Watched) -> Tensor:
    """−∂m_j(θ_T)/∂a_i through this training run (Hara, Nitanda & Maehara 2019; MAGIC: Ilyas & Engstrom 2025).

    Returns:
        (n, m), in the unit of the watched quantity.
    """
    return changes(influence, columns_of(watched.batch, name_of(watched), watched.target, watched.combine))


def changes(influence: Influence, columns: list[AskedColumn]) -> Tensor:
    """The same for some columns; those that were computed before come from the store, where the run has a name.

    Returns:
        (n, number of columns), in double precision.
    """
    fitted, found = influence.fitted, dict[int, FloatArray]()
    store = (influence.task.store or result_store()) if influence.run else None
    names = [f"unrolled:{influence.run}:{column.name}" for column in columns]
    for j, name in enumerate(names):
        kept = store.load(name) if store is not None else None
        if kept is not None and kept["change"].shape == (len(fitted.train),):
            found[j] = kept["change"]
    left = [j for j in range(len(columns)) if j not in found]
    workers, size = influence.task.workers, _together(fitted)
    if workers is not None and left:
        size = min(size, -(-len(left) // workers.width))
    groups = [left[part] for part in blocks(len(left), 1, size)]

    def ended(k: int, made: Found) -> None:
        for at, j in enumerate(groups[k]):
            found[j] = made[str(at)]
            if store is not None:
                with suppress(OSError):  # a full disk costs the resume, not the result
                    store.save(names[j], change=found[j])

    pieces = [Piece(computed, fitted, ([columns[j] for j in some],), items=len(some)) for some in groups]
    here = influence.task if fitted.theta.device.type == "cpu" else replace(influence.task, workers=None)
    gathered(pieces, here, ended=ended)
    return torch.as_tensor(np.stack([found[j] for j in range(len(columns))], 1)).to(fitted.theta.device)


def computed(fitted: FittedModel, columns: list[AskedColumn], task: Task) -> Found:
    """Changes on removal, (n,) for each column by its number."""
    many = len(columns)
    told = replace(task, report=lambda done, whole: task.report(many * done / whole, many))

    def ask(end: Tensor) -> Tensor:
        gap = float((end - fitted.theta).norm() / fitted.theta.norm().clamp(min=1e-300))
        if not gap <= ELSEWHERE:
            raise SettingsError(
                f"Expected the training run to end at the same parameters when it is repeated, got others ({gap:.0%} "
                "off): the network was trained on another machine. Train it again here, or choose another estimator."
            )
        there = fitted.at(replace(fitted.fit, theta=end))
        return torch.cat([column.gradient(there) for column in columns], 1)

    found = numpy(-slopes(_replay(fitted), ask, many, told)).T
    return {str(at): change for at, change in enumerate(found)}


def _replay(fitted: FittedModel) -> Replay:
    program = fitted.program
    if program is None or not repeatable(fitted):
        raise SettingsError("This network's run cannot be repeated step by step: choose another estimator.")
    return Replay(program, fitted.start, fitted.fit.epochs)


def _together(fitted: FittedModel) -> int:
    """Columns that walk backwards together."""
    each = kept_bytes(_replay(fitted), 1) - kept_bytes(_replay(fitted), 0)
    return max(1, min(MOST, int(COLUMN_BYTES // each)))
