"""Who computes what takes long: this process, worker processes of this machine, or a Dask cluster."""

from __future__ import annotations

import os
import re

from influence_core.compute.cluster import Cluster
from influence_core.compute.lazy import single
from influence_core.compute.task import Elsewhere, WorkerError
from influence_core.compute.workers import Workers, local

VARIABLE = "INFLUENCE_SCHEDULER"
HERE = "threads"


@single
def executor(name: str) -> Elsewhere | None:
    """Those that take pieces of long computations.

    Args:
        name: ``threads`` for this process, ``local:2`` for so many of this machine, an address such as
            ``tcp://host:8786`` for a Dask cluster; empty for as many as this machine has cores, four at most.

    Raises:
        WorkerError: none of these.
    """
    if not name:
        return local()
    if name == HERE:
        return None
    if (many := re.fullmatch(r"local:([1-9]\d?)", name)) is not None:
        return Workers(int(many[1]))
    if re.fullmatch(r"[a-z]+://\S+", name):
        return Cluster(name)
    raise WorkerError(f"Expected threads, local:2 or the tcp://… address of a Dask scheduler, got {name[:80]!r}.")


def configured() -> Elsewhere | None:
    """Those that ``INFLUENCE_SCHEDULER`` names."""
    return executor(os.environ.get(VARIABLE, ""))


def beside() -> Workers | None:
    """The processes of this machine for what a page waits for; None where the server is to compute by itself."""
    return None if os.environ.get(VARIABLE, "") == HERE else local()
