"""From a fitted model to what the annotators' store takes: signals, probabilities and near-duplicates of all rows."""

from influence_core.reviewing.closing import closed
from influence_core.reviewing.recipe import Recipe, offered, recipe_of
from influence_core.reviewing.sides import Scored, Side, score, seconds, under_review
from influence_core.reviewing.storing import (
    CONTRADICTION,
    LAST,
    adopt_older,
    contradictory,
    duplicates,
    run,
    samples,
    title,
)

__all__ = [
    "CONTRADICTION",
    "LAST",
    "Recipe",
    "Scored",
    "Side",
    "adopt_older",
    "closed",
    "contradictory",
    "duplicates",
    "offered",
    "recipe_of",
    "run",
    "samples",
    "score",
    "seconds",
    "title",
    "under_review",
]
