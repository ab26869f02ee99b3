"""Data and the model fitted on them, and the refits that measure what happens without some of the examples."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from influence_core.analysis.groups import GroupRefit, checked_group
from influence_core.analysis.networks import OVER_SEEDS, SAME_RUN
from influence_core.analysis.truth import CERTIFIED, Truth, collected, looking
from influence_core.compute import FloatArray, Recent, RowsLike, Task, known, numpy, once, result_store
from influence_core.compute.sparse import rows_of
from influence_core.curvature import exact_hessian
from influence_core.data import Split, load
from influence_core.data.columns import SourceColumn, is_level, source_columns
from influence_core.data.corrections import Corrections, corrected
from influence_core.data.neighbours import Crowd, Surroundings, copies
from influence_core.data.positions import Positions, positions
from influence_core.influence.diagnostics import Diagnostics, defined, deletion_diagnostics
from influence_core.influence.second_step import Forecast
from influence_core.influence.unrolled import metasmoothness
from influence_core.influence.watched import Influence
from influence_core.models import Batch, FittedModel, fit, training_cost
from influence_core.retraining import Refits
from influence_core.settings import Settings, SolverSettings
from influence_core.solvers import SOLVERS, SPECTRAL, SPECTRUM_IS_CHEAP, EighFactor, SingularError, eigh

DEFAULT_MODELS = 5
_TASK: ContextVar[Task] = ContextVar("fitting")  # of the thread that fits


@dataclass(frozen=True, eq=False)
class Given:
    """Data, and perhaps a fitted model, in place of those that the settings name.

    Attributes:
        split: train and test.
        fitted: the model; None where it is fitted by the settings.
        key: names them in the store; empty where the settings do.
    """

    split: Split
    fitted: FittedModel | None = None
    key: str = ""


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and the model fitted on them: what does not depend on solver, estimator, quantity or test point.

    Attributes:
        settings: of the whole analysis; only data, model and seed matter here.
        device: where the model lives.
        corrections: what people decided about training labels, or None.
        given: data, and perhaps a model, that are at hand.
    """

    settings: Settings
    device: str = "auto"
    corrections: Corrections | None = None
    given: Given | None = None

    @once
    def split(self) -> Split:
        """Train and test, flipped labels included, what people decided about training labels applied."""
        found = self.given.split if self.given else load(self.settings.data, self.settings.seed, _TASK.get(Task()))
        return found if self.corrections is None else corrected(found, self.corrections)

    @once
    def fitted(self) -> FittedModel:
        """The model at θ̂; where training points were excluded, the total penalty n·l2 stays what it was."""
        if self.given and self.given.fitted and self.corrections is None:
            return self.given.fitted
        model, chosen = self.settings.model, self.corrections
        if chosen is not None and chosen.excluded.any() and not model.fold_penalty:
            left = len(self.split.train)
            model = replace(model, l2=model.l2 * (left + int(chosen.excluded.sum())) / left)
        return fit(model, self.split, self.settings.seed, self.device, _TASK.get(Task()))

    def fit(self, task: Task) -> FittedModel:
        """Fit now, as a job that can be cancelled."""
        token = _TASK.set(task)
        try:
            return self.fitted
        finally:
            _TASK.reset(token)

    def read(self, task: Task) -> Split:
        """Load the data now, as a job that can be cancelled."""
        token = _TASK.set(task)
        try:
            return self.split
        finally:
            _TASK.reset(token)

    @property
    def fit_cost(self) -> float:
        """Training a network that is neither here nor on disk, in floating-point operations; 0 for other models."""
        here = known(self, "fitted") or bool(self.given and self.given.fitted)
        return 0.0 if here else training_cost(self.settings.model, self.split, self.settings.seed, self.device)

    def key(self, *parts: str, **changed: Any) -> str:
        """Content hash of the named parts of the settings, some of them changed, and of the corrections there are."""
        extra = "" if self.corrections is None else f":{self.corrections.fingerprint}"
        return replace(self.settings, **changed).key(*parts) + extra + (self.given.key if self.given else "")

    @once
    def test(self) -> Batch:
        """All m test points on the device of the model."""
        return self.fitted.batch(self.split.test)

    @once
    def spectrum(self) -> EighFactor:
        """H = QΛQᵀ, factored once for every damping."""
        return eigh(exact_hessian(self.fitted))

    @once
    def diagnostics(self) -> Diagnostics | None:
        """Deletion diagnostics of plain least squares with few parameters; None for everything else."""
        spectrum = self.spectrum_up_to(SPECTRUM_IS_CHEAP) if defined(self.fitted) else None
        if spectrum is None:
            return None
        return deletion_diagnostics(Influence(self.fitted, SolverSettings(SPECTRAL), spectrum=spectrum))

    def spectrum_up_to(self, limit: int) -> EighFactor | None:
        """The spectrum, where H has one form and there are at most ``limit`` parameters, else None."""
        return self.spectrum if self.fitted.kind.closed_form and self.fitted.size <= limit else None

    @once
    def forecast(self) -> Forecast | None:
        """One Newton step without damping, where H has one form, is small enough, and is not singular."""
        if not self.fitted.kind.closed_form or self.fitted.size > SOLVERS[SPECTRAL].limit:
            return None
        found = Forecast(Influence(self.fitted, SolverSettings(), spectrum=self.spectrum_up_to(SPECTRUM_IS_CHEAP)))
        try:
            return found if len(found.influence.newton_residuals) else None
        except SingularError:
            return None

    @once
    def crowd(self) -> Crowd:
        """The training points, to look for near copies."""
        return Crowd(self.split.train.x)

    @once
    def in_sample(self) -> bool:
        """Whether every test point is a training point."""
        x = self.split.test.x
        return all(len(self.crowd.same(rows_of(x, k))) for k in range(x.shape[0]))

    @once
    def positions(self) -> Positions:
        """Where points are drawn: two features as they are, one feature against the target, else two principal axes."""
        return positions(self.split)

    @once
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns of the source behind the features."""
        train = self.split.train
        values = self.split.scaling.invert(train.x) if any(map(is_level, train.feature_names)) else train.x
        return source_columns(train.feature_names, values)

    @once
    def copies(self) -> NDArray[np.int64]:
        """(n,) numbers; training points with the same number have exactly the same features."""
        return copies(self.split.train.x)

    @once
    def surroundings(self) -> Surroundings:
        """What is far for a training point."""
        return Surroundings.of(self.split.train.x)

    def remoteness(self, rows: RowsLike) -> FloatArray:
        """(k,) distance of some test points to the nearest training point, in units of what is far for one of those."""
        return self.surroundings.remoteness(self.split.test.x[list(rows)])

    @once
    def predictions(self) -> FloatArray:
        """(m, c) class probabilities, or (m, 1) outputs where the model has none."""
        f = self.fitted.model.outputs(self.fitted.theta, self.test.x)
        probability = self.fitted.model.loss.probabilities(f)
        return numpy(f if probability is None else probability)

    def outputs_at(self, x: FloatArray, theta: FloatArray | None = None) -> tuple[FloatArray, FloatArray | None]:
        """What the model says at new points (k, d), in the units of the source, at θ̂ or at another ``theta`` (p,).

        Returns:
            Outputs f (k, K), and class probabilities (k, c) where the model has them.
        """
        model, scaled = self.fitted.model, torch.as_tensor(self.split.scaling.apply(x))
        at = self.fitted.theta.cpu() if theta is None else torch.tensor(theta, dtype=self.fitted.theta.dtype)
        f = model.outputs(at, model.features(scaled))
        probability = model.loss.probabilities(f)
        return numpy(f), None if probability is None else numpy(probability)

    @once
    def misclassified(self) -> NDArray[np.bool_]:
        """(m,); all False for regression."""
        return self._wrong(self.fitted.theta)

    @once
    def start(self) -> int:
        """The test point to look at first: the least certain of those that are wrong, or of all where none is.

        Where the model knows no margin, as for a numeric target, it is the one with the largest loss.
        """
        f = self.fitted.model.outputs(self.fitted.theta, self.test.x)
        margins = self.fitted.model.loss.margins(f, self.test.y)
        if margins is None:
            return int(self.fitted.model.losses(self.fitted.theta, self.test).nan_to_num(-1.0).argmax())
        certain = margins.abs().nan_to_num(torch.inf)
        wrong = torch.as_tensor(self.misclassified, device=certain.device)
        return int(torch.where(wrong, certain, torch.inf if bool(wrong.any()) else certain).argmin())

    def _wrong(self, theta: Tensor) -> NDArray[np.bool_]:
        margins = self.fitted.model.loss.margins(self.fitted.model.outputs(theta, self.test.x), self.test.y)
        wrong = torch.zeros(len(self.test.y), dtype=torch.bool) if margins is None else (margins <= 0).cpu()
        return np.asarray(wrong.numpy())

    def accuracy(self, theta: Tensor) -> float | None:
        """Share of test points classified right at any θ; None for regression."""
        return 1 - float(self._wrong(theta).mean()) if self.split.test.classes else None

    @property
    def truth(self) -> Truth:
        """What really happens without some training points, by the way that suits the model."""
        return next(iter(self.truths.values()))

    @once
    def truths(self) -> dict[str, Truth]:
        """All ways to measure it: for a network ``run``, this very run, and ``seeds``, the mean over several."""
        ways = {"run": SAME_RUN, "seeds": OVER_SEEDS} if self.fitted.kind.seeded else {"exact": CERTIFIED}
        given = self.fitted, self.test, self.settings.seed, self.run_key, self._asked_key
        return {name: Truth(way, *given) for name, way in ways.items()}

    def loo(self, quantity: str = "loss", target: int = -1, task: Task | None = None) -> Refits:
        """Leave-one-out for every training point and all test points: :meth:`Truth.loo`."""
        return self.truth.loo(quantity, target, task)

    def group_refit(
        self, rows: Iterable[int], quantity: str = "loss", target: int = -1, task: Task | None = None
    ) -> GroupRefit:
        """Refit without a group of training points; with a store, the refit is kept and found again.

        Returns:
            Measured changes at all test points, and the new θ; an empty group, or too large a one, is a ``DataError``.
        """
        group = checked_group(rows, self.split.train)
        found = self.truth.group(group, quantity, target, task)
        theta = torch.as_tensor(np.asarray(found.parameters)[0]).to(self.fitted.theta)
        before, after = self.accuracy(self.fitted.theta), self.accuracy(theta)
        return GroupRefit(group, found.change[0], numpy(theta), bool(found.certified[0]), before, after)

    def members(self, task: Task | None = None) -> tuple[FittedModel, ...]:
        """Networks of other seeds, each on its own random half (Park et al. 2023), for projection scores.

        Returns:
            Fitted models; with a store they are kept.
        """
        truth, chosen = self.truth, task or Task(store=result_store())
        return self._members.get("members", lambda: truth.way.members(truth, self.other_seeds, chosen))

    @once
    def _members(self) -> Recent[tuple[FittedModel, ...]]:
        return Recent(1)

    @property
    def other_seeds(self) -> int:
        """Networks that projection scores average over, less the one at θ̂."""
        return int(dict(self.settings.model.options).get("models", DEFAULT_MODELS)) - 1

    @property
    def members_are_ready(self) -> bool:
        """Whether these networks are trained, here or on disk; every other model has them always."""
        return bool(collected([lambda: self.members(looking())]))

    def smoothness(self, task: Task | None = None) -> float:
        """How smooth the training run is in the weights of its examples; measured once, and kept with a store."""
        told, seed = task or Task(store=result_store()), self.settings.seed
        made = told.kept(f"smooth:{self.run_key}", lambda: {"value": np.array(metasmoothness(self.fitted, seed, told))})
        return float(made["value"])

    @property
    def run_key(self) -> str:
        """Names a training run, whatever the number of networks for projection scores."""
        model = self.settings.model
        own = replace(model, options=tuple(pair for pair in model.options if pair[0] != "models"))
        return self.key("data", "model", "seed", model=own)

    def _asked_key(self, quantity: str, target: int) -> str:
        return self.key("data", "model", "quantity", "target", "seed", quantity=quantity, target=target)
