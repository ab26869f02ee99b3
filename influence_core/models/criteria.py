"""Losses that people bring: torch's own criteria, with weights, ignored labels and soft targets, and any function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn import functional

from influence_core.models.forward import duplicate, one_line
from influence_core.models.losses import Logistic, Loss, Softmax, Squared
from influence_core.settings import SettingsError

Criterion = Callable[[Tensor, Tensor], Tensor]
ENTROPY = (nn.CrossEntropyLoss, functional.cross_entropy)
LIKELIHOOD = (nn.NLLLoss, functional.nll_loss)
MARGIN = (nn.MultiMarginLoss, functional.multi_margin_loss)
AFTER_SIGMOID = (nn.BCELoss, functional.binary_cross_entropy)
BINARY = (nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits, *AFTER_SIGMOID)


def is_one_of(criterion: object, kinds: tuple[object, ...]) -> bool:
    """Whether a criterion is one of these of torch's, with whatever options."""
    inner = criterion.func if isinstance(criterion, partial) else criterion
    return type(inner) in kinds or any(inner is kind for kind in kinds)


def option(criterion: Criterion | None, name: str, default: Any = None) -> Any:
    """An option of one of torch's criteria, module or function."""
    if isinstance(criterion, partial):
        return criterion.keywords.get(name, default)
    return getattr(criterion, name, default)


def divisor(criterion: Criterion, y: Tensor) -> tuple[str, ...]:
    """What is said where torch's mean over a batch is none over its examples: class weights, ignored labels.

    Returns:
        Sentences.
    """
    if not is_one_of(criterion, ENTROPY + LIKELIHOOD) or option(criterion, "reduction", "mean") != "mean":
        return ()
    found, weight = [], option(criterion, "weight")
    if isinstance(weight, Tensor) and not bool((weight == 1).all()):
        found.append(
            "Class weights multiply the loss of each example, and their sum is divided by the number of examples, not "
            "as in torch by the sum of the weights of a batch."
        )
    ignored = int((y == option(criterion, "ignore_index", -100)).sum())
    if ignored:
        found.append(
            f"{ignored} of the first {len(y)} examples have the ignored label: a loss of 0, and a place in the mean."
        )
    return tuple(found)


@dataclass(frozen=True)
class OwnLoss:
    """Any differentiable ``criterion(outputs (b, ...), y)``; per example, however it reduces over a batch of one.

    Attributes:
        criterion: the function or module.
        outputs: K.
        classes: whether y is a class index, given as a whole number.
        unit: of the loss.
        convex: whether it is curved as a function of the outputs; else the Hessian says what Gauss–Newton does not.
        tail: shape of one example's outputs as the module returns them.
        like: whether y has the shape of the outputs, (b, 1), and not (b,).
        traced: whether ``vmap`` can trace it; else one example after the other.
        base: a loss with the same probabilities.
        normalised: whether outputs are log-probabilities.  As a function of them the log-likelihood is a plane and has
            no curvature; as one of log-odds, of which they are one choice, it is the same loss with that of softmax.
    """

    criterion: Criterion
    outputs: int
    classes: bool
    unit: str = "loss units"
    convex: bool = True
    tail: tuple[int, ...] | None = None
    like: bool = False
    traced: bool = True
    base: Loss | None = None
    normalised: bool = False

    def given(self, f: Tensor, y: Tensor) -> Tensor:
        """What the criterion says of a batch, f (b, K) and y (b,)."""
        f = torch.log_softmax(f, 1) if self.normalised else f
        f = f if self.tail is None else f.view(len(f), *self.tail)
        y = y.long() if self.classes else y
        return self.criterion(f, y.view(f.shape) if self.like else y)

    def _one(self, f: Tensor, y: Tensor) -> Tensor:
        return self.given(f[None], y[None]).sum()

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """ℓ(y, f), shape (...)."""
        flat, targets = f.reshape(-1, f.shape[-1]), y.expand(f.shape[:-1]).reshape(-1)
        if self.traced:
            found: Tensor = vmap(self._one)(flat, targets)
        else:
            found = torch.stack([self._one(*pair) for pair in zip(flat, targets, strict=True)])
        return found.reshape(f.shape[:-1])

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """∂ℓ/∂f, shape (..., K)."""
        with torch.enable_grad():
            free = f.detach().clone().requires_grad_()
            return self._slopes(free, y).detach()

    def _slopes(self, free: Tensor, y: Tensor) -> Tensor:
        return _slope(self.values(free, y).sum(), free)

    def curvatures(self, f: Tensor, y: Tensor) -> Tensor:
        """∂²ℓ/∂f², shape (..., K, K)."""
        with torch.enable_grad():
            free = f.detach().clone().requires_grad_()
            slopes = self._slopes(free, y)
            rows = [_slope(slopes[..., k].sum(), free).detach() for k in range(self.outputs)]
        return torch.stack(rows, -2)

    def margins(self, f: Tensor, y: Tensor) -> Tensor | None:
        """> 0 where the largest output is that of the true class; None for a numeric target."""
        if isinstance(self.base, Logistic):
            return self.base.margins(f, y)
        if not self.classes or self.outputs < 2:
            return None
        index = y.long().expand(f.shape[:-1])[..., None].clamp(0, self.outputs - 1)
        return f.gather(-1, index)[..., 0] - f.scatter(-1, index, float("-inf")).amax(-1)

    def probabilities(self, f: Tensor) -> Tensor | None:
        """Those of the loss that it is a weighted form of; else an unknown loss defines none."""
        return None if self.base is None else self.base.probabilities(f)


def _slope(value: Tensor, free: Tensor) -> Tensor:
    """∂value/∂free, zero where it does not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(free)
    try:
        (found,) = torch.autograd.grad(value, free, create_graph=True, allow_unused=True)
    except RuntimeError as error:
        raise SettingsError(
            f"The loss has no second derivative in torch ({one_line(error, 120)}): write it with elementary operations."
        ) from None
    return torch.zeros_like(free) if found is None else found


def known(criterion: Criterion, outputs: int, y: Tensor) -> Loss | None:
    """A loss of ours where the criterion is one of torch's with its default settings and these labels are its own.

    Returns:
        The loss, or None; negative log-likelihoods and losses of a probability see log-odds here, so they count too.
    """
    if isinstance(criterion, partial) or not _plain(criterion):
        return None
    whole = bool(((y >= 0) & (y == y.round())).all())
    if outputs > 1 and whole and bool((y < outputs).all()) and is_one_of(criterion, ENTROPY + LIKELIHOOD):
        return None if bool((y == getattr(criterion, "ignore_index", -1)).any()) else Softmax(outputs)
    if outputs == 1 and is_one_of(criterion, (nn.MSELoss, functional.mse_loss)):
        return Squared()
    binary = outputs == 1 and whole and bool((y <= 1).all()) and is_one_of(criterion, BINARY)
    return Logistic() if binary else None


def _plain(criterion: Criterion) -> bool:
    """Whether a criterion is torch's without weights or smoothing."""
    weights = (getattr(criterion, name, None) for name in ("weight", "pos_weight"))
    return all(weight is None for weight in weights) and not getattr(criterion, "label_smoothing", 0)


def own_loss(criterion: Criterion, f: Tensor, y: Tensor, form: OwnLoss) -> OwnLoss:
    """The loss per example of any criterion, in the first reading in which a batch is the mean or sum of its examples.

    Args:
        criterion: of the user.
        f: (b, K) outputs of a few examples.
        y: (b,) their targets.
        form: what is known of the loss; y are whole numbers first where it says classes.

    Raises:
        SettingsError: no reading of the targets that the criterion takes.
    """
    failed = "its value for several examples is neither the mean nor the sum of their own"
    f = f.detach()
    if bool((f == f[:1]).all()):  # equal outputs cannot tell which target meets which output
        f = f * (1 + 1e-3 * torch.arange(len(f)).to(f)[:, None])
    for each in _readings(criterion, f.dtype):
        for whole in (True, False) if form.classes else (False, True) if bool((y == y.round()).all()) else (False,):
            for like in (False, True)[: 1 + (f.shape[1] == 1)]:
                loss = replace(form, criterion=each, classes=whole, like=like, traced=False)
                try:
                    alone, together = loss.values(f, y), loss.given(f, y)
                except Exception as error:  # noqa: BLE001 - whatever code of the user's raises
                    failed = one_line(error, 160)
                    continue
                if _adds_up(alone, together):
                    return replace(loss, traced=_traces(loss, f, y, alone))
    raise SettingsError(
        f"The loss cannot be taken per example: {failed}. Give a criterion that takes outputs of shape "
        f"{(len(f), *(form.tail or ()))} and y of shape ({len(f)},), with reduction='none' where examples are weighted."
    )


def _adds_up(alone: Tensor, together: Tensor) -> bool:
    near = 1e-9 if alone.dtype == torch.float64 else 1e-4
    if together.numel() == len(alone) > 1:
        return torch.allclose(together.reshape(-1), alone, near, near)
    total = together.sum()
    return any(torch.allclose(total, way, near, near) for way in (alone.mean(), alone.sum()))


def _traces(loss: OwnLoss, f: Tensor, y: Tensor, alone: Tensor) -> bool:
    try:
        return torch.allclose(replace(loss, traced=True).values(f, y), alone, 1e-4, 1e-6)
    except Exception:  # noqa: BLE001 - whatever code of the user's raises
        return False


def _readings(criterion: Criterion, dtype: torch.dtype) -> Iterator[Criterion]:
    """Torch's criteria without their reduction, which for weighted ones divides the weight out; then as they are."""
    if isinstance(criterion, nn.Module):
        criterion = duplicate(criterion).to(device="cpu", dtype=dtype)
        if isinstance(criterion, MARGIN[0]):
            yield _margin_loss(criterion)
        if (way := getattr(criterion, "reduction", "")) in {"mean", "sum", "batchmean"}:
            single = duplicate(criterion)
            single.reduction = "none"  # type: ignore[assignment]
            yield _reduced(single, way)
    else:
        names = inspect.signature(criterion).parameters if callable(criterion) else {}
        if "reduction" in names and (way := names["reduction"].default) in {"mean", "sum", "batchmean"}:
            if is_one_of(criterion, MARGIN):
                options = criterion.keywords if isinstance(criterion, partial) else {}
                yield _margin_loss(nn.MultiMarginLoss(**options))
            yield _reduced(partial(criterion, reduction="none"), way)  # type: ignore[call-arg]
    yield criterion


def _reduced(each: Criterion, way: str) -> Criterion:
    """Per example: the mean over its outputs, or their sum."""

    def value(f: Tensor, y: Tensor) -> Tensor:
        found = each(f, y).reshape(len(f), -1)
        return found.mean(1) if way == "mean" else found.sum(1)

    return value


def _margin_loss(given: nn.MultiMarginLoss) -> Criterion:
    """Torch's multi-margin loss in elementary operations: its own has no second derivative."""

    def value(f: Tensor, y: Tensor) -> Tensor:
        gap = (given.margin - f.gather(1, y[:, None]) + f).clamp(min=0) ** given.p
        if given.weight is not None:
            gap = gap * given.weight[y][:, None]
        return gap.scatter(1, y[:, None], 0.0).sum(1) / f.shape[1]

    return value
