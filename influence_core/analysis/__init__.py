"""Settings -> Analysis: the whole path, lazily, each step once.  README, tests, caches and pages call this.

Settings -> data -> Split -> model.fit -> FittedModel -> Curvature -> solver -> scores (n, m)
                                 └-> retraining (LOO): the truth -> agreement, trust
"""

from __future__ import annotations

from influence_core import cells, wording
from influence_core.agreement import agreement, linear_datamodelling
from influence_core.analysis import axes, forest, fragility, quality, removal, rivals, trials
from influence_core.analysis.answers import Analysis, analyse
from influence_core.analysis.cases import Case, Witness, cases
from influence_core.analysis.checking import checking_curve
from influence_core.analysis.closing import BeforeAfter, Outcome, corrected_review, outcome
from influence_core.analysis.compared import compared
from influence_core.analysis.evidence_words import label_words
from influence_core.analysis.fragility import FlipQuestion, Fragility
from influence_core.analysis.groups import GroupEffect, GroupRefit
from influence_core.analysis.halves import HALVES, Draw, Halves
from influence_core.analysis.penalty import Penalties, chosen_penalty
from influence_core.analysis.problem import Given, Problem
from influence_core.analysis.removal import Removal, RemovalQuestion
from influence_core.analysis.removal_means import RemovalMeans, removal_means
from influence_core.analysis.review import Review, trust_record
from influence_core.analysis.scores import ADVICE, Scores, duplicate_groups, near_groups, scores
from influence_core.analysis.trust import Trust
from influence_core.analysis.truth import Truth
from influence_core.analysis.unrolling import Unrolling
from influence_core.analysis.waiting import solve_seconds
from influence_core.analysis.why import Why, concentrated, decisive, feature_shares, why, word_pairs
from influence_core.analysis.word_truth import (
    WordTruth,
    carried,
    counted_twice,
    divides,
    text_relabelled,
    word_deleted,
    word_deleted_everywhere,
)
from influence_core.compute import Cancelled, Recent, Task, keeping, known, result_store, settle
from influence_core.compute.executor import beside
from influence_core.compute.plugins import MissingPackageError, join
from influence_core.compute.scheduler import Job, Scheduler
from influence_core.compute.task import WorkerError
from influence_core.compute.turns import interactive
from influence_core.compute.workers import aside, end_idle, local
from influence_core.curvature import applicable_curvatures
from influence_core.data import (
    DATASETS,
    Corrections,
    DataError,
    Source,
    contents,
    drawn,
    load,
    originals,
    overlap,
    reading_seconds,
    task_of,
    uploads,
)
from influence_core.influence import estimators, search
from influence_core.influence.estimators import ESTIMATORS
from influence_core.influence.watched import Influence, watch
from influence_core.mislabels import SIGNALS, Curve, SignalError, detection, mean_and_error
from influence_core.models import (
    FIT_METHODS,
    MODELS,
    QUANTITIES,
    ModelEntry,
    NoMinimumError,
    QuantityError,
    applicable_models,
    usual_estimator,
    usual_penalty,
)
from influence_core.retraining import Refits, SingularRefitError
from influence_core.settings import Settings, SettingsError
from influence_core.solvers import SOLVERS, SPECTRAL, SingularError, applicable_solvers, why_chosen
from influence_core.wording import SENTENCE

__all__ = [
    "ADVICE",
    "DATASETS",
    "ESTIMATORS",
    "EXPECTED_ERRORS",
    "FIT_METHODS",
    "FlipQuestion",
    "Fragility",
    "HALVES",
    "MODELS",
    "QUANTITIES",
    "SENTENCE",
    "SIGNALS",
    "SOLVERS",
    "SPECTRAL",
    "Analysis",
    "BeforeAfter",
    "Cancelled",
    "Case",
    "Corrections",
    "Given",
    "Curve",
    "DataError",
    "Draw",
    "GroupEffect",
    "GroupRefit",
    "Halves",
    "Influence",
    "Job",
    "NoMinimumError",
    "Outcome",
    "Penalties",
    "Problem",
    "QuantityError",
    "Scheduler",
    "Recent",
    "Refits",
    "Removal",
    "RemovalMeans",
    "RemovalQuestion",
    "Review",
    "Scores",
    "Settings",
    "SignalError",
    "SingularError",
    "SingularRefitError",
    "Task",
    "Trust",
    "Truth",
    "Unrolling",
    "Why",
    "agreement",
    "analyse",
    "aside",
    "applicable_curvatures",
    "applicable_models",
    "applicable_solvers",
    "axes",
    "beside",
    "cases",
    "cells",
    "checking_curve",
    "concentrated",
    "chosen_penalty",
    "contents",
    "compared",
    "corrected_review",
    "decisive",
    "detection",
    "drawn",
    "duplicate_groups",
    "label_words",
    "near_groups",
    "end_idle",
    "estimators",
    "feature_shares",
    "forest",
    "fragility",
    "quality",
    "interactive",
    "keeping",
    "known",
    "linear_datamodelling",
    "load",
    "local",
    "mean_and_error",
    "originals",
    "overlap",
    "outcome",
    "reading_seconds",
    "removal",
    "removal_means",
    "rivals",
    "result_store",
    "scores",
    "settle",
    "solve_seconds",
    "task_of",
    "trials",
    "trust_record",
    "uploads",
    "usual_estimator",
    "usual_penalty",
    "watch",
    "why",
    "why_chosen",
    "WordTruth",
    "carried",
    "counted_twice",
    "divides",
    "text_relabelled",
    "word_deleted",
    "word_deleted_everywhere",
    "word_pairs",
    "wording",
    "search",
    "Witness",
]

EXPECTED_ERRORS = (
    SettingsError,
    WorkerError,
    MissingPackageError,
    WorkerError,
    DataError,
    NoMinimumError,
    SingularError,
    SingularRefitError,
    QuantityError,
    SignalError,
)

join("influence_explorer.models", MODELS, ModelEntry)
join("influence_explorer.datasets", DATASETS, Source)
