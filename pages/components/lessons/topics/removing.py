"""Lesson 1: remove one point and watch the line move."""

from __future__ import annotations

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.plane import plane, table_of, two_features
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("blobs", (("n", 20),), test_fraction=0.2), ModelSettings("logistic", 0.01), seed=39)
UNCHANGED = 1e-6  # nats
DEFINITION = "change = loss at the star without the training point minus loss with it, in nats. "


def leaving(setting: Setting) -> int:
    """The training point of the slider; −1 or a row that does not exist is the one that matters most."""
    chosen = int(setting.tuned["train"])
    return chosen if 0 <= chosen < len(setting.split.train) else setting.strongest


def _first(setting: Setting, revealed: bool) -> list[Picture]:
    row = leaving(setting)
    after = computed.removal(setting, row).theta if revealed else None
    figure = plane(setting, "One training point (diamond) is about to leave", None, [row], after)
    if revealed:
        figure.update_layout(title="Without the diamond the boundary lies elsewhere")
    caption = "Star: test point. Diamond: the training point that leaves. Line: where the model is undecided."
    return [Picture(figure, caption, table_of(setting), "remove-one")]


def _moved(setting: Setting) -> AnswerKey:
    change = float(computed.removal(setting, leaving(setting)).change[setting.test])
    return right(2 if abs(change) < UNCHANGED else 0 if change > 0 else 1, change=change, helps=change > 0)


def _second(setting: Setting, revealed: bool) -> list[Picture]:
    title = "Every training point, coloured by its own refit" if revealed else "Every training point leaves once"
    figure = plane(setting, title, setting.measured if revealed else None)
    caption = DEFINITION + "Blue: helpful. Orange: harmful. Area in proportion to the size of the change."
    return [Picture(figure, caption, table_of(setting, loo_change=setting.measured), "remove-each")]


def _whose(setting: Setting) -> AnswerKey:
    """Share of helpful points among those of the star's class, and among the others."""
    same = setting.split.train.y == setting.split.test.y[setting.test]
    own, other = (float((setting.measured[rows] > 0).mean()) for rows in (same, ~same))
    return right(2 if abs(own - other) < 0.1 else 0 if own > other else 1, own=own, other=other)


def _third(setting: Setting, revealed: bool) -> list[Picture]:
    table = table_of(setting, predicted=setting.scores, measured=setting.measured)
    if not revealed:
        figure = plane(setting, "The prediction, without a single refit", setting.scores)
        return [Picture(figure, DEFINITION + "Predicted by influence.", table, "remove-predicted")]
    axes = (f"measured by refits, nats\n{SIGN}", "predicted, nats")
    pair = Pair(setting.measured, setting.scores)
    figure = against([pair], "Predicted and measured change nearly coincide", axes)
    return [Picture(figure, DEFINITION + "Dashed: predicted = measured.", table, "remove-against")]


def _how_close(setting: Setting) -> AnswerKey:
    found = core.agreement(setting.measured, setting.scores)
    r, slope = found.r.value or 0.0, found.slope.value or 0.0
    near = r > 0.95 and 0.7 < slope < 1.4
    return right(0 if near else 1 if r > 0.5 else 2, n=len(setting.split.train), r=r, slope=slope)


REMOVING = Lesson(
    text=prose.lesson("remove"),
    settings=SETTINGS,
    steps=(
        Step(draw=_first, answer=_moved, sliders=("train",)),
        Step(draw=_second, answer=_whose),
        Step(draw=_third, answer=_how_close),
    ),
    options=(Option("train", -1, "Training point that leaves", -1, 100_000, empty="the strongest"),),
    fits=two_features,
)
