"""Lesson 7: finding your own flipped labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.examples import INK, QUIET, blank
from pages.components.charts.scale import plain
from pages.components.lenses import lens_of
from pages.components.lessons import computed
from pages.components.lessons.figure_charts_solvers import checked
from pages.components.lessons.image_tiles import tiles
from pages.components.lessons.kinds import Lesson, Picture, Setting, Step, projected
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("digits", flip_fraction=0.1), ModelSettings("logistic", 0.1))
SHARES = tuple(np.round(np.linspace(0, 1, 41), 3).tolist())
SIGNALS = ("self_influence", "loss", "random")
TENTH, SHOWN = 0.1, 8


def fits(setting: Setting) -> str:
    """Why a problem has no flips to find.

    Returns:
        A sentence; empty where it has some.
    """
    return "" if setting.analysis.problem.split.flipped.any() else (
        "This lesson needs labels that were flipped on purpose: set the flipped share on the Data page above 0."
    )  # fmt: skip


def _order(setting: Setting, name: str = "self_influence") -> np.ndarray:
    """Training points, the most suspicious first."""
    found: np.ndarray = computed.review(setting).ranked(name)
    return found


def _ranks(setting: Setting, revealed: bool) -> list[Picture]:
    split, order = setting.analysis.problem.split, _order(setting)
    values, flipped = setting.analysis.self_influence[order], split.flipped[order]
    place = np.arange(1, len(order) + 1)
    figure = blank(
        "Every training point, the one most on its own first",
        "place in the order of self-influence",
        "self-influence, nats",
    )
    kinds = [
        (flipped, "label flipped on purpose", "diamond", "#E69F00"),
        (~flipped, "label as in the source", "circle", QUIET),
    ]
    for rows, name, symbol, colour in (
        kinds if revealed else [(np.ones(len(order), bool), "training point", "circle", QUIET)]
    ):
        figure.add_trace(
            go.Scatter(
                x=place[rows], y=values[rows], mode="markers", name=f"{name} ({int(rows.sum())})",
                text=[plain(str(one)) for one in split.train.ids[order][rows]],
                marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 1, "color": INK}},
                hovertemplate="%{text}<br>place %{x}: %{y:.3g}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0})
    table = pd.DataFrame({"place": place, "id": split.train.ids[order], "self_influence": values, "flipped": flipped})
    caption = "Self-influence = predicted change of a point's own loss if it leaves the training set."
    return [Picture(projected(figure), caption, table, "flips-ranks")]


def _in_front(setting: Setting) -> float:
    """Share of flips among the first tenth."""
    flipped = setting.analysis.problem.split.flipped[_order(setting)]
    return float(flipped[: round(TENTH * len(flipped))].mean())


def _where(setting: Setting) -> int:
    share, all_of = _in_front(setting), float(setting.analysis.problem.split.flipped.mean())
    return 0 if share > 3 * all_of else 1 if share > 0.5 * all_of else 2


def _where_words(setting: Setting) -> str:
    return (
        f"Among the most suspicious tenth, {_in_front(setting):.0%} are flipped; overall it is "
        f"{setting.analysis.problem.split.flipped.mean():.0%}. A flipped label has no company: only the point "
        f"itself argues for it, "
        "so without it the model would not believe it."
    )


def _curves(setting: Setting) -> pd.DataFrame:
    """Share of flips found over the share checked, per signal."""
    found, flipped = computed.review(setting), setting.analysis.problem.split.flipped
    tables = []
    for name in SIGNALS:
        recall = core.detection(found.suspicions([name])[name], flipped, found.ties, SHARES).recall
        tables.append(pd.DataFrame({"signal": name, "checked": SHARES, "found": recall}))
    return pd.concat(tables, ignore_index=True)


def _search(setting: Setting, revealed: bool) -> list[Picture]:
    table = _curves(setting)
    shown = table if revealed else table[table.signal == "random"]
    figure = checked(
        shown, "found", "How many flips are found by checking the most suspicious first", "share of the flips found"
    )
    return [
        Picture(
            figure, "One draw of flips; figure H repeats it over seeds, with standard errors.", table, "flips-curve"
        )
    ]


def _at_tenth(setting: Setting) -> dict[str, float]:
    table = _curves(setting)
    return {name: float(rows.found[np.isclose(rows.checked, TENTH)].iloc[0]) for name, rows in table.groupby("signal")}


def _how_many(setting: Setting) -> int:
    share = _at_tenth(setting)["self_influence"]
    return 0 if share < 0.2 else 1 if share < 0.6 else 2


def _how_many_words(setting: Setting) -> str:
    found = _at_tenth(setting)
    return (
        f"Self-influence finds {found['self_influence']:.0%}, the training loss {found['loss']:.0%}, chance "
        f"{found['random']:.0%}. "
        "Where labels are the only trouble, the plain loss is often as good: always look at it beside influence."
    )


def _first_images(setting: Setting, revealed: bool) -> list[Picture]:
    split, order = setting.analysis.problem.split, _order(setting)
    rows = order[:SHOWN]
    names = split.train.class_names
    words = []
    for row in rows:
        mark = ("\nflipped" if split.flipped[row] else "\nright") if revealed else "\n "
        words.append(f"labelled {names[int(split.train.y[row])]}{mark}")
    table = pd.DataFrame(
        {
            "id": split.train.ids[rows],
            "label": [names[int(k)] for k in split.train.y[rows]],
            "flipped": split.flipped[rows],
        }
    )
    caption = "The eight training points with the largest self-influence."
    pictures = lens_of(split).pictures(split.train)
    if pictures is None:
        return _ranks(setting, revealed)
    return [
        Picture(
            tiles([*pictures[rows]], words, "The eight most suspicious labels"),
            caption,
            table,
            "flips-images",
        )
    ]


def _right(setting: Setting) -> int:
    """How many of the shown are right."""
    return int((~setting.analysis.problem.split.flipped[_order(setting)[:SHOWN]]).sum())


def _all_wrong(setting: Setting) -> int:
    return 0 if _right(setting) == 0 else 1 if _right(setting) <= SHOWN // 2 else 2


def _all_wrong_words(setting: Setting) -> str:
    split, order = setting.analysis.problem.split, _order(setting)
    places = np.flatnonzero(~split.flipped[order])
    return (
        f"{SHOWN - _right(setting)} of {SHOWN} are flipped. The first right label stands at place "
        f"{places[0] + 1}: rare but correct "
        "examples are on their own too. Suspicion asks for a look; a person decides, and *keep* is an expected answer. "
        "The Mislabels page is where that is done."
    )


FLIPS = Lesson(
    "Find your own flipped labels",
    "How can a model tell which of its own labels are wrong?",
    SETTINGS,
    (
        Step(
            "Who stands alone?",
            "Ten per cent of these handwritten 3s and 8s carry the wrong label, on purpose. Nobody told the "
            "model. Ask of every "
            "training point: how much worse would the model predict *it* if it had not been there?",
            r"\mathrm{self}_i = \tfrac1n\, g_i^{\top} H^{-1} g_i \;\ge\; 0",
            ("self", "g", "H", "n"),
            "Where in this order are the flipped labels?",
            ("Mostly in front", "Everywhere", "Mostly at the end"),
            _where,
            _where_words,
            _ranks,
        ),
        Step(
            "Check the most suspicious tenth",
            "Looking at every label costs hours. Check them in the order of suspicion and count the flips found "
            "on the way. The "
            "straight line is checking at random.",
            ask="After checking one tenth by self-influence, how many flips are found?",
            choices=("About a tenth", "About a half", "Most of them"),
            answer=_how_many,
            reveal=_how_many_words,
            draw=_search,
        ),
        Step(
            "Does suspicious mean wrong?",
            "These are the eight training images with the largest self-influence, under the label that they "
            "carry. Look at them "
            "before you reveal which were flipped.",
            ask="How many of the eight carry a right label?",
            choices=("None", "Some, up to half", "More than half"),
            answer=_all_wrong,
            reveal=_all_wrong_words,
            draw=_first_images,
        ),
    ),
    fits=fits,
)
