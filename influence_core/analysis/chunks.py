"""Scores at many test points in chunks, which other processes take where a job has some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from influence_core.analysis.answers import Analysis
from influence_core.compute import FloatArray, Task, fingerprint
from influence_core.compute.pieces import Found, Piece, gathered
from influence_core.influence import estimators
from influence_core.influence.watched import Influence, watch
from influence_core.models import Batch


def in_chunks(analysis: Analysis, chunks: Sequence[Sequence[int]], task: Task) -> list[FloatArray]:
    """Predicted changes (n, m) for each chunk of m test points, by the estimator of the analysis.

    Args:
        analysis: whose factor each process makes once for all its chunks.
        chunks: test points that are solved for together, wherever that is.
        task: progress in test points, cancel, and the processes that take chunks.
    """
    influence, entry, settings = analysis.influence, analysis.estimator, analysis.settings
    elsewhere = task.workers is not None and influence.fitted.theta.device.type == "cpu"
    if entry.unrolls or not elsewhere:  # a chunk of the former goes elsewhere column by column
        task = replace(task, workers=None)
    else:
        trained = influence.members() if entry.seeds else ()
        influence = replace(influence, spectrum=None, members=partial(tuple, trained))
    n, asked, key = len(influence.fitted.train), (settings.quantity, settings.target, settings.estimator), ""
    if influence.fitted.kind.products_only:  # a chunk takes long
        key = analysis.problem.key("data", "model", "solver", "estimator", "quantity", "target", "seed")

    def piece(chunk: Sequence[int]) -> Piece:
        name = f"scores:{key}:{fingerprint(list(chunk))}" if key else ""
        batch, shape = analysis.problem.test.take(torch.as_tensor(list(chunk))), (n, len(chunk))
        return Piece(scored, influence, (batch, *asked), name, len(chunk), lambda found: found["scores"].shape == shape)

    return [found["scores"] for found in gathered([piece(chunk) for chunk in chunks], task, least=2)]


def scored(influence: Influence, batch: Batch, quantity: str, target: int, estimator: str, _task: Task) -> Found:
    """One chunk; the task is that of ``influence``."""
    watched = watch(influence.fitted, batch, quantity, target)
    return {"scores": estimators.scores(influence, watched, estimator)}
