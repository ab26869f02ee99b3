"""Lesson 11: how fragile a prediction is, and what first order alone would say of it."""

from __future__ import annotations

import numpy as np

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import curves, dot, mark
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.plane import plane, table_of, two_features
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("blobs", (("n", 120),), test_fraction=0.2), ModelSettings("logistic", 0.01))
FEW, MANY = 0.05, 0.2  # shares of the training points
STEPS = 16  # numbers of points on the curve


def fits(setting: Setting) -> str:
    """Why a problem cannot be asked, a sentence; empty where it can."""
    return two_features(setting) or str(core.fragility.why_not(setting.analysis.problem))


def _first(setting: Setting, revealed: bool) -> list[Picture]:
    found = computed.fewest(setting).turned
    leaves = np.isin(np.arange(len(setting.split.train)), found.rows)
    if not revealed or not found.found:
        figure = plane(setting, "How many points hold the star on its side?")
    else:
        figure = plane(
            setting, "Without the diamonds the star is on the other side", None, found.rows.tolist(), found.theta
        )
    caption = (
        "Star: test point. Line: where the model is undecided. Diamonds: the smallest set found that has to leave."
    )
    table = table_of(setting, leaves=leaves) if revealed else table_of(setting)
    return [Picture(figure, caption, table, "fragile-set")]


def _how_many(setting: Setting) -> AnswerKey:
    answer = computed.fewest(setting)
    found, share = answer.turned, len(answer.turned.rows) / answer.n
    return right(
        2 if not found.found or share > MANY else 0 if share <= FEW else 1,
        found=found.found, size=len(found.rows), n=answer.n, share=share, most=answer.most,
    )  # fmt: skip


def _sizes(setting: Setting) -> tuple[int, ...]:
    most = len(setting.split.train) // 2
    return tuple(sorted({*np.linspace(0, most, STEPS).astype(int).tolist(), len(computed.fewest(setting).turned.rows)}))


def _second(setting: Setting, revealed: bool) -> list[Picture]:
    found, table = computed.fewest(setting).turned, computed.lead_without(setting, _sizes(setting))
    lines = {"to first order": (table["size"].to_numpy(), table["first_order"].to_numpy())}
    if revealed:
        lines["measured by refits"] = (table["size"].to_numpy(), table["measured"].to_numpy())
    figure = curves(
        lines,
        "The lead of the predicted class, the strongest points gone first",
        ("training points that leave", "lead of the predicted class, log-odds"),
        ("dash", "solid"),
    )
    figure.add_hline(0, line={"color": INK, "dash": "dot", "width": 2})
    if revealed and found.found:
        dot(figure, len(found.rows), found.after, "smallest set found")
    caption = "Below zero the prediction is the other class. In the order of first-order scores at the fitted model."
    return [Picture(figure, caption, table if revealed else table[["size", "first_order"]], "fragile-lead")]


def _first_order(setting: Setting) -> AnswerKey:
    found = computed.fewest(setting).turned
    size, named = len(found.rows), len(found.first)
    choice = 2 if not named else 0 if named <= size else 1
    return right(
        choice, none=not named, named=named, size=size, found=found.found, turns=found.first_turns, many=named > 0
    )


def _third(setting: Setting, revealed: bool) -> list[Picture]:
    table = computed.fragile(setting)
    known, here = table.dropna(subset="points"), table.iloc[[setting.test]]
    figure = curves(
        {}, "Every test point: its lead, and how few must leave", ("lead, log-odds", "training points in the set")
    )
    if revealed:
        mark(figure, known[["lead", "points"]].to_numpy(), "test points", "circle-open", 11)
    places = here.dropna(subset="points")[["lead", "points"]].to_numpy()
    if len(places):
        mark(figure, places, "the star", "star", 18)
    missing = len(table) - len(known)
    caption = f"{len(known)} test points; {missing} more need over half of the training points." * revealed
    shown = table if revealed else here
    return [Picture(figure, caption or "The star alone.", shown.rename(columns=_named), "fragile-all")]


def _named(name: str) -> str:
    return {"first_order": "points_first_order_names"}.get(name, name)


def _confident(setting: Setting) -> AnswerKey:
    known = computed.fragile(setting).dropna(subset="points")
    total = len(setting.split.train)
    if len(known) < 3:
        return right(1, known=len(known), rank=0.0, enough=False, fragile=0, least=0, n=total)
    rank = float(known["lead"].corr(known["points"], method="spearman"))
    fragile = int((known["points"] <= FEW * total).sum())
    return right(
        0 if rank > 0.5 else 1,
        known=len(known), rank=rank, enough=True, fragile=fragile, least=int(known["points"].min()), n=total,
    )  # fmt: skip


FRAGILE = Lesson(
    text=prose.lesson("fragile"),
    settings=SETTINGS,
    test=5,
    steps=(
        Step(draw=_first, answer=_how_many),
        Step(draw=_second, answer=_first_order),
        Step(draw=_third, answer=_confident),
    ),
    fits=fits,
)
