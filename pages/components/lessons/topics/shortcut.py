"""Lesson 13: shortcut words, a domain mismatch found in the words that decide a text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.charts.base import INK, QUIET, blank, class_colour
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import SIGN, curves, groups
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, projected, right
from pages.components.lessons.parts.texts import bars, text_classes, window
from pages.components.session.door import teaching

MAILS = DataSettings("spam_assassin", (("words", 500),), test_fraction=0.3)
SETTINGS = Settings(MAILS, ModelSettings("logistic", 1e-3), estimator="newton")
DECIDE, SHOWN, FEW = 4, 12, 10  # words that the lesson follows, bars, and words that are few
SIZES = (0, 10, 20, 40, 60, 80, 100, 120)
MORE = 1.5  # how many times the other side is "more"


def fits(setting: Setting) -> str:
    """Why the lesson cannot use another problem, a sentence; empty where it can."""
    if said := text_classes(setting):
        return said
    if setting.settings.estimator not in {"influence", "newton"}:
        return "This lesson needs scores in the unit of the loss: choose first order or one-step Newton."
    wrong = setting.analysis.problem.misclassified[setting.test]
    if wrong and setting.settings.quantity == "loss" and len(computed.pulls(setting)) >= DECIDE:
        return ""
    return f"This lesson needs the loss of a test text that {DECIDE} words or more pull to the wrong class: choose one."


def _words(setting: Setting) -> tuple[str, ...]:
    return tuple(computed.pulls(setting).word[:DECIDE])


def _kinds(table: pd.DataFrame) -> list[str]:
    """Columns of the table of words that are kinds of texts."""
    return list(table.columns.drop(["word", "pull", "lead"]))


def _test_window(setting: Setting, revealed: bool) -> str:
    table, test = computed.pulls(setting), setting.split.test
    label = f"{test.ids[setting.test]}, labelled {test.class_names[test.y[setting.test]]}"
    if not revealed:
        return window(test, setting.test, label)
    share = np.zeros(len(test.feature_names))
    share[[test.feature_names.index(word) for word in table.word]] = -table.pull
    return window(test, setting.test, f"{label}; orange pulls away from that", share, "of f for the true class")


def _decided(setting: Setting, revealed: bool) -> list[Picture]:
    below = _test_window(setting, revealed)
    if revealed:
        table = computed.pulls(setting)
        top = table[:SHOWN]
        figure = bars(
            list(top.word), top.pull.to_numpy(), "The words that pull this text to the wrong class",
            "θ · feature, of the output", [HARMFUL] * len(top),
        )  # fmt: skip
        caption = "The output of the model is the sum over all words and the constant; above zero is the class it says."
        return [Picture(figure, caption, table, "shortcut-words", below=below)]
    table = teaching.shortcut.by_kind(setting.analysis)
    figure = blank("How many test texts of every kind are right", "", "share of the test texts")
    figure.add_trace(go.Bar(x=table.kind, y=table.accuracy, marker_color=QUIET, texttemplate="%{y:.0%}"))
    figure.update_yaxes(tickformat=".0%", range=[0, 1.05])
    caption = "Below: one test text that is put into the wrong class."
    return [Picture(projected(figure, 300), caption, table, "shortcut-kinds", below=below)]


def _handful(setting: Setting) -> AnswerKey:
    table = computed.pulls(setting)
    turned = np.flatnonzero(table.lead <= 0)
    enough = len(turned) > 0
    fewest = int(turned[0]) + 1 if enough else len(table)
    return right(
        0 if fewest <= 2 and enough else 1 if fewest <= FEW and enough else 2,
        enough=enough, fewest=fewest, held=int((setting.split.test.x[[setting.test]] > 0).sum()), words=_words(setting),
        share=1 - float(np.mean(setting.analysis.problem.misclassified)),
    )  # fmt: skip


def _where(setting: Setting, revealed: bool) -> list[Picture]:
    table = computed.pulls(setting)[:DECIDE]
    figure = blank("How often training shows these words", "", "share of the training texts")
    for k, kind in enumerate(_kinds(table)):
        figure.add_trace(go.Bar(x=table.word, y=table[kind], name=kind, marker_color=class_colour(k)))
    figure.update_yaxes(tickformat=".0%")
    caption = "Training texts of every kind that hold the word at least once."
    counted = Picture(projected(figure, 300), caption, table, "shortcut-counts")
    return [counted, _carriers(setting)] if revealed else [counted]


def _carriers(setting: Setting) -> Picture:
    """The training texts whose words carry most, and the first of them in colours."""
    train, share = setting.split.train, computed.taught(setting, _words(setting))
    top = np.argsort(-np.abs(share), kind="stable")[:SHOWN]
    labels = [train.class_names[k] for k in train.y]
    said = [f"{train.ids[i]} ({labels[i]})" for i in top]
    title = "Training texts by what these words carry of their score"
    figure = bars(said, share[top], title, f"nats, {SIGN}", [HELPFUL if share[i] > 0 else HARMFUL for i in top])
    first = int(np.argmin(share))
    parts = teaching.shortcut.taught_by_word(setting.analysis, setting.test, first)
    below = window(
        train, first, f"{train.ids[first]}, the most harmful: every word with its share; orange is harmful", parts
    )
    table = pd.DataFrame({"id": train.ids, "label": labels, "share": share, "loss_change": setting.scores})
    caption = (
        f"Shares of {', '.join(_words(setting))} together; the {SHOWN} largest of {np.count_nonzero(share)} texts."
    )
    return Picture(figure, caption, table, "shortcut-texts", below=below)


def _side(setting: Setting) -> AnswerKey:
    share, table = computed.taught(setting, _words(setting)), computed.pulls(setting)[:1]
    harmful, helpful = float(share[share < 0].sum()), float(share[share > 0].sum())
    kinds = [f"{table[kind].iloc[0]:.0%} of {kind}" for kind in _kinds(table)]
    return right(
        0 if -harmful > MORE * helpful else 1,
        harmful=harmful, helpful=helpful, against=int((share < 0).sum()), others=int((share > 0).sum()),
        word=table.word.iloc[0], mismatch=-harmful > MORE * helpful, kinds=kinds,
    )  # fmt: skip


def _left(setting: Setting, revealed: bool) -> list[Picture]:
    table = computed.without_texts(setting, _words(setting), SIZES if revealed else SIZES[:1])
    lines = {name: (rows.texts.to_numpy(), rows["lead"].to_numpy()) for name, rows in groups(table, "order")}
    figure = curves(
        lines, "The lead of the true class as training texts leave", ("training texts left out", "f for the true class")
    )
    figure.add_hline(0, line={"color": INK, "dash": "dash", "width": 2})
    if not revealed:
        figure.update_traces(mode="markers", marker={"size": 14}).update_xaxes(range=[-5, SIZES[-1]])
    caption = "Above zero the text is right; every point is a certified refit." if revealed else "The model as it is."
    return [Picture(figure, caption, table, "shortcut-left")]


def _fewest(setting: Setting) -> AnswerKey:
    table = computed.without_texts(setting, _words(setting), SIZES)
    found = {name: rows[rows["lead"] > 0][:1] for name, rows in groups(table, "order")}
    harmful, by_words, random = found.values()
    enough = len(harmful) > 0
    fewest = int(harmful.texts.iloc[0]) if enough else SIZES[-1]
    return right(
        2 if not enough else 0 if fewest <= SIZES[2] else 1,
        enough=enough, fewest=fewest, most=SIZES[-1], n=len(setting.split.train), also=len(by_words) > 0,
        later=int(by_words.texts.iloc[0]) if len(by_words) else SIZES[-1], random=len(random) > 0,
        before=table.accuracy[0], after=harmful.accuracy.iloc[0] if enough else table.accuracy[0],
    )  # fmt: skip


SHORTCUT = Lesson(
    text=prose.lesson("shortcut"),
    settings=SETTINGS,
    steps=(Step(draw=_decided, answer=_handful), Step(draw=_where, answer=_side), Step(draw=_left, answer=_fewest)),
    test=94,
    fits=fits,
)
