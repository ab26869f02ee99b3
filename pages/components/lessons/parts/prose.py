"""The words of lessons and figures, from the Markdown files of ``text``; its README says how they are written."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACE, THOUGHT = 120, 0.5  # words a minute; minutes a question
TEXT = Path(__file__).parents[1] / "text"
DIFFERS = re.compile(r"\*Where the source\s+prints something else:\*")
STEP = re.compile(
    r"(?P<title>[^\n]+)\n+(?P<text>.+?)\n+(?:\$\$\n(?P<formula>.+?)\n\$\$\n+Symbols: (?P<symbols>[^\n]+)\n+)?"
    r"### (?P<ask>[^\n]+)\n+(?P<choices>(?:- [^\n]+\n)+)\n+(?P<reveal>.+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class StepText:
    """What one step says.

    Attributes:
        title: a sentence or less.
        text: Markdown for a reader who knows calculus and linear regression.
        formula: LaTeX; empty for none.
        symbols: names in ``SYMBOLS`` that the formula uses.
        ask: the question.
        choices: possible answers.
        reveal: Markdown, the explanation with ``{places}`` for its numbers.
    """

    title: str
    text: str
    formula: str
    symbols: tuple[str, ...]
    ask: str
    choices: tuple[str, ...]
    reveal: str


@dataclass(frozen=True)
class LessonText:
    """What a lesson says: its title, what one knows in the end, and its steps."""

    title: str
    question: str
    steps: tuple[StepText, ...]

    @property
    def minutes(self) -> int:
        """How long it takes: reading at the pace of mathematics, and half a minute to predict each answer."""
        words = sum(len(f"{step.text} {step.reveal}".split()) for step in self.steps)
        return max(1, round(words / PACE + THOUGHT * len(self.steps)))


class Words(string.Formatter):
    """Text with numbers: a truth chooses between ``words if so|words if not``, a list is formatted one by one."""

    def format_field(self, value: object, format_spec: str) -> str:
        """One number, or the words that it chooses."""
        if isinstance(value, bool | np.bool_):
            so, _, not_so = format_spec.partition("|")
            return so if value else not_so
        if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
            return ", ".join(format(one, format_spec) for one in value)
        return format(value, format_spec)


def filled(text: str, numbers: Mapping[str, object]) -> str:
    """Markdown with its numbers; braces between $ signs are LaTeX, and negative numbers get a real minus."""
    parts = enumerate(text.split("$"))
    whole = "$".join(part if k % 2 else Words().vformat(part, (), numbers) for k, part in parts)
    return re.sub(r"(?<=[\s(*])-(?=[\d.])", "−", whole)


def lesson(name: str) -> LessonText:
    """The words of the lesson of that name."""
    head, *steps = re.split(r"^## ", _read(name), flags=re.MULTILINE)
    title, question = head.removeprefix("# ").strip().split("\n", 1)
    return LessonText(title, question.strip(), tuple(step(name, one) for one in steps))


def step(name: str, text: str) -> StepText:
    """One step of the lesson of that name.

    Raises:
        ValueError: a part of it is missing.
    """
    found = STEP.fullmatch(text.strip())
    if found is None or "$$" in found["text"]:
        raise ValueError(
            f"text/{name}.md, step {text.splitlines()[0]!r}: expected its words, a formula between $$ with a line of "
            "Symbols or neither, a ### question, choices that begin with a dash, an empty line and an explanation."
        )
    parts = found.groupdict(default="")
    choices = tuple(line.removeprefix("- ") for line in parts.pop("choices").splitlines())
    symbols = tuple(re.findall(r"\w+", parts.pop("symbols")))
    return StepText(choices=choices, symbols=symbols, **parts)


def figures() -> dict[str, dict[str, str]]:
    """Of every published figure by its letter: question, text, what to notice, and where the source differs."""
    parts = re.findall(r"^## (\w+)\. ([^\n]+)\n+(.+?)\s*(?=^## |\Z)", _read("figures"), re.DOTALL | re.MULTILINE)
    found = {}
    for letter, question, text in parts:
        shown, _, rest = text.partition("Notice ")
        notice, *differs = DIFFERS.split(rest)
        words = {"question": question, "text": shown, "notice": f"Notice {notice}", "differs": " ".join(differs)}
        found[letter] = {name: said.strip() for name, said in words.items()}
    return found


def _read(name: str) -> str:
    return (TEXT / f"{name}.md").read_text(encoding="utf-8")


SYMBOLS: dict[str, str] = dict(re.findall(r"^- (\w+): (.+)$", _read("symbols"), re.MULTILINE))


TERMS = ("helpful", "nats", "refit", "slope_r")  # words of every lesson, explained beside its symbols


def explained(names: Sequence[str]) -> str:
    """The symbols and words as a Markdown list."""
    return "\n".join(f"- {SYMBOLS[name]}" for name in names)
