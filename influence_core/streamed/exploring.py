"""A stored set as one explores it: some rows are always at hand and answer at once, and a full pass completes them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from influence_core.compute import FloatArray, ResultStore, Task, fingerprint, numpy, once
from influence_core.compute.plugins import MissingPackageError
from influence_core.data.dataset import Dataset, Split
from influence_core.data.positions import Placing, plane
from influence_core.data.stored import Stored, content_of
from influence_core.data.stored.source import drawn
from influence_core.influence.watched import Watched
from influence_core.models.fitting import Fit
from influence_core.settings import Settings, SettingsError
from influence_core.streamed import fitting, nearest, products
from influence_core.streamed.answers import Streamed
from influence_core.streamed.passes import Cost, Passes, counting
from influence_core.streamed.rows import Residuals
from influence_core.streamed.sharing import leading

STRONG, NEAR = 500, 500  # rows of largest self-influence, and rows near the one asked about
LISTED = 10_000  # rows of a complete answer that are kept
KEPT_HESSIAN = 2**26  # bytes: a larger one is made anew by one pass
NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Reply:
    """What a question found.

    Attributes:
        rows: (k,) training rows by falling |change|.
        change: (k,) of what is watched, new minus old.
        looked: rows that were looked at.
    """

    rows: NDArray[np.int64]
    change: FloatArray
    looked: int


@dataclass(frozen=True, eq=False)
class Atlas:
    """A fitted model on a stored set, with the rows that every map shows.

    Attributes:
        at: the model.
        drawn: rows drawn at random, ascending.
        strong: rows of largest self-influence.
        tests: test rows on the map, ascending.
        key: names data, model and damping in the store.
    """

    at: Streamed
    drawn: NDArray[np.int64] = field(repr=False)
    strong: NDArray[np.int64] = field(repr=False)
    tests: NDArray[np.int64] = field(repr=False)
    key: str = ""

    @property
    def stored(self) -> Stored:
        """The data."""
        return self.at.passes.stored

    @once
    def known(self) -> NDArray[np.int64]:
        """Rows of every map, ascending."""
        return np.union1d(self.drawn, self.strong)

    @once
    def at_hand(self) -> Residuals:
        """The same at θ̂, in memory: at most a block."""
        return self.at.block(self.known, self.at.passes.rows(self.known))

    @once
    def index(self) -> nearest.Neighbours | None:
        """Who is near whom, where that was built."""
        return nearest.neighbours(self.stored)

    @once
    def placing(self) -> Placing:
        """Where rows are drawn: by the known ones."""
        train = self.stored.dataset(self.known, test=False)
        flipped = np.zeros(len(train), dtype=bool)
        return plane(Split(train, self._none, self._none, flipped, train.y, self.stored.scaling))

    @property
    def _none(self) -> Dataset:
        return self.stored.dataset(slice(0, 0))

    def near(self, watched: Watched) -> NDArray[np.int64]:
        """Rows near those asked about that are not known anyway, ascending; none without an index."""
        if self.index is None:
            return NONE
        width = len(self.stored.feature_names)
        return np.setdiff1d(self.index.nearest(numpy(watched.batch.x)[:, :width], NEAR), self.known)

    def first(self, watched: Watched, estimator: str, also: NDArray[np.int64] = NONE) -> Reply:
        """The answer at once, from the known rows, those near by, and a few others."""
        of, near = self.at.scorer(watched, estimator), self.near(watched)
        rows, found = self.known, of(self.at_hand)[:, 0]
        if len(more := np.union1d(near, np.setdiff1d(also, rows))):
            rows = np.concatenate([rows, more])
            found = np.concatenate([found, of(self.at.block(more, self.at.passes.rows(more)))[:, 0]])
        order = np.argsort(-np.nan_to_num(np.abs(found), nan=-1.0), kind="stable")
        return Reply(rows[order], found[order], len(self.known) + len(near))

    def complete(self, watched: Watched, estimator: str, name: str, task: Task = Task()) -> Reply:  # noqa: B008 - frozen
        """The answer from all rows: one pass, or what an earlier one has stored.

        Args:
            watched: what is asked about, one column.
            estimator: of the change.
            name: of the question in the store.
            task: progress and cancel.
        """

        def made() -> dict[str, NDArray[Any]]:
            rows, change = self.at.strongest(watched, LISTED, estimator, task)
            return {"rows": rows[0], "change": change[0]}

        return self._reply(task.kept(f"pass:{self.key}:{name}", made))

    def earlier(self, name: str, store: ResultStore) -> Reply | None:
        """A complete answer that somebody has had already, else None."""
        found = store.load(f"pass:{self.key}:{name}")
        return None if found is None else self._reply(found)

    def _reply(self, found: dict[str, NDArray[Any]]) -> Reply:
        return Reply(found["rows"], found["change"], len(self.at.passes))

    def cost(self) -> Cost:
        """Of a complete answer."""
        return self.at.cost(1, self.at.model.loss.outputs)


def atlas(settings: Settings, stored: Stored, task: Task = Task()) -> Atlas:  # noqa: B008 - frozen
    """Fit on all rows, find the strongest, build the index: each once, then from the store."""
    key, passes = _key(settings, stored), _passes(settings, stored)
    told = counting(task, fitting.USUAL + 2)
    at = _fitted(replace(passes, task=told), settings, key, task)

    def strongest() -> dict[str, NDArray[Any]]:
        chunks = at.signals(told)
        found = ((np.arange(rows.start, rows.stop), signals["self_influence"][None]) for rows, signals in chunks)
        return {"rows": leading(found, 1, STRONG)[0][0]}

    strong = task.kept(f"strong:{key}", strongest)["rows"]
    with suppress(MissingPackageError, OSError, RuntimeError):  # without an index the rows at hand answer alone
        if nearest.neighbours(stored) is None:
            nearest.build(stored, passes.block, told)
    options = dict(settings.data.options)
    most = max(100, passes.block // (8 * passes.width) - STRONG)
    rows = drawn(len(passes), min(int(options.get("rows", 2_000)), most), settings.seed)
    tests = drawn(len(stored.test), int(options.get("tests", 200)), settings.seed + 1)
    found = Atlas(at, rows, strong, tests, key)
    _ = at.inverse, found.at_hand, found.index, found.placing  # no click waits for them
    return found


def preparing(settings: Settings, stored: Stored) -> Cost:
    """Of :func:`atlas` where nothing is stored yet."""
    passes = _passes(settings, stored)
    outputs = passes.model.loss.outputs
    return passes.cost(fitting.USUAL + 2, outputs * (outputs + 1) / 2, outputs * passes.width)


def is_prepared(settings: Settings, stored: Stored, task: Task) -> bool:
    """Whether an earlier :func:`atlas` has left its passes in the store."""
    key = _key(settings, stored)
    return task.store is not None and all(task.store.load(f"{part}:{key}") is not None for part in ("fit", "strong"))


def _key(settings: Settings, stored: Stored) -> str:
    return fingerprint(content_of(stored.name), settings.model, settings.solver.damping)


def _passes(settings: Settings, stored: Stored) -> Passes:
    passes = Passes(stored, fitting.model_of(settings.model, stored))
    if (beyond := products.of(passes)) is not None:
        raise SettingsError(
            f"All rows are explored with at most {products.MOST_PARAMETERS:,} parameters, here are {beyond.size:,}: a "
            "click would take many passes. Let Explore ask the sample (on Data), or run python -m influence_core data "
            f"scores {stored.name}."
        )
    return passes


def _fitted(passes: Passes, settings: Settings, key: str, task: Task) -> Streamed:
    fresh = list[torch.Tensor]()

    def made() -> dict[str, NDArray[Any]]:
        found, hessian = fitting.fit(passes)
        assert hessian is not None
        fresh.append(hessian)
        numbers = {"theta": numpy(found.theta), "history": np.array(found.history)}
        numbers |= {"norms": np.array([found.gradient_norm, found.goal])}
        return numbers | ({"hessian": numpy(hessian)} if hessian.nbytes <= KEPT_HESSIAN else {})

    kept = task.kept(f"fit:{key}", made)
    theta, norms = torch.from_numpy(kept["theta"]), kept["norms"].tolist()
    found = Fit(theta, "newton", norms[0], norms[1], tuple(kept["history"].tolist()))
    stored = torch.from_numpy(kept["hessian"]) if "hessian" in kept else None
    hessian = fresh[0] if fresh else fitting.at(passes, theta).hessian if stored is None else stored
    return Streamed(passes, found, hessian, settings.solver.damping or 0.0)
