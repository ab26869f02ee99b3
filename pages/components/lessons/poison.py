"""Lesson 10: how little poison it takes, and what review makes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.examples import INK
from pages.components.lenses import lens_of
from pages.components.lessons import computed
from pages.components.lessons.drawing import curves
from pages.components.lessons.image_tiles import tiles
from pages.components.lessons.kinds import Lesson, Picture, Setting, Step

SETTINGS = Settings(DataSettings("digits"), ModelSettings("logistic", 0.01))
COUNTS = (1, 2, 3, 4, 6, 8, 9, 10, 12, 16)
BOUNDS = (0.1, 0.25, 0.5, 0.75, 1.0)
MOST, SHOWN = 16, 4


def fits(setting: Setting) -> str:
    """Why a problem cannot be poisoned here.

    Returns:
        A sentence; empty where it can.
    """
    problem = setting.analysis.problem
    if (
        problem.split.train.classes == 2
        and setting.settings.model.fit == "newton"
        and not problem.misclassified[setting.test]
    ):
        return ""
    return (
        "This lesson needs two classes, a fit by Newton, and a test point that the model gets right: choose "
        "another one."
    )


def _poisoned(setting: Setting):  # noqa: ANN202 - of the core
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
    n = len(setting.analysis.problem.split.train)
    caption = (
        f"{len(found.rows)} of {n} training images moved by at most {setting.number('bound'):g} standard "
        f"deviations per pixel; every point is a real refit."
    )
    return [Picture(figure, caption, found.path, "poison-path")]


def _fewest(setting: Setting) -> int:
    return computed.least_poison(setting.settings.key(), setting.test, setting.number("bound"), MOST, setting.settings)


def _enough(setting: Setting) -> int:
    fewest, n = _fewest(setting), len(setting.analysis.problem.split.train)
    return 2 if fewest == 0 else 0 if fewest <= 0.03 * n else 1


def _enough_words(setting: Setting) -> str:
    fewest, n, bound = _fewest(setting), len(setting.analysis.problem.split.train), setting.number("bound")
    if not fewest:
        return (
            f"Not even {MOST} of {n} images are enough at {bound:g} standard deviations per pixel. Allow a little more."
        )
    others = computed.poison(setting, fewest, bound).others
    spared = "no other test image changes" if not others else f"{others} other test images change"
    return (
        f"**{fewest} of {n}** images are enough at {bound:g} standard deviations per pixel, and {spared} sides. "
        "Labels stay as they are. The direction of every change is the sign of perturbation_change."
    )


def _images(setting: Setting, revealed: bool) -> list[Picture]:
    found, split = _poisoned(setting), setting.analysis.problem.split
    pictures = lens_of(split).pictures(split.train)
    if pictures is None:
        return _path(setting, True)
    shape = pictures.shape[1:]
    scale, mean = split.scaling.scale, split.scaling.mean
    top = float(split.scaling.invert(split.train.x).max())
    before, after = (np.clip(255 * (x * scale + mean) / top, 0, 255) for x in (found.before, found.after))
    shown = [one.reshape(shape) for k in range(min(SHOWN, len(found.rows))) for one in (before[k], after[k])]
    words = [f"{split.train.ids[row]}\n{when}" for row in found.rows[:SHOWN] for when in ("before", "after")]
    words = words if revealed else [word.split("\n")[0] for word in words]
    figure = tiles(shown, words, "Can you tell which of each pair was changed?", 4, low=0.0)
    table = pd.DataFrame(
        {
            "id": split.train.ids[found.rows],
            "label": [split.train.class_names[int(k)] for k in split.train.y[found.rows]],
        }
    )
    return [Picture(figure, "The first moved training images, each beside its original.", table, "poison-images")]


def _largest(setting: Setting) -> str:
    found, split = _poisoned(setting), setting.analysis.problem.split
    moved = np.abs(found.after - found.before) * split.scaling.scale
    top = float(split.scaling.invert(split.train.x).max())
    return (
        f"The second of each pair. On average a pixel moves by {moved.mean() / top:.1%} of the brightest one, at "
        f"most by {moved.max() / top:.0%}. "
        "All of it points the same way: towards the loss of one test image."
    )


def _review(setting: Setting, revealed: bool) -> list[Picture]:
    found = _poisoned(setting)
    n = len(found.self_influence)
    self_place, harm_place = found.places(found.self_influence), found.places(found.harm)
    places = np.arange(1, n + 1)
    lines = {}
    for name, place in (("by self-influence", self_place), ("by harm to this test point", harm_place)):
        lines[name] = (places / n, np.searchsorted(np.sort(place), places, side="right") / len(place))
    if not revealed:
        lines = {}
    lines["at random"] = (places / n, places / n)
    figure = curves(
        lines,
        "How soon a review meets the poisoned images",
        ("share of the training set checked", "share of the poisoned found"),
        ("solid", "dash", "dot") if revealed else ("dot",),
    )
    figure.update_xaxes(tickformat=".0%").update_yaxes(tickformat=".0%")
    table = pd.DataFrame(
        {
            "id": setting.analysis.problem.split.train.ids[found.rows],
            "place_by_self_influence": self_place,
            "place_by_harm": harm_place,
        }
    )
    return [
        Picture(
            figure,
            f"{len(found.rows)} poisoned among {n} training images; scores of the poisoned training set.",
            table,
            "poison-review",
        )
    ]


def _first(setting: Setting) -> tuple[int, float]:
    """Best place by self-influence, and the median."""
    place = _poisoned(setting).places(_poisoned(setting).self_influence)
    return int(place.min()), float(np.median(place))


def _caught(setting: Setting) -> int:
    best, median = _first(setting)
    n = len(setting.analysis.problem.split.train)
    return 0 if median <= 0.1 * n else 1 if best <= 0.1 * n else 2


def _caught_words(setting: Setting) -> str:
    best, median = _first(setting)
    found, n = _poisoned(setting), len(setting.analysis.problem.split.train)
    harm = found.places(found.harm)
    return (
        f"By self-influence the first stands at place {best} of {n}, the middle one at {median:.0f}; by harm at "
        f"{int(harm.min())} and {np.median(harm):.0f}. Labels and pictures look right: a review of labels alone is no "
        "protection. Compare with earlier versions of the data."
    )


POISON = Lesson(
    "How little poison it takes",
    "How safe is a prediction from small changes of a few training images?",
    SETTINGS,
    (
        Step(
            "Flip one chosen prediction",
            "Somebody may change a few training images a little, not their labels, and wants **one** test image "
            "wrong. The gradient of its loss by a training *feature* says how. Every round is a real refit.",
            r"\frac{\partial\, m_j}{\partial x_{ik}} = -\tfrac1n\, q_j^{\top} H^{-1}\, \partial_{x_k} g_i",
            ("m", "q", "H", "pert", "n", "i"),
            "How many of the training images does it take?",
            ("At most 3 %", "More than 3 %", "It cannot be done within the bound"),
            _enough,
            _enough_words,
            _path,
            ("count", "bound"),
        ),
        Step(
            "Would you see it?",
            "Moved training images beside their originals. The bound is in standard deviations of each pixel.",
            ask="Which one of each pair was changed?",
            choices=("The second", "The first"),
            answer=lambda _setting: 0,
            reveal=_largest,
            draw=_images,
            sliders=("count", "bound"),
        ),
        Step(
            "Would a review catch it?",
            "Rank the poisoned training set by self-influence, as the Mislabels page does. Or suspect the flipped "
            "prediction and rank by harm to it.",
            ask="Where do the poisoned images stand by self-influence?",
            choices=("Mostly among the first tenth", "One or some of them, not most", "Nowhere near the top"),
            answer=_caught,
            reveal=_caught_words,
            draw=_review,
            sliders=("count", "bound"),
        ),
    ),
    options=(
        Option("count", 9, "Training images that change", 1, 64),
        Option("bound", 0.25, "Bound per pixel, standard deviations", 0.01, 3.0),
    ),
    stops={"count": COUNTS, "bound": BOUNDS},
    fits=fits,
)
