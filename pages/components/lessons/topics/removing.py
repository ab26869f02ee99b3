"""Lesson 1: remove one point and watch the line move."""

from __future__ import annotations

import numpy as np

from influence_core.settings import DataSettings, ModelSettings, Option, Settings
from pages.components.charts.panels import Pair
from pages.components.lessons.parts import computed
from pages.components.lessons.parts.drawing import SIGN, against
from pages.components.lessons.parts.kinds import Lesson, Picture, Setting, Step
from pages.components.lessons.parts.plane import plane, table_of, two_features
from pages.components.session.door import core

SETTINGS = Settings(DataSettings("blobs", (("n", 60),), test_fraction=0.2), ModelSettings("logistic", 0.01))
UNCHANGED = 1e-6  # nats
DEFINITION = "change = loss at the star without the training point minus loss with it, in nats. "


def leaving(setting: Setting) -> int:
    """The training point of the slider; −1 or a row that does not exist is the one that matters most.

    Returns:
        Its row.
    """
    chosen, n = int(setting.tuned["train"]), len(setting.analysis.problem.split.train)
    strongest = int(np.abs(setting.analysis.scores([setting.test])[:, 0]).argmax())
    return chosen if 0 <= chosen < n else strongest


def measured(setting: Setting) -> float:
    """Change of the loss at the test point, by a refit.

    Returns:
        Nats.
    """
    return float(computed.removal(setting, leaving(setting)).change[setting.test])


def _moves(setting: Setting) -> int:
    change = measured(setting)
    return 2 if abs(change) < UNCHANGED else 0 if change > 0 else 1


def _moved(setting: Setting) -> str:
    change = measured(setting)
    word = "helpful" if change > 0 else "harmful"
    return (
        f"The loss at the star changes by {change:+.3g} nats, so this training point is **{word}** to it. "
        "The solid line is the refit; the dashed one was there before."
    )


def _first(setting: Setting, revealed: bool) -> list[Picture]:
    row = leaving(setting)
    after = computed.removal(setting, row).theta if revealed else None
    figure = plane(setting, "One training point (diamond) is about to leave", None, [row], after)
    if revealed:
        figure.update_layout(title="Without the diamond the boundary lies elsewhere")
    caption = "Star: test point. Diamond: the training point that leaves. Line: where the model is undecided."
    return [Picture(figure, caption, table_of(setting), "remove-one")]


def _loo(setting: Setting) -> np.ndarray:
    found: np.ndarray = setting.refits.change[:, setting.test]
    return found


def _same_class(setting: Setting) -> tuple[float, float]:
    """Share of helpful points among those of the star's class, and among the others."""
    split, loo = setting.analysis.problem.split, _loo(setting)
    same = split.train.y == split.test.y[setting.test]
    return float((loo[same] > 0).mean()), float((loo[~same] > 0).mean())


def _whose(setting: Setting) -> int:
    own, other = _same_class(setting)
    return 2 if abs(own - other) < 0.1 else 0 if own > other else 1


def _whose_words(setting: Setting) -> str:
    own, other = _same_class(setting)
    return (
        f"Of the star's own class {own:.0%} are helpful, of the other class {other:.0%}. "
        "A point of the right class can be harmful: it may turn the line the wrong way for *this* star."
    )


def _second(setting: Setting, revealed: bool) -> list[Picture]:
    title = "Every training point, coloured by its own refit" if revealed else "Every training point leaves once"
    figure = plane(setting, title, _loo(setting) if revealed else None)
    caption = DEFINITION + "Blue: helpful. Orange: harmful. Area in proportion to the size of the change."
    return [Picture(figure, caption, table_of(setting, loo_change=_loo(setting)), "remove-each")]


def _agreement(setting: Setting) -> tuple[float, float]:
    found = core.agreement(_loo(setting), setting.analysis.scores([setting.test])[:, 0])
    return found.r.value or 0.0, found.slope.value or 0.0


def _how_close(setting: Setting) -> int:
    r, slope = _agreement(setting)
    return 0 if r > 0.95 and 0.7 < slope < 1.4 else 1 if r > 0.5 else 2


def _how_close_words(setting: Setting) -> str:
    r, slope = _agreement(setting)
    n = len(setting.analysis.problem.split.train)
    return (
        f"One solve instead of {n} refits: r = {r:.3f}, slope {slope:.2f} of measured on predicted. A slope above 1 "
        "means that the prediction under-estimates; lesson *Leverage* says why."
    )


def _third(setting: Setting, revealed: bool) -> list[Picture]:
    scores = setting.analysis.scores([setting.test])[:, 0]
    table = table_of(setting, predicted=scores, measured=_loo(setting))
    if not revealed:
        figure = plane(setting, "The prediction, without a single refit", scores)
        return [Picture(figure, DEFINITION + "Predicted by influence.", table, "remove-predicted")]
    axes = (f"measured by refits, nats\n{SIGN}", "predicted, nats")
    figure = against([Pair(_loo(setting), scores)], "Predicted and measured change nearly coincide", axes)
    return [Picture(figure, DEFINITION + "Dashed: predicted = measured.", table, "remove-against")]


REMOVING = Lesson(
    "Remove one point and watch the line move",
    "What is meant by: this training point shaped that prediction?",
    SETTINGS,
    (
        Step(
            "Take one training point away and fit again",
            "Two classes, a straight boundary fitted by logistic regression, and one **test point**, the star. "
            "The model has never seen the star; its loss there says how badly it predicts the star's label.\n\n"
            "Now the training point with the diamond leaves, and the model is **fitted again** on the others.",
            ask="What happens to the loss at the star?",
            choices=("It rises", "It falls", "It stays the same"),
            answer=_moves,
            reveal=_moved,
            draw=_first,
            sliders=("train",),
        ),
        Step(
            "Do it once for every training point",
            "Put the point back, take out the next one, and so on. Every training point gets a number of its own:",
            r"\mathrm{change}_{ij} = m_j(\hat\theta_{-i}) - m_j(\hat\theta)",
            ("change", "i", "j", "m", "theta_hat", "theta_out"),
            "Which training points help the star?",
            ("Mostly those of its own class", "Mostly those of the other class", "Both alike"),
            _whose,
            _whose_words,
            _second,
        ),
        Step(
            "Predict it without refitting",
            "Refitting once per training point is out of the question for large models. **Influence** predicts "
            "the change "
            "from the fitted model alone: how point i pulls on the parameters (its gradient), how far the "
            "parameters give "
            "way (the inverse Hessian), and what that does to the star's loss.",
            r"\mathrm{change}_{ij} \approx \tfrac1n\, q_j^{\top} H^{-1} g_i",
            ("q", "H", "g", "n", "change"),
            "How close does that come to the refits?",
            ("Close: nearly on the line of equality", "Right order, wrong size", "Unrelated"),
            _how_close,
            _how_close_words,
            _third,
        ),
    ),
    options=(Option("train", -1, "Training point that leaves (−1: the strongest)", -1, 100_000),),
    fits=two_features,
)
