"""Lesson 9: a domain mismatch, found through the most influential training points."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import Settings
from pages.components.lessons.parts import prose
from pages.components.lessons.parts.drawing import mark
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.plane import plane, table_of, two_features
from pages.components.session.door import teaching

TOP, MORE = 6, 30


def poor() -> Settings:
    """A training set that hardly covers the subgroup."""
    return teaching.mismatch.settings(0)


def _rich(setting: Setting) -> Setting:
    """The same with thirty more training points of the subgroup."""
    return Setting(teaching.mismatch.settings(MORE), setting.test)


def _groups(setting: Setting) -> pd.DataFrame:
    return teaching.mismatch.by_group(setting.analysis)


def _inside(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Which training and which test points belong to the subgroup."""
    split, core = setting.split, teaching.mismatch
    return core.in_subgroup(split, split.train), core.in_subgroup(split, split.test)


def fits(setting: Setting) -> str:
    """Why the lesson cannot use another problem, a sentence; empty for a drawing with both groups."""
    if said := two_features(setting):
        return said
    both = all(0 < inside.sum() < len(inside) for inside in _inside(setting))
    return "" if both else "This lesson needs points above and below x2 = 1.5, in training and in test."


def _crosses(figure: go.Figure, setting: Setting) -> None:
    wrong = np.flatnonzero(setting.analysis.problem.misclassified)
    places = setting.analysis.problem.positions.test[wrong]
    mark(figure, places, f"wrong test predictions ({len(wrong)})", "x-thin", 12)


def _wrong(setting: Setting, revealed: bool) -> list[Picture]:
    figure, caption = plane(setting, "The training set and its boundary"), "Star: one wrong test prediction."
    if revealed:
        figure.update_layout(title="The wrong predictions lie together, where training has hardly anything")
        _crosses(figure, setting)
        groups = [
            f"{row.group}: {row.train} training points, {row.accuracy:.0%} of {row.test} test points right"
            for row in _groups(setting).itertuples()
        ]
        caption = "; ".join(groups) + "."
    return [Picture(figure, caption, table_of(setting), "mismatch-wrong")]


def _accuracy(setting: Setting) -> tuple[float, float]:
    large, small = _groups(setting).accuracy
    return float(large), float(small)


def _even(setting: Setting) -> AnswerKey:
    large, small = _accuracy(setting)
    share = 1 - float(np.mean(setting.analysis.problem.misclassified))
    return right(0 if large - small > 0.2 else 1, share=share, large=large, small=small)


def _top(setting: Setting) -> np.ndarray:
    return np.argsort(-np.abs(setting.scores), kind="stable")[:TOP]


def _who(setting: Setting, revealed: bool) -> list[Picture]:
    scores = setting.scores
    figure = plane(setting, "Which training points shaped this wrong prediction?", scores if revealed else None)
    if revealed:
        places = setting.analysis.problem.positions.train[_top(setting)]
        mark(figure, places, f"the {TOP} strongest", "diamond-open", 18)
    caption = "Predicted change of the star's loss if the training point leaves, nats. Blue: helpful. Orange: harmful."
    return [Picture(figure, caption, table_of(setting, loss_change=scores), "mismatch-who")]


def _where(setting: Setting) -> AnswerKey:
    (inside, _), top, train = _inside(setting), _top(setting), setting.split.train
    first, second = setting.scores[top[:2]]
    counts = ", ".join(f"{int((train.y[inside] == k).sum())} × {name}" for k, name in enumerate(train.class_names))
    return right(
        0 if inside[top[:2]].all() else 1,
        inside=int(inside[top].sum()), top=TOP, first=first, second=second, corner=int(inside.sum()), n=len(inside),
        counts=counts,
    )  # fmt: skip


def _cure(setting: Setting, revealed: bool) -> list[Picture]:
    shown = _rich(setting) if revealed else setting
    title = f"With {MORE} more training points from that corner" if revealed else "What would help?"
    figure = plane(shown, title)
    _crosses(figure, shown)
    return [Picture(figure, "Crosses: test points that the model gets wrong.", table_of(shown), "mismatch-cure")]


def _best(setting: Setting) -> AnswerKey:
    (large, before), (still, after) = _accuracy(setting), _accuracy(_rich(setting))
    return right(1 if after > before + 0.1 else 0, more=MORE, after=after, before=before, large=large, still=still)


MISMATCH = Lesson(
    text=prose.lesson("mismatch"),
    settings=poor,
    steps=(Step(draw=_wrong, answer=_even), Step(draw=_who, answer=_where), Step(draw=_cure, answer=_best)),
    test=30,
    fits=fits,
)
