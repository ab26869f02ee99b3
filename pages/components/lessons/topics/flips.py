"""Lesson 7: finding your own flipped labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank
from pages.components.charts.examples import FLIPPED
from pages.components.charts.scale import plain
from pages.components.lenses import lens_of
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import checked, groups
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.lessons.parts.tiles import tiles
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("digits", flip_fraction=0.1), ModelSettings("logistic", 0.1))
SHARES = tuple(np.round(np.linspace(0, 1, 41), 3).tolist())
SIGNALS = ("self_influence", "loss", "random")
TENTH, SHOWN, ACROSS = 0.1, 40, 10


def fits(setting: Setting) -> str:
    """Why a problem has no flips to find, a sentence; empty where it has some."""
    wanted = "This lesson needs labels that were flipped on purpose: set the flipped share on the Data page above 0."
    return "" if setting.split.flipped.any() else wanted


def _order(setting: Setting, name: str = "self_influence") -> np.ndarray:
    """Training points, the most suspicious first."""
    found: np.ndarray = computed.review(setting).ranked(name)
    return found


def _ranks(setting: Setting, revealed: bool) -> list[Picture]:
    split, order = setting.split, _order(setting)
    values, flipped = setting.analysis.self_influence[order], split.flipped[order]
    place = np.arange(1, len(order) + 1)
    title = "Every training point, the one most on its own first"
    figure = blank(title, "place in the order of self-influence", "self-influence, nats")
    kinds = [(flipped, FLIPPED, "diamond", "#E69F00"), (~flipped, "label as in the source", "circle", QUIET)]
    hidden = [(np.ones(len(order), bool), "training point", "circle", QUIET)]
    for rows, name, symbol, colour in kinds if revealed else hidden:
        figure.add_trace(
            go.Scatter(
                x=place[rows], y=values[rows], mode="markers", name=f"{name} ({int(rows.sum())})",
                text=[plain(str(one)) for one in split.train.ids[order][rows]],
                marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 1, "color": INK}},
                hovertemplate="%{text}<br>place %{x}: %{y:.3g}<extra></extra>",
            )
        )  # fmt: skip
    table = pd.DataFrame({"place": place, "id": split.train.ids[order], "self_influence": values, "flipped": flipped})
    caption = "Self-influence = predicted change of a point's own loss if it leaves the training set."
    return [Picture(projected(figure), caption, table, "flips-ranks")]


def _where(setting: Setting) -> AnswerKey:
    flipped = setting.split.flipped[_order(setting)]
    share, overall = float(flipped[: round(TENTH * len(flipped))].mean()), float(flipped.mean())
    return right(0 if share > 3 * overall else 1 if share > 0.5 * overall else 2, share=share, overall=overall)


def _curves(setting: Setting) -> pd.DataFrame:
    """Share of flips found over the share checked, per signal."""
    found, flipped = computed.review(setting), setting.split.flipped
    tables = []
    for name in SIGNALS:
        recall = core.detection(found.suspicions([name])[name], flipped, found.ties, SHARES).recall
        if name == "random":  # on average the share found is the share checked: one draw would be jagged
            recall = np.asarray(SHARES)
        tables.append(pd.DataFrame({"signal": name, "checked": SHARES, "found": recall}))
    return pd.concat(tables, ignore_index=True)


def _search(setting: Setting, revealed: bool) -> list[Picture]:
    table = _curves(setting)
    shown = table if revealed else table[table.signal == "random"]
    title = "How many flips are found by checking the most suspicious first"
    figure = checked(shown, "found", title, "share of the flips found")
    caption = "One draw of flips; at random: on average. Figure H repeats it over seeds, with standard errors."
    return [Picture(figure, caption, table, "flips-curve")]


def _how_many(setting: Setting) -> AnswerKey:
    table = _curves(setting)
    found = {name: float(rows.found[np.isclose(rows.checked, TENTH)].iloc[0]) for name, rows in groups(table, "signal")}
    share = found["self_influence"]
    return right(0 if share < 0.2 else 1 if share < 0.6 else 2, **found)


def _first_images(setting: Setting, revealed: bool) -> list[Picture]:
    train, rows = setting.split.train, _order(setting)[:SHOWN]
    pictures = lens_of(train).pictures(train)
    if pictures is None:
        return _ranks(setting, revealed)
    flipped, labels = setting.split.flipped[rows], [train.class_names[int(k)] for k in train.y[rows]]
    words = [f"{label} ✗" if wrong and revealed else label for label, wrong in zip(labels, flipped, strict=True)]
    figure = tiles([*pictures[rows]], words, f"The {len(rows)} most suspicious images and their labels", ACROSS)
    table = pd.DataFrame({"id": train.ids[rows], "label": labels, "flipped": flipped})
    caption = f"The {len(rows)} training points with the largest self-influence, the largest first."
    caption += " ✗: flipped on purpose." * revealed
    return [Picture(figure, caption, table, "flips-images")]


def _all_wrong(setting: Setting) -> AnswerKey:
    kept = ~setting.split.flipped[_order(setting)]
    count = int(kept[:SHOWN].sum())
    choice = 0 if count == 0 else 1 if count <= SHOWN // 2 else 2
    return right(choice, flipped=SHOWN - count, kept=count, shown=SHOWN, place=int(kept.argmax()) + 1)


FLIPS = Lesson(
    text=prose.lesson("flips"),
    settings=SETTINGS,
    steps=(
        Step(draw=_ranks, answer=_where),
        Step(draw=_search, answer=_how_many),
        Step(draw=_first_images, answer=_all_wrong),
    ),
    fits=fits,
)
