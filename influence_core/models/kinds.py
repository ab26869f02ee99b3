"""The two kinds of models, and what everything above asks about them: closed forms, training runs, what is dear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from influence_core.settings import Option


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is the same for all models of one kind.

    Attributes:
        closed_form: whether f is linear in θ: J has one minimum, H one form; leverage and one Newton step are known.
        seeded: whether θ̂ is the end of a training run, which takes a while and ends elsewhere from another seed.
        products_only: whether H is dear to form and a solve takes seconds.
        training: options of its first-order optimiser.
        product_seconds: of a product of H with one vector, per example and parameter, on two cores.
        dense_seconds: of forming H, per example and squared number of parameters, by the number of outputs.
        cg_products: that conjugate gradients typically need.
        draw_seconds: of the products with a few examples each that LiSSA takes one after the other, per example.
    """

    closed_form: bool
    seeded: bool
    products_only: bool
    training: tuple[Option, ...]
    product_seconds: float
    dense_seconds: Callable[[int], float]
    cg_products: int
    draw_seconds: float


LINEAR = Kind(
    closed_form=True,
    seeded=False,
    products_only=False,
    training=(
        Option("epochs", 50, "Epochs (AdamW)", 1, 2_000),
        Option("learning_rate", 0.05, "Learning rate (AdamW)", 1e-6, 10.0),
        Option("schedule", "cosine", "Schedule (AdamW)", choices=("cosine", "constant")),
        Option("batch_size", 256, "Batch size (AdamW)", 1, 100_000),
    ),
    product_seconds=1e-9,
    dense_seconds=lambda _outputs: 1 / 2e10,
    cg_products=100,
    draw_seconds=0.0,
)
NETWORK = Kind(
    closed_form=False,
    seeded=True,
    products_only=True,
    training=(
        Option("epochs", 50, "Epochs", 1, 2_000),
        Option("learning_rate", 0.05, "Learning rate", 1e-6, 10.0, help="Of the first epoch; AdamW wants about 0.003."),
        Option("batch_size", 64, "Batch size", 1, 100_000),
        Option("momentum", 0.9, "Momentum (SGD)", 0.0, 0.999),
        Option("schedule", "cosine", "Schedule", choices=("cosine", "constant")),
        Option("patience", 0, "Patience of early stopping, epochs", 0, 2_000, help="0: no early stopping."),
        Option("checkpoints", 5, "Checkpoints kept (TracIn)", 1, 50),
        Option(
            "models",
            5,
            "Networks for projection scores",
            1,
            100,
            help="Of other seeds, each on a random half; trained when asked for.",
        ),
        Option("precision", "float32", "Precision", choices=("float32", "float64")),
    ),
    product_seconds=3e-8,
    dense_seconds=lambda outputs: outputs / 5e10,
    cg_products=30,
    draw_seconds=0.01,
)
