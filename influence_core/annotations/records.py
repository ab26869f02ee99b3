"""What goes into the store and what comes out: frozen values, classes as indices 0..c-1, rows as positions 0..n-1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from influence_core.annotations.errors import AnnotationError
from influence_core.compute import FloatArray

Action = Literal["keep", "re-label", "exclude", "review"]
ACTIONS: tuple[Action, ...] = ("keep", "re-label", "exclude", "review")
NAME, NOTE = 200, 4_000  # characters
CONTROLS = (0.05, 0.10)
CHANGE = "change "  # before the row that a changed answer follows, in place of the token of a lease

SIGN = (
    "change[i, j]: remove training point i, refit, and look at test point j; new value of the watched quantity minus "
    "the old one. For the loss: > 0: removing i hurts the prediction, so i is helpful; < 0: i is harmful. "
    "self_influence is the predicted change of the loss of i itself, >= 0; every signal that ranks the queue has one "
    "direction: higher = more suspicious."
)


@dataclass(frozen=True, eq=False)
class Samples:
    """The training points under review, in their original order.

    Attributes:
        name: of the data set.
        fingerprint: content hash; the same data are the same data set, whoever loads them.
        ids: (n,) the user's names of the rows, each once.
        labels: (n,) class index as given.
        class_names: c names.
        contents: (n,) what each row holds, whatever its label: rows with the same content share their answers, in other
            splits and corrected files too.  None where answers belong to these data alone.
    """

    name: str
    fingerprint: str
    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    contents: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n, c = len(self.ids), len(self.class_names)
        if n == 0 or self.labels.shape != (n,) or c < 2:
            raise AnnotationError(f"Expected one label for each of the {n} rows and two or more classes, got {c}.")
        if self.contents is not None and len(set(self.contents.tolist())) < n:
            raise AnnotationError("Expected another content in every row: count equal rows.")
        if len(set(self.ids.tolist())) < n:
            raise AnnotationError("Expected another id in every row, got some twice: number the rows.")
        _within("labels", self.labels, n, c)


@dataclass(frozen=True, eq=False)
class Run:
    """What one fitted model says of every training point.

    Attributes:
        model: its name.
        settings: everything that reproduces it, for JSON.
        seed: of its random choices.
        trust: the trust line of the scores, as shown on screen.
        signals: name -> (n,) suspicion, higher = more likely mislabelled.
        predicted: (n,) class the model predicts, from cross-validated probabilities where there are any.
        suggested: (n,) best class other than the given one.
        p_given: (n,) probability of the given label.
        p_suggested: (n,) probability of ``suggested``.
        label_score: (n,) in 0..1, lower = worse; ``p_given`` when left out.
        is_issue: (n,) bool, what a filter calls an issue before anybody looked; none when left out.
        metrics: of the fit, for JSON.
        gradient_norm: of the objective at the fit.
        likely: (n, at most 11) classes from the most to the least probable.
    """

    model: str
    settings: Mapping[str, Any]
    seed: int
    trust: str
    signals: Mapping[str, FloatArray]
    predicted: NDArray[np.int64]
    suggested: NDArray[np.int64]
    p_given: FloatArray
    p_suggested: FloatArray
    label_score: FloatArray | None = None
    is_issue: NDArray[np.bool_] | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    gradient_norm: float | None = None
    likely: NDArray[np.int64] | None = None

    def check(self, samples: Samples) -> None:
        """Refuse what does not fit the samples."""
        n, c = len(samples.ids), len(samples.class_names)
        for name in ("predicted", "suggested"):
            _within(name, getattr(self, name), n, c)
        for name, values in {**self.signals, "p_given": self.p_given, "p_suggested": self.p_suggested}.items():
            if values.shape != (n,) or not np.isfinite(values).all():
                raise AnnotationError(f"{name[:40]}: expected {n} finite numbers, one for each row.")
        score = self.p_given if self.label_score is None else self.label_score
        if score.shape != (n,) or not ((score >= 0) & (score <= 1)).all():
            raise AnnotationError(f"label_score: expected {n} numbers from 0 to 1.")


@dataclass(frozen=True, eq=False)
class Plan:
    """How a queue is made from a run.

    Attributes:
        strategy: the signal that orders it, largest first, ties by id.
        limit: number of cards; all rows that nobody has settled when None.
        control_fraction: share of cards drawn at random from all of them and shown in between, unmarked.
        overlap: number of annotators who answer every card.
        duplicates: (n,) group number of near-duplicates, -1 for none.
        blind: whether suggestion and evidence stay hidden until a first answer.
        seed: of controls and their places.
        again: whether rows settled in an earlier queue are asked once more.
    """

    strategy: str = "self_influence"
    limit: int | None = None
    control_fraction: float = 0.08
    overlap: int = 1
    duplicates: NDArray[np.int64] | None = None
    blind: bool = False
    seed: int = 0
    again: bool = False

    def check(self, run: Run, n: int) -> None:
        """Refuse what cannot be made."""
        low, high = CONTROLS
        if self.strategy not in run.signals:
            raise AnnotationError(f"Strategy {self.strategy[:40]!r}: expected one of {', '.join(run.signals)}.")
        if not low <= self.control_fraction <= high:
            raise AnnotationError(f"Controls: expected a share from {low:.0%} to {high:.0%}: choose one in between.")
        if self.overlap < 1 or (self.limit is not None and self.limit < 1):
            raise AnnotationError("Expected at least one card, and one annotator for each.")
        if self.duplicates is not None and self.duplicates.shape != (n,):
            raise AnnotationError(f"duplicates: expected {n} group numbers, one for each row, -1 for none.")


@dataclass(frozen=True)
class Answer:
    """One answer to a card.

    Attributes:
        action: ``keep``, ``re-label``, ``exclude`` or ``review`` (needs review).
        label: the new class, of ``re-label`` only.
        note: free text.
        saw_suggestion: whether the suggestion was on screen.
        first: a first answer in blind mode: kept, and the card stays for the final one.
    """

    action: Action
    label: int | None = None
    note: str = ""
    saw_suggestion: bool = True
    first: bool = False


@dataclass(frozen=True)
class Said:
    """What somebody has said of a row, for whoever settles it.

    Attributes:
        annotator: who.
        action: as in :class:`Answer`.
        label: the new class, of ``re-label`` only.
        note: free text.
        round: 1, or 2 in the second pass.
    """

    annotator: str
    action: Action
    label: int | None
    note: str
    round: int


@dataclass(frozen=True)
class Only:
    """Which cards somebody wants to be served; the order of the queue stays.

    Attributes:
        given: class index as given; None for any.
        suggested: best class other than the given one; None for any.
    """

    given: int | None = None
    suggested: int | None = None


@dataclass(frozen=True)
class Queue:
    """One version of a data set's queue.

    Attributes:
        id: of the queue.
        dataset: id of the data set.
        run: id of the run whose scores order it.
        version: 1, 2, … of this data set.
        strategy: signal that orders it.
        overlap: answers wanted per card.
        control_fraction: share of random controls.
        blind: whether a first answer comes before the suggestion.
        class_names: c names.
        size: number of cards.
        trust: trust line of the scores.
        seed: of controls and their places.
        created_at: seconds since 1970.
        created_by: a lead.
    """

    id: int
    dataset: int
    run: int
    version: int
    strategy: str
    overlap: int
    control_fraction: float
    blind: bool
    class_names: tuple[str, ...]
    size: int
    trust: str
    seed: int
    created_at: float
    created_by: str


@dataclass(frozen=True)
class Card:
    """One item of a queue as one annotator sees it.  Whether it is a control is not told.

    Attributes:
        queue: id of the queue.
        task: id of the item.
        annotator: whose card it is.
        token: of the lease; of a card that is looked at, names one's own answer, which can be changed; "" without one.
        round: 1, or 2 in the second pass.
        place: 0, 1, … in the queue.
        position: row of the training set.
        name: the user's id of the row.
        given: class index.
        predicted: class index.
        suggested: best class other than the given one.
        p_given: probability of the given label.
        p_suggested: probability of the suggestion.
        scores: signal -> suspicion.
        percentiles: signal -> share of rows that are at most as suspicious, 0..1.
        peers: positions of near-duplicates that may be answered along with it.
        served_at: seconds since 1970.
        expires_at: seconds since 1970.
        first: the blind first answer, when given: the suggestion may be shown.
        mine: one's own answer, when given.
        others: in the second pass, what was said so far and by whom.
        draft: the note that was begun.
        likely: classes from the most to the least probable; empty where that was not stored.
    """

    queue: int
    task: int
    annotator: str
    token: str
    round: int
    place: int
    position: int
    name: str
    given: int
    predicted: int
    suggested: int
    p_given: float
    p_suggested: float
    scores: Mapping[str, float]
    percentiles: Mapping[str, float]
    peers: tuple[int, ...]
    served_at: float
    expires_at: float
    first: Answer | None = None
    mine: Answer | None = None
    others: tuple[Said, ...] = ()
    draft: str = ""
    likely: tuple[int, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether an answer to this card replaces one that was given before."""
        return self.token.startswith(CHANGE)


def _within(name: str, labels: NDArray[np.int64], n: int, c: int) -> None:
    if labels.shape != (n,) or labels.min() < 0 or labels.max() >= c:
        raise AnnotationError(f"{name}: expected {n} class indices from 0 to {c - 1}, one for each row.")
