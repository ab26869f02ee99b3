"""Where and how numbers are computed: device and precision, products, lazy steps, tasks, the result store."""

from influence_core.compute.lazy import Recent, fingerprint, known, once
from influence_core.compute.products import (
    FloatArray,
    Rows,
    RowsLike,
    Workspace,
    blocks,
    choose_device,
    gram,
    numpy,
    product,
    settle,
    stacked,
)
from influence_core.compute.sparse import SparseRows
from influence_core.compute.store import NotStored, ResultStore, data_folder, result_store
from influence_core.compute.task import Cancelled, Task

__all__ = [
    "Cancelled",
    "FloatArray",
    "NotStored",
    "Recent",
    "ResultStore",
    "Rows",
    "RowsLike",
    "SparseRows",
    "Task",
    "Workspace",
    "blocks",
    "choose_device",
    "data_folder",
    "fingerprint",
    "gram",
    "known",
    "numpy",
    "once",
    "product",
    "result_store",
    "settle",
    "stacked",
]
