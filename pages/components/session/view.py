"""What one looks at: the question, the selections and the switches of a picture.  With Settings it makes up a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influence_core.settings import Option, SettingsError

ASKS = ("test", "tests", "train")
DETAILS = ("gallery", "feature", "table")
SWITCHES = ("lock", "symlog", "magnitude", "compare", "group_open", "removal", "present")
PANELS = ("review", "progress", "export", "team")
AGAINST = ("solver", "loo", "lds")
FLIPS = ("flip", "right", "cross")
TRUTHS = ("run", "seeds")
FORESTS = ("100x5", "500x5", "100x2", "100x20")  # trees, and the fewest points of a leaf
CHOICES = {
    "ask": ASKS, "details": DETAILS, "panel": PANELS, "against": AGAINST, "flip": FLIPS, "truth": TRUTHS,
    "forest": FORESTS}  # fmt: skip
NUMBERS = {
    "test": "test point", "train": "training point", "feature": "feature", "output": "output",
    "step": "step of a lesson", "version": "version of the queue", "place": "card",
    "given": "class", "instead": "class",
}  # fmt: skip
HIDABLE = {
    "pages": "links to the other pages",
    "settings": "settings as a file and Start over",
    "question": "the choice of the question",
    "measure": "quantity, estimator, damping and colour switches",
    "truth": "the comparison with exact leave-one-out",
    "examples": "the most helpful and harmful examples",
    "selection": "the selected training point and its actions",
    "why": "why the selected training point matters",
    "flip": "how few must leave to turn a prediction",
    "removal": "whether the most helpful ones mattered",
    "forest": "what a random forest leans on",
    "group": "groups that leave together",
    "details": "gallery, features and table",
}  # parts of Explore that a lesson can do without; what the scores rest on is always said
FRACTIONS = {
    "trial_damping": Option("damping", 0.0, "damping", 0.0, 1e9),
    "threshold": Option("threshold", 0.0, "threshold", -1e15, 1e15),
}
SENTENCES = {"title": 80, "question": 240}  # characters that a lesson link may say of itself
LONGEST = 6_000  # characters of one part of a link: browsers and proxies take about 8,000 in all


@dataclass(frozen=True)
class View:
    """Everything on screen that is no setting of the analysis.

    Attributes:
        test: the test point asked about; None for the one to start with, see ``Problem.start``.
        train: the selected training point.
        ask: ``test`` colours training points by one test point, ``tests`` by a group of them, ``train`` colours test
            points by what removing the selected training point does to each.
        tests: rows of the group of test points, see :func:`rows_of`.
        group: rows of the group of training points that leave together; empty for none.
        axes: of the map, across and up, such as ``3,output``; empty for the usual ones.
        lock: the same colour limits for every test point.
        symlog: colours on a symmetric logarithmic scale.
        magnitude: colours by |score|, without the sign.
        feature: feature of the histogram on the Data page; None for its usual one.
        output: output of the model whose coefficients are drawn.
        compare: compare the solvers of a large model too.
        trial_damping: tried live on the Solvers page; None for the one of the settings.
        against: what the solvers of a network are compared with; None for the best that is known.
        truth: of a network: this very run without a point, or the mean over runs from several seeds.
        word: of the test text, by which the training texts are sorted; empty for none.
        details: the open tab below the pictures of the Explore page; None for the first one.
        group_open: whether the panel about the group that leaves is open; None: it is where there is a group.
        flip: what is asked of the panel about how few must leave; None where it is closed.
        threshold: that the prediction is to cross there; None for the mean of the training targets.
        removal: whether the panel about what happens without the most helpful points is open.
        forest: which one is asked what it leans on; None where that panel is closed.
        lesson: name in ``LESSONS``; empty for the list of them.
        step: of the lesson, from 1.
        tune: sliders of the lesson or options of the figure, ``t:0.1,seed:3``; empty for their defaults.
        hide: names in ``HIDABLE``, separated by commas: what Explore leaves out.
        title: of a lesson link, above the picture; plain text.
        question: of a lesson link, below its title; plain text.
        present: no sidebar and larger letters, for a projector.
        panel: part of the Mislabels page.
        version: of the queue under review; None for the newest.
        strategy: signal that orders a new queue, and the one drawn beside the loss; empty for the usual ones.
        place: card of the queue that is looked at; None for the one in hand.
        given: class index: only cards with this given label are served; None for all.
        instead: class index: only cards with this best alternative are served; None for all.
    """

    test: int | None = None
    train: int | None = None
    ask: str = "test"
    tests: str = "wrong"
    group: str = ""
    axes: str = ""
    lock: bool = False
    symlog: bool = False
    magnitude: bool = False
    feature: int | None = None
    output: int | None = None
    compare: bool = False
    trial_damping: float | None = None
    against: str | None = None
    truth: str = "run"
    word: str = ""
    details: str | None = None
    group_open: bool | None = None
    flip: str | None = None
    threshold: float | None = None
    removal: bool = False
    forest: str | None = None
    lesson: str = ""
    step: int = 1
    tune: str = ""
    hide: str = ""
    title: str = ""
    question: str = ""
    present: bool = False
    panel: str = "review"
    version: int | None = None
    strategy: str = ""
    place: int | None = None
    given: int | None = None
    instead: int | None = None

    @property
    def point(self) -> int:
        """The test point asked about."""
        return self.test or 0

    @property
    def hidden(self) -> frozenset[str]:
        """What Explore leaves out."""
        return frozenset(self.hide.split(",")) - {""}


def to_query(view: View) -> dict[str, str]:
    """URL parameters: the test point, and what else differs from the defaults: ``{"test": "7", "group": "3-9"}``."""
    default = View()
    chosen = {item.name: getattr(view, item.name) for item in fields(view)}
    return {name: str(value) for name, value in chosen.items() if value != getattr(default, name)}


def from_query(query: Mapping[str, str]) -> tuple[View, tuple[str, ...]]:
    """The view of a link, with one sentence for every part that had to be ignored; never an exception.

    Returns:
        The view and the sentences.  Whether a number exists in the data is for the page to see.
    """
    view, problems = View(), []
    for item in fields(View):
        if item.name not in query:
            continue
        try:
            read: Any = _read(item.name, query[item.name])
            view = replace(view, **{item.name: read})
        except SettingsError as error:
            problems.append(f"{error} The default is used.")
    return view, tuple(problems)


def _read(name: str, text: str) -> str | float | bool:
    if name == "step":
        return _step(text)
    if name in NUMBERS:
        return _number(name, text)
    if name in SENTENCES:
        return sentence(name, text)
    if name in FRACTIONS:
        return float(FRACTIONS[name].parse(text))
    if name in SWITCHES:
        return bool(Option(name, False, name).parse(text))
    if name in CHOICES:
        return str(Option(name, CHOICES[name][0], name, choices=CHOICES[name]).parse(text))
    if name == "hide":
        return _hidden(text)
    if len(text) > LONGEST:
        raise SettingsError(f"{name}: expected at most {LONGEST} characters, got {len(text)}.")
    return text


def sentence(name: str, text: str) -> str:
    """Words of a lesson link: one line of characters that can be seen.

    Raises:
        SettingsError: they are too long.
    """
    words = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    if len(words) > SENTENCES[name]:
        raise SettingsError(f"{name}: expected at most {SENTENCES[name]} characters, got {len(words)}.")
    return words


def _step(text: str) -> int:
    found = _number("step", text)
    if not found:
        raise SettingsError("step: steps of a lesson count from 1, got 0.")
    return found


def _hidden(text: str) -> str:
    names = dict.fromkeys(part for part in text.split(",") if part)
    for part in names:
        if part not in HIDABLE:
            raise SettingsError(f"hide: expected some of {', '.join(HIDABLE)}, got {part[:40]!r}.")
    return ",".join(names)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise SettingsError(f"{name}: expected the number of a {NUMBERS[name]}, got {text[:40]!r}.")
    return int(text)


def within(view: View, train: int, test: int) -> tuple[View, tuple[str, ...]]:
    """A view that asks for some of so many points; a link, or other data, may have asked for others."""
    problems = []
    if view.test is not None and view.test >= test:
        problems.append(f"Test point {view.test} does not exist: expected 0 to {test - 1}. Another one is shown.")
        view = replace(view, test=None)
    if view.train is not None and view.train >= train:
        problems.append(f"Training point {view.train} does not exist: expected 0 to {train - 1}. None is selected.")
        view = replace(view, train=None)
    if view.ask == "train" and view.train is None:
        problems.append("Asked about a training point, but none is selected: the test point is asked about instead.")
        view = replace(view, ask="test")
    return view, tuple(problems)


def lost(before: View, after: View) -> str:
    """What was selected and is not any more, because the data are others.

    Returns:
        For example ``test point 7 and the group of training points are``; empty for nothing.
    """
    names = {
        "test": f"test point {before.test}",
        "train": f"training point {before.train}",
        "group": "the group of training points",
    }
    gone = [words for name, words in names.items() if getattr(before, name) != getattr(after, name)]
    verb = "are" if len(gone) > 1 else "is"
    return f"{', '.join(gone[:-1])}{' and ' if len(gone) > 1 else ''}{gone[-1]} {verb}" if gone else ""


def rows_of(text: str, count: int, named: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Row numbers of a group: a name such as ``all`` or ``class 3``, or numbers and ranges such as ``3-9,12``.

    Args:
        text: the group, as it stands in a link.
        count: rows there are.
        named: what each name stands for.

    Returns:
        Different rows, ascending; empty for an empty text.

    Raises:
        SettingsError: something else was written, or a row does not exist.
    """
    if text in named:
        return named[text]
    chosen = np.zeros(count, dtype=bool)
    for part in text.split(",") if text else []:
        low, dash, high = (end.strip() for end in part.partition("-"))
        ends = (low, high if dash else low)
        if not all(end.isascii() and end.isdecimal() and len(end) < 10 for end in ends):
            offered = ", ".join(repr(name) for name in list(named)[:8])
            raise SettingsError(f"Group: expected numbers and ranges such as 3-9,12, or {offered}; got {part[:40]!r}.")
        first, last = map(int, ends)
        if not first <= last < count:
            raise SettingsError(f"Group: expected rows from 0 to {count - 1}, lower end first, got {part[:40]!r}.")
        chosen[first : last + 1] = True
    return np.flatnonzero(chosen)


def group_text(rows: NDArray[np.int64]) -> str:
    """Inverse of :func:`rows_of` for row numbers: ranges with commas, such as ``3-9,12``."""
    ordered = np.unique(rows)
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1) if len(ordered) else []
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
