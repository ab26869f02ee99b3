"""Points drawn by hand: two features, a few classes, all of it in one short text that fits into a link.

``a-112_34.b60_-7.B5_80`` are three points: a letter for the class, small for training and capital for test points, then
x and y in hundredths.  Only marks that a link shows as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence_core.data.dataset import DataError, Dataset, Split, Table
from influence_core.data.source import Chosen, Source, row_ids
from influence_core.settings import Option, SettingsError

MOST_POINTS = 300
LETTERS = "abcde"
EDGE = 1000  # hundredths
LONGEST_POINT = len("a-1000_-1000.")

_WHOLE = r"(0|-?[1-9][0-9]{0,3})"  # one way to write each number, so that one drawing has one text
_POINT = re.compile(rf"([{LETTERS}{LETTERS.upper()}]){_WHOLE}_{_WHOLE}")


class Point(NamedTuple):
    """One drawn point.

    Attributes:
        letter: of its class, ``a`` to ``e``.
        test: whether it is asked about instead of trained on.
        x: first feature in hundredths.
        y: second feature in hundredths.
    """

    letter: str
    test: bool
    x: int
    y: int


Drawing = tuple[Point, ...]


def parse(text: str) -> Drawing:
    """Points of a text, in its order.

    Returns:
        At most ``MOST_POINTS`` points; whether they suffice for a model, :func:`shortage` says.

    Raises:
        SettingsError: the text is no drawing, has too many points, or one of them lies outside.
    """
    parts = text.split(".", MOST_POINTS) if text else []
    if len(parts) > MOST_POINTS or len(text) > MOST_POINTS * LONGEST_POINT:
        raise SettingsError(f"Points: expected at most {MOST_POINTS}, got more: leave some out.")
    return tuple(_point(place, part) for place, part in enumerate(parts, 1))


def _point(place: int, part: str) -> Point:
    found = _POINT.fullmatch(part)
    if found is None:
        raise SettingsError(
            f"Point {place}: expected a letter from a to {LETTERS[-1]} (capital for a test point) and two whole "
            f"numbers of hundredths, such as a-112_34, got {part[:40]!r}: write them so, a full stop between."
        )
    letter, x, y = found[1], int(found[2]), int(found[3])
    if max(abs(x), abs(y)) > EDGE:
        raise SettingsError(
            f"Point {place}: expected coordinates from -{EDGE} to {EDGE} hundredths, got {part}: move it inside."
        )
    return Point(letter.lower(), letter.isupper(), x, y)


def text_of(points: Sequence[Point]) -> str:
    """Inverse of :func:`parse`.

    Returns:
        For example ``a-112_34.B5_80``.
    """
    return ".".join(f"{p.letter.upper() if p.test else p.letter}{p.x}_{p.y}" for p in points)


def shortage(points: Sequence[Point]) -> str:
    """What is missing before a model can be fitted and asked: two training points of every class, one test point.

    Returns:
        A sentence; empty where nothing is missing.
    """
    trained = Counter(point.letter for point in points if not point.test)
    if all(not point.test for point in points):
        return "Expected at least one test point, got none: add a test point."
    letters = sorted({point.letter for point in points})
    if len(letters) < 2:
        return f"Expected at least two classes, got {letters[0]} only: add points of another class."
    for letter in letters:
        if trained[letter] < 2:
            return (
                f"Expected at least two training points of every class, got {trained[letter]} of class {letter}: "
                "add one, or relabel or delete the others of this class."
            )
    return ""


def draw(split: Split) -> str:
    """The training points with their labels before any flip, then the test points, rounded to hundredths.

    Returns:
        A text for the option ``points``; the same flipped share and seed flip the same labels there.

    Raises:
        DataError: not two features and two to five classes, too many points, or points too far out.
    """
    parts, classes = (split.train, split.test), split.train.classes
    if split.train.x.shape[1] != 2 or not 2 <= classes <= len(LETTERS):
        raise DataError(f"Only data with two features and two to {len(LETTERS)} classes can be edited by hand.")
    count = sum(map(len, parts))
    if count > MOST_POINTS:
        raise DataError(
            f"At most {MOST_POINTS} points can be edited by hand, these are {count:,}: choose fewer on the Data page."
        )
    places = [np.rint(100 * split.scaling.invert(part.x)).astype(np.int64) for part in parts]
    if max(np.abs(place).max() for place in places) > EDGE:
        raise DataError(f"Only points within ±{EDGE // 100} can be edited by hand, some of these lie outside.")
    labels = (split.original_y, split.test.y)
    return text_of(
        [
            Point(LETTERS[int(label)], part is split.test, int(x), int(y))
            for part, place, known in zip(parts, places, labels, strict=True)
            for (x, y), label in zip(place, known, strict=True)
        ]
    )


def _drawn(options: Chosen, _seed: int) -> Table:
    points = parse(str(options["points"]))
    if lacking := shortage(points):
        raise DataError(lacking)
    letters = sorted({point.letter for point in points})
    test = np.array([point.test for point in points])
    dataset = Dataset(
        x=np.array([(point.x, point.y) for point in points]) / 100,
        y=np.array([letters.index(point.letter) for point in points], dtype=np.int64),
        ids=row_ids("drawn", np.arange(len(points))),
        feature_names=("x1", "x2"),
        class_names=tuple(f"class {letter}" for letter in letters),
        target_name="class",
    )
    return Table(dataset, train=np.flatnonzero(~test), test=np.flatnonzero(test))


# Two groups that overlap a little, one point of a far inside b's side, and six questions.
DEFAULT = (
    "a-165_-65.a31_6.a-250_-50.a-163_-37.a-247_-29.a-90_84.a-83_-7.a-237_141.a-273_44.a-138_-125.a-166_-107."
    "a-78_-59.a16_-206.a-110_-126.a-44_-230.a-139_-32.a-236_34.a-95_36.a-28_-133.a-178_-67.b174_132.b50_8.b42_10."
    "b90_49.b285_17.b85_99.b29_29.b111_126.b-2_177.b80_74.b182_116.b200_75.b108_87.b25_163.b44_-47.b285_48."
    "b10_217.b82_150.b39_39.b-34_-102.a320_230.A-20_40.A-130_-60.A20_-60.B140_70.B10_30.B-40_90"
)

DRAWN = Source(
    title="Draw your own",
    summary="Points placed by hand: add, drag, relabel and delete them on the Explore page and watch what follows.",
    task="classification",
    make=_drawn,
    options=(
        Option(
            "points",
            DEFAULT,
            "Points",
            help="A letter for the class, capital for test points, then x and y in hundredths: a-112_34.B5_80",
        ),
    ),
    standardise=False,
)
