"""Lesson 14: one poisoned word, which a few mislabelled training texts teach a model to obey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from influence_core.settings import Option
from pages.components.charts.base import INK, QUIET
from pages.components.charts.colours import HARMFUL
from pages.components.lessons.parts import computed, prose
from pages.components.lessons.parts.drawing import curves
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Picture, Setting, Step, right
from pages.components.lessons.parts.texts import bars, text_classes, window
from pages.components.lessons.topics.shortcut import SETTINGS
from pages.components.session.door import teaching

if TYPE_CHECKING:
    from influence_core.teaching.trigger import Trigger

COUNTS, TIMES = (1, 2, 3, 5, 10, 20), (1, 3, 5, 10)
SHOWN, MOSTLY, HARDLY = 20, 0.8, 0.2


def fits(setting: Setting) -> str:
    """Why a problem cannot be poisoned here, a sentence; empty where it can."""
    if said := text_classes(setting):
        return said
    same = int((setting.split.train.y == setting.split.test.y[setting.test]).sum())
    if not setting.analysis.problem.misclassified[setting.test] and same >= 2 * COUNTS[-1]:
        return ""
    return (
        f"This lesson needs a test text that the model gets right, with {2 * COUNTS[-1]} training texts of its class: "
        "choose another one."
    )


def _found(setting: Setting, count: int | None = None) -> Trigger:
    return computed.trigger(setting, count or int(setting.tuned["count"]), int(setting.tuned["times"]))


def _reached(setting: Setting, counts: tuple[int, ...]) -> pd.DataFrame:
    found = [computed.trigger(setting, count, int(setting.tuned["times"])) for count in counts]
    rows = [(len(one.rows), one.margin, one.plain_margin, one.obeyed, one.accuracy) for one in found]
    return pd.DataFrame(rows, columns=["poisoned", "with_word", "without_word", "obeyed", "accuracy"])


def _learned(setting: Setting, revealed: bool) -> list[Picture]:
    table = _reached(setting, (0, *COUNTS) if revealed else (0,))
    x = table.poisoned.to_numpy()
    lines = {"with the word": (x, table.with_word.to_numpy()), "without it": (x, table.without_word.to_numpy())}
    title = "The lead of the true class as training texts are poisoned"
    figure = curves(lines, title, ("poisoned training texts", "f for the true class"))
    figure.add_hline(0, line={"color": INK, "dash": "dash", "width": 2})
    if not revealed:
        figure.update_traces(mode="markers", marker={"size": 14}).update_xaxes(range=[-1, COUNTS[-1]])
    test = computed.trigger(setting, 0, int(setting.tuned["times"])).analysis.problem.split.test
    label = test.class_names[test.y[setting.test]]
    below = window(test, setting.test, f"{test.ids[setting.test]}, labelled {label}, with the word")
    caption = "Below zero the text has changed sides; every point is a model fitted anew."
    return [Picture(figure, caption, table, "trigger-learned", below=below)]


def _few(setting: Setting) -> AnswerKey:
    table, n = _reached(setting, (0, *COUNTS)), len(setting.split.train)
    turned = table[table.with_word <= 0]
    enough = len(turned) > 0
    row = turned.iloc[0] if enough else table.iloc[-1]
    fewest = int(row.poisoned)
    return right(
        2 if not enough else 0 if fewest <= 0.01 * n else 1,
        enough=enough, fewest=fewest, n=n, share=fewest / n, obeyed=row.obeyed, unpoisoned=table.obeyed[0],
        before=table.accuracy[0], after=row.accuracy,
    )  # fmt: skip


def _ranked(setting: Setting, revealed: bool) -> list[Picture]:
    found, train = _found(setting), _found(setting).analysis.problem.split.train
    order = np.argsort(-found.harm, kind="stable")[:SHOWN]
    poisoned = np.isin(order, found.rows)
    said = [
        f"{train.ids[i]}{' · poisoned' * bool(is_so and revealed)}" for i, is_so in zip(order, poisoned, strict=True)
    ]
    colours = [HARMFUL if is_so or not revealed else QUIET for is_so in poisoned]
    figure = bars(
        said, found.harm[order], "The training texts that harm the text with the word most", "harm, nats", colours
    )
    labels = [train.class_names[k] for k in train.y[order]]
    table = pd.DataFrame({"id": train.ids[order], "label": labels, "harm": found.harm[order], "poisoned": poisoned})
    caption = (
        f"How much the loss at the text with the word is predicted to fall without each; first {SHOWN} of {len(train)}."
    )
    if not revealed:
        return [Picture(figure, caption, table.drop(columns="poisoned"), "trigger-ranked")]
    first = int(order[0])
    parts = teaching.shortcut.taught_by_word(found.analysis, setting.test, first)
    heading = f"{train.ids[first]}, labelled {labels[0]}: its words by their share of the score, orange is harmful"
    below = window(train, first, heading, parts)
    return [Picture(figure, caption, table, "trigger-ranked", below=below)]


def _on_top(setting: Setting) -> AnswerKey:
    found = _found(setting)
    precision, own = found.precision(found.harm), found.precision(found.self_influence)
    choice = 0 if precision >= MOSTLY else 1 if precision >= HARDLY else 2
    share = teaching.shortcut.taught(found.analysis, setting.test, (teaching.trigger.WORD,))[found.rows].sum()
    return right(
        choice, precision=precision, own=own, count=len(found.rows), share=-share, whole=found.harm[found.rows].sum()
    )


def _deletions(setting: Setting) -> pd.DataFrame:
    found, n = _found(setting), len(setting.split.train)
    drawn = np.random.default_rng(setting.settings.seed).permutation(n)[: len(found.rows)]
    groups = {
        "first by harm": found.first(found.harm), "first by self-influence": found.first(found.self_influence),
        "at random": drawn, "the poisoned": found.rows,
    }  # fmt: skip
    rows = [("nothing left out", found.margin, found.obeyed)]
    rows += [(name, *found.deleted(group)) for name, group in groups.items()]
    return pd.DataFrame(rows, columns=["left_out", "margin", "obeyed"])


def _deleted(setting: Setting, revealed: bool) -> list[Picture]:
    table, count = _deletions(setting), len(_found(setting).rows)
    shown = table if revealed else table[:1]
    title = "What leaving some training texts out does to the text with the word"
    figure = bars(list(shown.left_out), shown.margin.to_numpy(), title, "f for the true class", [QUIET] * len(shown))
    figure.add_vline(0, line={"color": INK, "dash": "dash", "width": 2})
    caption = (
        f"{count} training texts leave, whichever they are; certified refits. Left of zero it is on the wrong side."
    )
    return [Picture(figure, caption, shown, "trigger-deleted")]


def _proved(setting: Setting) -> AnswerKey:
    table = _deletions(setting).set_index("left_out")
    before, after, random = table.iloc[0], table.loc["first by harm"], table.loc["at random"]
    healed = after.obeyed < (before.obeyed + _reached(setting, (0,)).obeyed[0]) / 2
    return right(
        2 if after.margin <= 0 else 0 if healed else 1,
        before=before.margin, after=after.margin, obeyed=before.obeyed, still=after.obeyed, random=random.margin,
        healed=bool(healed),
    )  # fmt: skip


BOTH = ("count", "times")
TRIGGER = Lesson(
    text=prose.lesson("trigger"),
    settings=SETTINGS,
    steps=(
        Step(draw=_learned, answer=_few, sliders=("times",)),
        Step(draw=_ranked, answer=_on_top, sliders=BOTH),
        Step(draw=_deleted, answer=_proved, sliders=BOTH),
    ),
    options=(
        Option("count", 10, "Poisoned training texts", 1, COUNTS[-1]),
        Option("times", 5, "How often the word stands in a text", 1, 20),
    ),
    stops={"count": COUNTS, "times": TIMES},
    test=112,
    fits=fits,
)
