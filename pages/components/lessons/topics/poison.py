"""Lesson 10: how little poison it takes, and what review makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.base import INK
from pages.components.lenses import lens_of
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import curves
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.tiles import tiles

if TYPE_CHECKING:
    from influence_core.teaching import Poisoned

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
COUNTS = (1, 2, 3, 4, 6, 8, 9, 10, 12, 16)
BOUNDS = (0.1, 0.25, 0.5, 0.75, 1.0)
MOST, SHOWN, HALF = 16, 4, 0.5
WHEN = ("original", "changed")


def fits(setting: Setting) -> str:
    """Why a problem cannot be poisoned here, a sentence; empty where it can."""
    problem = setting.analysis.problem
    right_now = not problem.misclassified[setting.test]
    if (
        setting.split.train.classes == 2
        and problem.fitted.kind.closed_form
        and not problem.split.train.worded
        and right_now
    ):
        return ""
    return (
        "This lesson needs two classes, a linear model of features that can move a little, and a test point that it "
        "gets right: choose another one."
    )


def _poisoned(setting: Setting) -> Poisoned:
    return computed.poison(setting, int(setting.tuned["count"]), setting.number("bound"))


def _path(setting: Setting, revealed: bool) -> list[Picture]:
    found = _poisoned(setting)
    lines = {
        "margin of the test point after refitting": (found.path["round"].to_numpy(), found.path["margin"].to_numpy())
    }
    figure = curves(
        lines,
        "The margin of one test point as a few training images change a little",
        ("round of small changes", "margin, f for the true class"),
    )
    figure.add_hline(0, line={"color": INK, "dash": "dash", "width": 2})
    figure.add_annotation(x=0, y=0, text="below: wrong", showarrow=False, xanchor="left", yanchor="top")
    if not revealed:
        figure.data[0].update(
            x=found.path["round"][:1], y=found.path["margin"][:1], mode="markers", marker={"size": 14}
        )
        figure.update_xaxes(range=[-0.5, 8.5])
    caption = (
        f"{len(found.rows)} of {len(setting.split.train)} training images moved by at most "
        f"{setting.number('bound'):g} standard deviations per pixel; every point is a real refit."
        if revealed
        else "The dot is the model as it is; every round of small changes will add one."
    )
    return [Picture(figure, caption, found.path, "poison-path")]


def _enough(setting: Setting) -> AnswerKey:
    n, bound = len(setting.split.train), setting.number("bound")
    fewest = computed.least_poison(setting, bound, MOST)
    others = computed.poison(setting, fewest, bound).others if fewest else 0
    return right(
        2 if fewest == 0 else 0 if fewest <= 0.03 * n else 1,
        enough=fewest > 0, fewest=fewest, n=n, bound=bound, alone=fewest > 0 and not others, company=others > 0,
        others=others, most=MOST,
    )  # fmt: skip


def _images(setting: Setting, revealed: bool) -> list[Picture]:
    found, split = _poisoned(setting), setting.split
    originals = lens_of(split).pictures(split.train)
    if originals is None:
        return _path(setting, True)
    shape, scaling = originals.shape[1:], split.scaling
    top = _brightest(setting)
    pictures = [np.clip(255 * (x * scaling.scale + scaling.mean) / top, 0, 255) for x in (found.before, found.after)]
    sides = [(k, after) for k, first in enumerate(_changed_first(len(found.rows))) for after in (first, not first)]
    shown = [pictures[after][k].reshape(shape) for k, after in sides]
    words = [f"{split.train.ids[found.rows[k]]}" + f"\n{WHEN[after]}" * revealed for k, after in sides]
    figure = tiles(shown, words, "Can you tell which of each pair was changed?", 4, low=0.0)
    labels = [split.train.class_names[int(k)] for k in split.train.y[found.rows]]
    table = pd.DataFrame({"id": split.train.ids[found.rows], "label": labels})
    return [
        Picture(
            figure,
            "The first moved training images, each beside its original, as a lot placed them.",
            table,
            "poison-images",
        )
    ]


def _changed_first(count: int) -> list[bool]:
    """For each pair whether the changed image stands on the left: drawn once and for all."""
    drawn: list[bool] = (np.random.default_rng(4).random(min(SHOWN, count)) < HALF).tolist()
    return drawn


def _brightest(setting: Setting) -> float:
    return float(setting.split.scaling.invert(setting.split.train.x).max())


def _second(setting: Setting) -> AnswerKey:
    found = _poisoned(setting)
    moved = np.abs(found.after - found.before) * setting.split.scaling.scale / _brightest(setting)
    return right(0 if _changed_first(1)[0] else 1, mean=moved.mean(), most=moved.max())


def _review(setting: Setting, revealed: bool) -> list[Picture]:
    found = _poisoned(setting)
    n = len(found.self_influence)
    self_place, harm_place = found.places(found.self_influence), found.places(found.harm)
    places = np.arange(1, n + 1)
    lines = {
        name: (places / n, np.searchsorted(np.sort(place), places, side="right") / len(place))
        for name, place in (("by self-influence", self_place), ("by harm to this test point", harm_place))
        if revealed
    } | {"at random": (places / n, places / n)}
    figure = curves(
        lines,
        "How soon a review meets the poisoned images",
        ("share of the training set checked", "share of the poisoned found"),
        ("solid", "dash", "dot") if revealed else ("dot",),
    )
    figure.update_xaxes(tickformat=".0%").update_yaxes(tickformat=".0%")
    ids = setting.split.train.ids[found.rows]
    table = pd.DataFrame({"id": ids, "place_by_self_influence": self_place, "place_by_harm": harm_place})
    caption = f"{len(found.rows)} poisoned among {n} training images; scores of the poisoned training set."
    return [Picture(figure, caption, table, "poison-review")]


def _caught(setting: Setting) -> AnswerKey:
    found, n = _poisoned(setting), len(setting.split.train)
    place, harm = found.places(found.self_influence), found.places(found.harm)
    best, median = int(place.min()), float(np.median(place))
    choice = 0 if median <= 0.1 * n else 1 if best <= 0.1 * n else 2
    return right(choice, best=best, n=n, median=median, harm_best=int(harm.min()), harm_median=np.median(harm))


POISON = Lesson(
    text=prose.lesson("poison"),
    settings=SETTINGS,
    steps=tuple(
        Step(draw=draw, answer=answer, sliders=("count", "bound"), answers_first=draw is _path)
        for draw, answer in ((_path, _enough), (_images, _second), (_review, _caught))
    ),
    options=(
        Option("count", 9, "Training images that change", 1, 64),
        Option("bound", 0.25, "Bound per pixel, standard deviations", 0.01, 3.0),
    ),
    stops={"count": COUNTS, "bound": BOUNDS},
    fits=fits,
)
