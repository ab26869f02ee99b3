"""The derivative of what a training run ends at by the weight of every example, backwards through the run itself."""

from influence_core.influence.unrolled.scores import (
    Announced,
    AskedColumn,
    announced,
    changes,
    columns_of,
    repeatable,
    unrolled,
)
from influence_core.influence.unrolled.smoothness import metasmoothness

__all__ = ["Announced", "AskedColumn", "announced", "changes", "columns_of", "metasmoothness", "repeatable", "unrolled"]
