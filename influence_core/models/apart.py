"""Fits where they hold up nobody: here, or in another process where the task has some and it takes a while."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from influence_core.compute import SparseRows, Task
from influence_core.compute.packing import UnpackableError
from influence_core.compute.spread import cores
from influence_core.compute.task import Call
from influence_core.models.fitting import Fit, newton
from influence_core.models.linear import LinearModel
from influence_core.models.minima import DENSE_LIMIT
from influence_core.models.protocol import Batch
from influence_core.models.training import GOAL, Program, train

GIVEN = "given"  # the parameters a network came with
STEP = 2e6  # operations that a step of training costs beside its products, on the clock of those
FAR = 1e10  # operations of a training run that goes to another process: above them it takes a second or more
STEPS = 10  # of a fit
PASSES, PRODUCTS = 200, 800  # what one of them costs beside its Hessian, or by conjugate gradients, for each number
MANY = 1.2e10  # multiplications of a fit that goes to another process: half a second or more (at 2.5e10 a second)


def minimised(model: LinearModel, examples: Batch, task: Task) -> Fit:
    """By Newton steps; in another process where the task has some and it takes a while."""
    far = task.workers is not None and examples.x.device.type == "cpu" and multiplications(model, examples) >= MANY
    if task.workers is None or not far:
        return newton(model, examples)
    found: Fit = task.workers.run([Call(_newton_there, None, (model, examples), cores())], task)[0]
    return found


def multiplications(model: LinearModel, examples: Batch) -> float:
    """What :func:`newton` costs, with passes over memory counted as so many multiplications."""
    outputs, x = model.loss.outputs, examples.x
    size, numbers = outputs * x.shape[1], x.matrix.nnz if isinstance(x, SparseRows) else x.numel()
    if size > DENSE_LIMIT:
        return STEPS * PRODUCTS * float(outputs * numbers)
    return STEPS * (float(numbers) * (size * outputs + PASSES) + size**3 / 3)


def _newton_there(model: LinearModel, examples: Batch, _task: Task) -> Fit:
    return newton(model, examples)


def cost(program: Program) -> float:
    """Floating-point operations of a training run."""
    size, plan = max(len(program.network.start()), 4 * program.network.activations), program.optimiser
    return plan.steps(len(program.batch)) * (6.0 * size * plan.batch_size + STEP)


def train_now(program: Program, validation: Batch) -> Fit:
    """The fit of a network: its given parameters, or those that training ends at."""
    if program.optimiser.method == GIVEN:
        theta = program.network.start().to(program.batch.x.device)
        norm = float(program.network.objective(theta, program.batch)[1].norm())
        return Fit(theta, GIVEN, norm, GOAL * max(1.0, norm), ())
    return train(program, validation)


def train_there(program: Program, validation: Batch, task: Task) -> Fit:
    """The same in another process, whose task it obeys."""
    return train_now(replace(program, task=task), validation)


def trained(program: Program, validation: Batch) -> Fit:
    """In another process where the task has some and it takes a while: a page that waits here holds up no other."""
    task = program.task
    if task.workers is not None and cost(program) >= FAR and program.batch.x.device.type == "cpu":
        with suppress(UnpackableError):  # a network that a program has brought along does not leave that program
            found: Fit = task.workers.run([Call(train_there, program, (validation,), cores())], task)[0]
            return found
    return train_now(program, validation)
