"""Data: frozen sets of examples, the registry of sources, and the way from a table to a split."""

from influence_core.data.corrections import Corrections, corrected
from influence_core.data.dataset import Boundary, DataError, Dataset, Scaling, Split, Table
from influence_core.data.encoding import encode
from influence_core.data.registry import DATASETS, load, load_table, reading_seconds, task_of
from influence_core.data.source import Source
from influence_core.data.split import flip_labels, split
from influence_core.data.whole import Whole, whole

__all__ = [
    "DATASETS",
    "Boundary",
    "Corrections",
    "DataError",
    "Dataset",
    "Scaling",
    "Source",
    "Split",
    "Table",
    "Whole",
    "corrected",
    "encode",
    "flip_labels",
    "load",
    "load_table",
    "reading_seconds",
    "split",
    "task_of",
    "whole",
]
