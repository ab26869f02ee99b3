"""Lesson 9: a domain mismatch, found through the most influential training points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from influence_core.settings import Settings
from pages.components.lessons.parts.drawing import mark
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step
from pages.components.lessons.parts.plane import plane, table_of, two_features
from pages.components.session.door import teaching

TOP, MORE = 6, 30


def poor() -> Settings:
    """A training set that hardly covers the subgroup.

    Returns:
        The settings.
    """
    found: Settings = teaching.mismatch.settings(0)
    return found


def _rich(setting: Setting) -> Setting:
    """The same with thirty more training points of the subgroup."""
    return Setting(teaching.mismatch.settings(MORE), setting.test)


def _groups(setting: Setting) -> pd.DataFrame:
    found: pd.DataFrame = teaching.mismatch.by_group(setting.analysis)
    return found


def _inside(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Which training and which test points belong to the subgroup."""
    split, core = setting.analysis.problem.split, teaching.mismatch
    return core.in_subgroup(split, split.train), core.in_subgroup(split, split.test)


def fits(setting: Setting) -> str:
    """Why the lesson cannot use another problem.

    Returns:
        A sentence; empty for a drawing with both groups.
    """
    if said := two_features(setting):
        return said
    train, test = _inside(setting)
    both = 0 < train.sum() < len(train) and 0 < test.sum() < len(test)
    return "" if both else "This lesson needs points above and below x2 = 1.5, in training and in test."


def _wrong(setting: Setting, revealed: bool) -> list[Picture]:
    problem = setting.analysis.problem
    wrong = np.flatnonzero(problem.misclassified)
    figure = plane(setting, "The training set and its boundary")
    if revealed:
        figure.update_layout(title="The wrong predictions lie together, where training has hardly anything")
        mark(figure, problem.positions.test[wrong], f"wrong test predictions ({len(wrong)})", "x-thin", 12)
    table = _groups(setting)
    caption = (
        "; ".join(
            f"{row.group}: {row.train} training points, {row.accuracy:.0%} of {row.test} test points right"
            for row in table.itertuples()
        )
        + "."
    )
    return [
        Picture(
            figure, caption if revealed else "Star: one wrong test prediction.", table_of(setting), "mismatch-wrong"
        )
    ]


def _accuracy(setting: Setting) -> tuple[float, float]:
    table = _groups(setting)
    return float(table.accuracy[0]), float(table.accuracy[1])


def _even(setting: Setting) -> int:
    large, small = _accuracy(setting)
    return 0 if large - small > 0.2 else 1


def _even_words(setting: Setting) -> str:
    large, small = _accuracy(setting)
    share = 1 - float(np.mean(setting.analysis.problem.misclassified))
    return (
        f"Over all test points {share:.0%} are right, which looks bearable. In the large group it is {large:.0%}, "
        f"in the other "
        f"{small:.0%}. In practice nobody hands you the groups: you see single wrong predictions, such as the star."
    )


def _scores(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.analysis.scores([setting.test])[:, 0]
    return found


def _strongest(setting: Setting) -> np.ndarray:
    return np.argsort(-np.abs(_scores(setting)), kind="stable")[:TOP]


def _who(setting: Setting, revealed: bool) -> list[Picture]:
    scores = _scores(setting)
    figure = plane(setting, "Which training points shaped this wrong prediction?", scores if revealed else None)
    if revealed:
        top = _strongest(setting)
        mark(figure, setting.analysis.problem.positions.train[top], f"the {TOP} strongest", "diamond-open", 18)
    caption = "Predicted change of the star's loss if the training point leaves, nats. Blue: helpful. Orange: harmful."
    return [Picture(figure, caption, table_of(setting, loss_change=scores), "mismatch-who")]


def _where(setting: Setting) -> int:
    inside, _ = _inside(setting)
    top = inside[_strongest(setting)]
    return 0 if top[:2].all() else 1


def _where_words(setting: Setting) -> str:
    (inside, _), top, scores = _inside(setting), _strongest(setting), _scores(setting)
    names, train = setting.analysis.problem.split.train.class_names, setting.analysis.problem.split.train
    counts = ", ".join(f"{int((train.y[inside] == k).sum())} × {name}" for k, name in enumerate(names))
    return (
        f"{int(inside[top].sum())} of the {TOP} strongest, with {scores[top[0]]:+.2f} and {scores[top[1]]:+.2f} "
        f"nats at the top, belong "
        f"to the star's own corner, although it holds only {int(inside.sum())} of {len(inside)} training points "
        f"({counts}). A handful of "
        "points decides everything there: that is what a domain mismatch looks like from inside."
    )


def _cure(setting: Setting, revealed: bool) -> list[Picture]:
    shown = _rich(setting) if revealed else setting
    title = f"With {MORE} more training points from that corner" if revealed else "What would help?"
    figure = plane(shown, title)
    wrong = np.flatnonzero(shown.analysis.problem.misclassified)
    mark(figure, shown.analysis.problem.positions.test[wrong], f"wrong test predictions ({len(wrong)})", "x-thin", 12)
    return [Picture(figure, "Crosses: test points that the model gets wrong.", table_of(shown), "mismatch-cure")]


def _best(setting: Setting) -> int:
    before, after = _accuracy(setting)[1], _accuracy(_rich(setting))[1]
    return 1 if after > before + 0.1 else 0


def _best_words(setting: Setting) -> str:
    (large, before), (still, after) = _accuracy(setting), _accuracy(_rich(setting))
    return (
        f"With {MORE} points drawn as that corner really is, {after:.0%} of its test points are right instead of "
        f"{before:.0%}; the large "
        f"group goes from {large:.0%} to {still:.0%}. Deleting the harmful points would have hidden the symptom: "
        f"they are labelled "
        "right, there were only too few of their kind."
    )


MISMATCH = Lesson(
    "Debugging a domain mismatch",
    "A model fails on some people. Which data are to blame?",
    poor,
    (
        Step(
            "It works, mostly",
            "A model trained on one population and used on another. Nothing is wrong with its labels; the "
            "average accuracy looks "
            "fine. The star is one of its mistakes.",
            ask="Are the mistakes spread evenly?",
            choices=("No, they lie together", "Yes, roughly"),
            answer=_even,
            reveal=_even_words,
            draw=_wrong,
        ),
        Step(
            "Ask for the most influential training points",
            "Take one wrong prediction and ask which training points shaped it. With a well-covered test point "
            "it would be hundreds, "
            "each a little.",
            r"\mathrm{change}_{ij} \approx \tfrac1n\, q_j^{\top} H^{-1} g_i",
            ("change", "q", "H", "g", "n"),
            "Where are the strongest ones?",
            ("In the star's own, nearly empty corner", "In the large group"),
            _where,
            _where_words,
            _who,
        ),
        Step(
            "Delete them, or collect more?",
            "The harmful points of that corner carry correct labels of rare cases. One could remove them; or go "
            "and collect what "
            "training does not cover.",
            ask="What repairs the subgroup?",
            choices=("Removing the harmful points", "Collecting more points like these"),
            answer=_best,
            reveal=_best_words,
            draw=_cure,
        ),
    ),
    test=24,
    fits=fits,
)
