"""The sign in words, once: pages, command line and exports say it from here."""

from __future__ import annotations

from influence_core.models.quantities import QUANTITIES
from influence_core.settings import Settings

SENTENCE = (
    "change = test loss without the training point minus test loss with it. "
    "> 0: removing it hurts the prediction, so it is helpful. < 0: it is harmful."
)
# What the negative and the positive changes mean, by orientation.
ENDS = {1: ("harmful", "helpful"), -1: ("helpful", "harmful"), 0: ("pushes down", "pushes up")}


def orientation(settings: Settings) -> int:
    """Which change of the watched quantity is good.

    Returns:
        +1 where a rise is helpful, −1 where a fall is, 0 for a plain prediction or the probability of another class.
    """
    entry = QUANTITIES[settings.quantity]
    return 0 if entry.other and settings.target >= 0 else entry.helpful


def sign(settings: Settings) -> int:
    """What turns scores so that + is helpful: −1 where a fall of what is watched is, else +1."""
    return -1 if orientation(settings) < 0 else 1


def watched(settings: Settings, class_names: tuple[str, ...]) -> str:
    """The watched quantity in words.

    Returns:
        For example ``test loss`` or ``probability of class 7``.
    """
    entry = QUANTITIES[settings.quantity]
    return entry.other.format(class_names[settings.target]) if entry.other and settings.target >= 0 else entry.title


def ranking(title: str, what: str, direction: int, without: str = "a training point") -> str:
    """What a score without unit is, and what its sign means.

    Args:
        title: of the estimator.
        what: the watched quantity in words.
        direction: of :func:`orientation`.
        without: who would leave.

    Returns:
        A few sentences.
    """
    up, down = (f"{a}{b}" for a, b in zip(("up", "down"), _SIDES[direction], strict=True))
    return (
        f"{title} is a ranking without unit: order and sign count, not size. > 0: by its sign, the {what} goes {up} "
        f"without {without}. < 0: {down}."
    )


_GOOD, _BAD = ", so it is helpful", ", so it is harmful"
_SIDES = {1: (_GOOD, _BAD), -1: (_BAD, _GOOD), 0: ("", "")}


def meaning(what: str, direction: int, without: str = "the training point") -> str:
    """What a change is, and what its sign means.

    Args:
        what: the watched quantity in words.
        direction: of :func:`orientation`.
        without: who leaves.

    Returns:
        A few sentences; for the loss at one test point those of the method.
    """
    if (start := f"change = {what} without {without} minus {what} with it. ") == SENTENCE[: len(start)]:
        return SENTENCE
    if direction > 0:
        return start + "> 0: removing it hurts the prediction, so it is helpful. < 0: it is harmful."
    if direction < 0:
        return start + "< 0: removing it lowers this, so it is helpful. > 0: it is harmful."
    return start + "> 0: removing it pushes the value up. < 0: down. A prediction is neither helped nor harmed."
