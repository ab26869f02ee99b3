"""How few training points must leave to turn one prediction: the question, whom it can be asked of, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influence_core.analysis.groups import LEFT
from influence_core.analysis.problem import Problem
from influence_core.analysis.truth import collected, looking
from influence_core.compute import Task
from influence_core.data import DataError
from influence_core.models.losses import Logistic, Softmax
from influence_core.retraining.flips import Aim, Limits, Turned, fewest

WANTS: Mapping[str, str] = {
    "flip": "flip the predicted class",
    "right": "make the misclassified point right",
    "cross": "take the prediction across a threshold",
}
STEPS = 12  # of a search, each with a Hessian, its inverse and the leverage of every point
LARGEST = 5_000  # parameters: a search holds about five matrices of their square, 1 GB


@dataclass(frozen=True)
class FlipQuestion:
    """What is asked about one test point.

    Attributes:
        test: its row.
        want: a name in ``WANTS``.
        threshold: of the prediction, for ``cross``; None for the mean of the training targets.
        share: of the training points that may leave at most.
    """

    test: int
    want: str = "flip"
    threshold: float | None = None
    share: float = 0.5


@dataclass(frozen=True, eq=False)
class Fragility:
    """The answer, and the words for it.

    Attributes:
        question: as it was asked.
        turned: the set and its certificates.
        n: training points there are.
        most: that might leave.
        before: the prediction with all points: a class, or a number.
        after: without the set; as before where none was found.
        unit: of the margin.
        threshold: that was to be crossed; None for classes.
    """

    question: FlipQuestion
    turned: Turned
    n: int
    most: int
    before: str
    after: str
    unit: str
    threshold: float | None

    @property
    def sentence(self) -> str:
        """What was found, with the claim that certified refits bear out and no other."""
        found, size = self.turned, len(self.turned.rows)
        if not found.found:
            return self._none()
        what = f"Without {size:,} of the {self.n:,} training points ({size / self.n:.1%}) the prediction is "
        what += f"{self.after} instead of {self.before}"
        if self.threshold is not None:
            what += f", {'above' if float(found.f_after[0]) > self.threshold else 'below'} {self.threshold:.4g}"
        if size == 1:
            return f"{what}: no set is smaller."
        held = "no member can be put back" if found.held else "not every member's return is certified"
        return f"{what}. This is the smallest set found, and {held}; a smaller one may exist."

    @property
    def first_order(self) -> str:
        """What first order alone (AMIP) would have said, and what its refit says."""
        size = len(self.turned.first)
        if not size:
            return f"First order alone (AMIP) says that no set of at most {self.most:,} points does this."
        named = f"First order alone (AMIP) names {_points(size)}"
        if np.isnan(self.turned.first_after):
            return f"{named}, too many of a class for a refit."
        if not self.turned.first_turns:
            return f"{named}, but the refit without {_those(size)} does not do this."
        if not self.turned.found or size == len(self.turned.rows):
            return f"{named}; the refit without {_those(size)} does this."
        ratio = size / len(self.turned.rows)
        return f"{named}, {ratio:.2g} times as many; the refit without {_those(size)} does this too."

    def record(self) -> dict[str, Any]:
        """The answer as plain data, one row of a table."""
        found = self.turned
        return {
            "want": self.question.want,
            "threshold": self.threshold,
            "predicted": self.before,
            "without_the_set": self.after,
            "points": len(found.rows) if found.found else None,
            "share": len(found.rows) / self.n if found.found else None,
            "margin_before": found.before,
            "margin_after": found.after,
            "certificate": found.certificate,
            "no_member_can_be_put_back": found.held,
            "smallest_margin_with_one_back": found.closest,
            "first_order_points": len(found.first) or None,
            "first_order_turns": found.first_turns if len(found.first) else None,
            "refits": found.refits,
            "answer": self.sentence,
        }

    def _none(self) -> str:
        found = self.turned
        if found.why:
            return f"No set was found. {found.why}"
        none = (
            f"No set of at most {self.most:,} of the {self.n:,} training points ({self.question.share:.0%}) was found."
        )
        if not found.tried:
            return f"{none} There is no point whose leaving moves the prediction that way."
        further = "" if found.tried == self.most else f", and no other can leave: {LEFT} of every class have to stay"
        return (
            f"{none} Without the {_points(found.tried)} that count most{further}, the margin is {found.after:.3g} "
            f"{self.unit}; with all points it is {found.before:.3g}."
        )


def _points(count: int) -> str:
    return f"{count:,} point" if count == 1 else f"{count:,} points"


def _those(count: int) -> str:
    return "it" if count == 1 else "them"


def wants(problem: Problem, test: int) -> tuple[str, ...]:
    """What can be asked about a test point.

    Returns:
        Names in ``WANTS``; where two classes are all there are, making a point right is the same as flipping it.
    """
    if not problem.split.test.classes:
        return ("cross",)
    if not problem.misclassified[test]:
        return ("flip",)
    return ("right",) if problem.split.test.classes == 2 else ("flip", "right")


def middle(problem: Problem) -> float:
    """The mean of the training targets, to four digits: a threshold for those who have none."""
    return float(f"{problem.split.train.y.mean():.4g}")


def why_not(problem: Problem) -> str:
    """A sentence where nothing of this can be asked of a model, else empty."""
    fitted = problem.fitted
    if not fitted.kind.closed_form:
        return (
            "This needs a model with a linear predictor: a network trained again without some points ends elsewhere "
            "from one seed to the next, so no refit says for sure that a prediction turns."
        )
    if not fitted.unique:
        return (
            "This needs a model at its minimum: this one was trained by AdamW, and every refit would first have to go "
            "the rest of the way. Fit it by Newton's method."
        )
    if fitted.size > LARGEST:
        size = f"{LARGEST:,} parameters, this model has {fitted.size:,}"
        return f"This is offered up to {size}: take fewer features or classes."
    return ""


def seconds(problem: Problem, rate: float) -> float:
    """Of a search, roughly, at so many floating-point operations a second."""
    n, p, k = len(problem.fitted.train), problem.fitted.size, problem.fitted.model.loss.outputs
    return STEPS * (p * p * n * (1 + 1 / k) * (k + 1) / k + 2.0 * p**3) / rate


def fragility(problem: Problem, question: FlipQuestion, task: Task | None = None) -> Fragility:
    """Search for the fewest training points that must leave; with a store, finished steps are kept and resumed.

    Returns:
        The smallest set found, or that none was found; a question that cannot be asked is a ``DataError``.
    """
    asked = _checked(problem, question)
    aim, most = _aim(problem, asked), int(asked.share * len(problem.split.train))
    key = f"{problem.key('data', 'model', 'seed')}:{asked.test}:{asked.want}:{asked.threshold}:{most}"
    turned = fewest(problem.fitted, aim, Limits(most, LEFT), task or Task(), key)
    loss, classes = problem.fitted.model.loss, problem.split.test.classes
    unit = "log-odds" if isinstance(loss, Logistic | Softmax) else "units of the output" if classes else "target units"
    words = [_prediction(problem, f) for f in (turned.f_before, turned.f_after if turned.found else turned.f_before)]
    return Fragility(asked, turned, len(problem.split.train), most, words[0], words[1], unit, asked.threshold)


def stored_fragility(problem: Problem, question: FlipQuestion) -> Fragility | None:
    """What an earlier search found and stored, or None."""
    found = collected([lambda: fragility(problem, question, looking())])
    return found[0] if found else None


def _checked(problem: Problem, question: FlipQuestion) -> FlipQuestion:
    """The question with its threshold.

    Raises:
        DataError: it cannot be asked.
    """
    test = problem.split.test
    if sentence := why_not(problem):
        raise DataError(sentence)
    if not 0 <= question.test < len(test):
        raise DataError(f"Test point: expected a row from 0 to {len(test) - 1}, got {question.test}.")
    if question.want not in WANTS:
        raise DataError(f"Expected one of {', '.join(WANTS)}, got {question.want[:40]!r}.")
    if not 0 < question.share < 1:
        raise DataError(f"Share of the training points: expected a number between 0 and 1, got {question.share:g}.")
    if (question.want == "cross") != (not test.classes):
        kind = "classes: ask what flips it" if test.classes else "a numeric target: ask what crosses a threshold"
        raise DataError(f"These data have {kind}.")
    if question.want == "right" and not problem.misclassified[question.test]:
        raise DataError(f"Test point {question.test} is classified right already: ask what flips it.")
    if question.want != "cross":
        return replace(question, threshold=None)
    threshold = middle(problem) if question.threshold is None else float(question.threshold)
    if not np.isfinite(threshold) or threshold == float(problem.predictions[question.test, 0]):
        raise DataError(f"Threshold: expected a number other than the prediction itself, got {threshold:g}.")
    return replace(question, threshold=threshold)


def _aim(problem: Problem, question: FlipQuestion) -> Aim:
    x = problem.test.x[question.test]
    f = problem.fitted.model.outputs(problem.fitted.theta, x[None])[0]
    if len(f) == 1:
        threshold = question.threshold or 0.0
        return Aim(x, 1.0 if float(f[0]) > threshold else -1.0, threshold)
    if question.want == "right":
        return Aim(x, -1.0, holder=int(problem.split.test.y[question.test]))
    return Aim(x, 1.0, holder=int(f.argmax()))


def _prediction(problem: Problem, f: Any) -> str:
    names = problem.split.test.class_names
    if not names:
        return f"{float(f[0]):.4g}"
    return names[int(f[0] > 0) if len(f) == 1 else int(np.argmax(f))]
