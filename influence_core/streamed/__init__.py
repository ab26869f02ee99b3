"""Linear predictors on data that are never loaded whole: every answer is a few passes over blocks of rows."""

from influence_core.data.stored.source import EVERY, stored_of
from influence_core.streamed.answers import ESTIMATORS, Streamed, streamed
from influence_core.streamed.effects import Departure, leave_together, relabelled, whole_test_set
from influence_core.streamed.exploring import LISTED, Atlas, Reply, atlas, is_prepared, preparing
from influence_core.streamed.fitting import cost as fit_cost
from influence_core.streamed.fitting import model_of
from influence_core.streamed.passes import Cost, Passes, counting
from influence_core.streamed.removal import PASSES, Departures, leave_each_out, leave_out, together

__all__ = [
    "ESTIMATORS",
    "EVERY",
    "LISTED",
    "Atlas",
    "Cost",
    "Departure",
    "Departures",
    "PASSES",
    "Passes",
    "Reply",
    "Streamed",
    "atlas",
    "counting",
    "fit_cost",
    "is_prepared",
    "leave_each_out",
    "leave_out",
    "leave_together",
    "model_of",
    "preparing",
    "relabelled",
    "stored_of",
    "streamed",
    "together",
    "whole_test_set",
]
