"""From scored rows to what the annotators' store takes: samples, scores, near-duplicates; and rows of older stores."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from influence_core.analysis import MODELS, Problem, Scores, near_groups, scores
from influence_core.annotations import Run, Samples, Store, adopt, nameless_runs, widen
from influence_core.compute import FloatArray
from influence_core.data import DATASETS, DataError, Whole
from influence_core.data.uploads import upload_store
from influence_core.reviewing.recipe import Recipe, moved, recipe_of
from influence_core.reviewing.sides import Scored, under_review
from influence_core.settings import DataSettings, Settings

LAST = -1e300  # suspicion of rows that left the data: behind all others
SEARCHED = 5_000  # rows for near-duplicates of which are looked: each costs a product with all others
CONTRADICTION = "contradiction"
PICTURE = "picture"


def title(data: DataSettings) -> str:
    """Of the data, for people: of an upload the name of its file, so that several are told apart."""
    if data.name == "upload":
        with suppress(DataError):  # held on another server
            return str(upload_store().manifest(str(dict(data.options)["id"]))["file"])
    return DATASETS[data.name].title


def samples(rows: Whole, name: str) -> Samples:
    """The rows under review as the store knows them.

    Args:
        rows: all of them.
        name: of the data.
    """
    train = rows.split.train
    labels, names = train.y.astype(np.int64), tuple(train.class_names)
    return Samples(name, rows.fingerprint, train.ids, labels, names, rows.contents)


def run(scored: Scored, recipe: Recipe, groups: NDArray[np.int64] | None = None) -> Run:
    """What the models say of every row under review.

    Args:
        scored: signals.
        recipe: what they were made from.
        groups: of :func:`duplicates`; contradictory ones become a signal of their own.
    """
    given = scored.split.train.y.astype(np.int64)
    found = [scores(side.review, scored.signals) for side in scored.sides]
    suggested, p_given, p_suggested = _suggestions(scored, found, given)
    title = MODELS[recipe.settings.model.name].title
    signals = {
        name: scored.merged([one.signals[name] for one in found], LAST) for name in found[0].signals
    }  # fmt: skip
    if groups is not None and (wrong := contradictory(groups, given)).any():
        signals[CONTRADICTION] = wrong.astype(float)
    score = scored.merged([one.label_score for one in found], 1.0)
    return Run(
        model=f"{title}, l2 = {recipe.settings.model.l2:g}",
        settings=recipe.record(),
        seed=recipe.settings.seed,
        trust=found[0].trust_text,
        signals=signals,
        predicted=np.where(scored.kept, scored.merged([one.predicted for one in found], 0), given),
        suggested=suggested,
        p_given=p_given,
        p_suggested=p_suggested,
        label_score=p_given if recipe.corrections is not None else score,
        is_issue=scored.merged([one.is_issue for one in found], False),
        metrics=dict(found[0].metrics),
        gradient_norm=scored.review.trust.gradient_norm,
        likely=scored.merged([one.likely for one in found], np.arange(found[0].likely.shape[1])),
    )


def _suggestions(
    scored: Scored, found: list[Scores], given: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Best other class, p(given) and p(best other), seen from the label as given, which people may have changed since.

    Returns:
        (n,) each; a row that left the data stays with its given label, because no model saw it.
    """
    c, kept = scored.split.train.classes, scored.kept
    suggested = np.where(kept, scored.merged([one.suggested for one in found], 0), (given + 1) % c)
    p_given = scored.merged([one.p_given for one in found], 1.0)
    p_suggested = scored.merged([one.p_suggested for one in found], 0.0)
    now = np.where(kept, scored.merged([one.labels for one in found], 0), given)
    changed = np.flatnonzero(now != given)
    if len(changed):
        belief = scored.merged([one.belief for one in found], np.nan)
        suggested[changed] = now[changed]
        p_given[changed], p_suggested[changed] = belief[changed, given[changed]], belief[changed, now[changed]]
    return suggested, p_given, p_suggested


def duplicates(scored: Scored) -> NDArray[np.int64]:
    """(n,) number of the group of near-duplicates, −1 for none; of large sets those of the most suspicious rows.

    Pictures are compared as they are: scaled by its own spread, a pixel that is black nearly everywhere would drown
    all others in its noise.  Everything else is compared in the scaling of the model.
    """
    data = scored.split.train
    x = scored.split.scaling.invert(data.x) if data.kind == PICTURE else data.x
    first = scored.merged([side.review.suspicion(scored.signals[0]) for side in scored.sides], LAST)
    return near_groups(x, np.argsort(-first, kind="stable")[:SEARCHED])


def contradictory(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether a near-duplicate has another label: one of the two is surely wrong."""
    c = int(labels.max()) + 1
    inside = groups >= 0
    pairs = np.unique(groups[inside] * c + labels[inside])
    kinds = np.bincount(pairs // c, minlength=len(groups))
    return inside & (kinds[np.where(inside, groups, 0)] > 1)


def adopt_older(store: Store, rows: Whole, settings: Settings) -> int:
    """Give rows that an earlier version stored the names by which their answers are found in these data.

    That version kept the training part of one split; the settings of its queues say which, and its fingerprint proves
    it.  Queues of the very split that is looked at go on, among all rows.

    Args:
        store: where.
        rows: of the data that are looked at.
        settings: of them.

    Returns:
        Rows that were named.
    """
    named = 0
    for number, fingerprint, record in nameless_runs(store):
        try:
            older = recipe_of(record).settings
        except (KeyError, ValueError, TypeError):
            continue  # written by another program
        if (older.data.name, older.data.options) != (settings.data.name, settings.data.options):
            continue
        same = (older.data, older.seed) == (settings.data, settings.seed)
        found = rows if same else under_review(Problem(older))
        if found.former == fingerprint:
            named += adopt(
                store, number, dict(zip(found.split.train.ids.tolist(), found.contents.tolist(), strict=True))
            )
    widen(store, rows.former, samples(rows, title(settings.data)), moved)
    return named
