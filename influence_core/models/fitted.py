"""A model at θ̂ with the examples it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from influence_core.compute import once
from influence_core.data.dataset import Dataset
from influence_core.models.fitting import Fit
from influence_core.models.kinds import Kind
from influence_core.models.linear import LinearModel
from influence_core.models.linearised import linearised
from influence_core.models.network import Network
from influence_core.models.protocol import Batch, Linearised
from influence_core.models.training import Program
from influence_core.settings import SettingsError

SQUARE = 20_000  # rows of one dense matrix of examples


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model at θ̂ with the examples it was fitted on."""

    model: LinearModel | Network
    train: Batch
    fit: Fit
    program: Program | None = None  # how a network was trained, to be repeated without some examples

    def at(self, fit: Fit) -> FittedModel:
        """The same model where another run, or an earlier epoch of this one, ended."""
        return replace(self, model=self.program.settled(fit.theta) if self.program else self.model, fit=fit)

    @property
    def theta(self) -> Tensor:
        """θ̂, shape (p,)."""
        return self.fit.theta

    @property
    def size(self) -> int:
        """p."""
        return len(self.fit.theta)

    @property
    def kind(self) -> Kind:
        """What is asked about all models of its kind."""
        return self.model.kind

    @property
    def wide(self) -> bool:
        """Whether few examples beside many parameters let an n × n matrix do what one of p × p does elsewhere."""
        single = self.kind.closed_form and self.model.loss.outputs == 1 and self.model.l2 > 0
        return single and len(self.train) < min(self.size, SQUARE + 1) and bool((self.curvatures >= 0).all())

    @property
    def unique(self) -> bool:
        """Whether θ̂ is meant for the only minimum of J, not for the end of a run, so that no seed has a say in it."""
        return self.kind.closed_form and self.fit.method in {"newton", "given"}

    @property
    def start(self) -> Tensor:
        """The parameters before fitting, (p,)."""
        return self.model.start(self.train).to(self.train.x.device)

    @property
    def linear(self) -> LinearModel:
        """The linear predictor.

        Raises:
            SettingsError: a network, for which this has no closed form.
        """
        if isinstance(self.model, LinearModel):
            return self.model
        raise SettingsError("This needs a model with a linear predictor; for a network use first-order influence.")

    @once
    def linearised(self) -> Linearised:
        """The model at θ̂: products with its Jacobian."""
        return linearised(self.model, self.theta)

    @once
    def outputs(self) -> Tensor:
        """f at the training examples, (n, K)."""
        return self.model.outputs(self.theta, self.train.x)

    @once
    def residuals(self) -> Tensor:
        """∂ℓ/∂f at the training examples, (n, K)."""
        return self.model.loss.residuals(self.outputs, self.train.y)

    @once
    def curvatures(self) -> Tensor:
        """∂²ℓ/∂f² at the training examples, (n, K, K)."""
        return self.model.loss.curvatures(self.outputs, self.train.y)

    def batch(self, dataset: Dataset) -> Batch:
        """Other examples on the same device."""
        return self.model.batch(dataset, self.train.x.device)
