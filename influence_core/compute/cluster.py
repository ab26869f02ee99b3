"""A Dask cluster as the other processes: machines that a scheduler knows take the same pieces.

A piece is named by its content, so that two drivers who want the same one share it.  Dask runs the piece of a worker
that died on another one, and tells a worker when nobody wants its piece any more.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.compute.lazy import fingerprint, once
from influence_core.compute.packing import Arrays
from influence_core.compute.plugins import optional
from influence_core.compute.serving import Sent, performed, portable, sent
from influence_core.compute.spread import LOOK
from influence_core.compute.task import Call, Cancelled, Ended, Task, WorkerError, unheard
from influence_core.version import versions

CONNECT, DESERTED = 10.0, 60.0  # seconds to wait for a scheduler, and between two looks whether it has workers
TOPIC = "influence-progress"
ALIKE = ("influence-explorer", "python", "numpy", "torch")  # what must be the same for the same numbers
Outcome = tuple[str, Any]


class Cluster:
    """The workers of a Dask scheduler.

    Args:
        address: of the scheduler, ``tcp://…``.
    """

    def __init__(self, address: str) -> None:
        self.address, self._dask = address, optional("distributed", "cluster")
        self._done = dict[str, tuple[float, float]]()

    @once
    def client(self) -> Any:
        """Connected when first needed.

        Raises:
            WorkerError: nobody answers there.
        """
        try:
            client = self._dask.Client(self.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"Expected a Dask scheduler at {self.address[:80]}, but nobody answered ({str(error)[:80]}): start it "
                "with 'dask scheduler', or correct the address."
            ) from error
        client.subscribe_topic(TOPIC, self._heard)
        return client

    @property
    def width(self) -> int:
        """Threads of all workers."""
        return max(1, sum(int(worker["nthreads"]) for worker in self._workers.values()))

    @property
    def _workers(self) -> dict[str, Any]:
        return dict(self.client.scheduler_info(n_workers=-1)["workers"])

    def run(self, calls: Sequence[Call], task: Task, total: float = 0, ended: Ended = unheard) -> list[Any]:
        """Run pieces on the cluster; see ``Elsewhere.run``.  The job keeps no turn: its computing is done elsewhere."""
        shared = dict[str, Any]()

        def keep(name: str, array: NDArray[Any]) -> None:
            # As a task and no scattered data: it survives the death of every worker that has it.
            shared[name] = self.client.submit(_same, array, key=f"influence-array-{name}")

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            packed = sent([replace(call, store=None) for call in calls], Arrays(keep))
            futures = [self._submit(piece, shared) for piece in packed]
        try:
            return self._collected(futures, [piece.items for piece in packed], (task, total), ended)
        finally:
            for future in futures:  # a cancel would reach the same piece of a run that begins a moment later
                future.release()
                self._done.pop(future.key, None)

    def _submit(self, piece: Sent, shared: dict[str, Any]) -> Any:
        key = f"influence-{fingerprint(piece.key, piece.rest)}"
        own = {name: versions()[name] for name in ALIKE}
        return self.client.submit(perform, piece, shared, own, key, key=key)

    def _collected(self, futures: list[Any], items: list[float], told: tuple[Task, float], ended: Ended) -> list[Any]:
        found, left, seen, (task, total) = [None] * len(futures), set(range(len(futures))), time.monotonic(), told
        while left:
            for k in [k for k in left if futures[k].done()]:
                found[k] = self._result(futures[k])
                left.remove(k)
                ended(k, found[k])
            if task.cancel.is_set():
                raise Cancelled
            self._report([0.0 if k in left else items[k] for k in range(len(items))], futures, task, total)
            if time.monotonic() - seen > DESERTED:
                seen = time.monotonic()
                self._inhabited()
            time.sleep(LOOK)
        return found

    def _inhabited(self) -> None:
        if not self._workers:
            raise WorkerError(
                f"The Dask scheduler at {self.address[:80]} has no workers: start some with 'dask worker "
                f"{self.address[:80]}'. What is finished is kept."
            )

    def _report(self, ended: list[float], futures: list[Any], task: Task, total: float) -> None:
        said = [self._done.get(future.key, (0.0, 0.0)) for future in futures]
        whole = total or (said[0][1] if len(said) == 1 else 0)
        if whole:  # a worker's last words may come after its result
            over = all(future.done() for future in futures)
            task.report(whole if over else sum(map(max, ended, (done for done, _ in said))), whole)

    def _result(self, future: Any) -> Any:
        try:
            error = future.exception(timeout=CONNECT)
        except Exception as lost:  # noqa: BLE001 - Dask has several for a scheduler that is gone
            error = lost
        if error is not None:
            raise WorkerError(
                f"A worker of {self.address[:80]} did not finish its piece ({type(error).__name__}: {str(error)[:160]})"
                ": it needs this program, in the same version, and memory enough."
            ) from error
        kind, value = future.result()
        if kind == "failed":
            raise value
        return value

    def _heard(self, event: tuple[float, dict[str, Any]]) -> None:
        _, told = event
        self._done[told["key"]] = told["done"], told["total"]


def _same(array: NDArray[Any]) -> NDArray[Any]:
    return array


@dataclass(eq=False)
class _Place:
    """The worker that a piece runs on."""

    worker: Any
    key: str
    told: float = 0.0

    def report(self, done: float, total: float) -> None:
        if time.monotonic() - self.told > LOOK:
            self.told = time.monotonic()
            with suppress(Exception):  # the scheduler is gone: so is whoever wants to know
                self.worker.log_event(TOPIC, {"key": self.key, "done": float(done), "total": float(total)})

    def turn(self) -> None:
        """Dask forgets a task that no client wants any more, but cannot stop its thread."""
        there = self.worker.state.tasks.get(self.key)
        if there is None or there.state == "cancelled":
            raise Cancelled


def perform(piece: Sent, arrays: dict[str, NDArray[Any]], alike: dict[str, str], key: str) -> Outcome:
    """One piece on a worker.

    Returns:
        ``done`` and what it returned, or ``failed`` and the error that the driver raises.
    """
    worker = optional("distributed", "cluster").get_worker()
    own = versions()
    other = [f"{name} {own[name]} in place of {version}" for name, version in alike.items() if own[name] != version]
    if other:
        return "failed", WorkerError(
            f"Expected on every worker what the driver has, got {', '.join(other)} at {worker.address}: install the "
            "same versions there."
        )
    place = _Place(worker, key)
    # Dask gives out arrays that begin at any byte, and sums of unaligned ones come out otherwise in the last bits.
    try:
        return "done", performed(
            piece, lambda name: np.require(arrays[name], requirements=("A", "W")), Task(place.report, turn=place.turn)
        )
    except OSError as error:
        return "failed", WorkerError(f"At {worker.address}: {error}. The worker needs the same data folder.")
    except Exception as error:  # noqa: BLE001 - the driver raises it
        return "failed", portable(error)
