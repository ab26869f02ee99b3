"""What every word of a text says for its label and against another one: an exact split of the model's log-odds."""

from __future__ import annotations

from influence_core.analysis.review import Review
from influence_core.compute import FloatArray, numpy
from influence_core.compute.sparse import is_sparse, rows_of


def label_words(review: Review, row: int, given: int, other: int) -> FloatArray | None:
    """(d,) what the words of training text ``row`` add to f_given − f_other, up to the constant.

    f are the outputs of the fitted linear predictor; of one output f is that of class 1 against class 0.

    Returns:
        None where no features are words, and for a network, whose log-odds are no sum over words.
    """
    fitted, x = review.fitted, review.analysis.problem.split.train.x
    if not (fitted.kind.closed_form and is_sparse(x)):
        return None
    weights = numpy(fitted.theta).reshape(fitted.linear.loss.outputs, -1)
    weights = weights[:, :-1] if fitted.linear.intercept else weights
    one = weights[0] * (1.0 if given > other else -1.0) if len(weights) == 1 else weights[given] - weights[other]
    found: FloatArray = rows_of(x, row) * one
    return found
