"""Texts with their words in the colour of their share: nothing of the user's is markup, and every number is there."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.lenses import words
from pages.components.lenses.text import CELL, start
from pages.components.session.words import Form

HOSTILE = (
    "<script>alert('x')</script><img src=x onerror=alert(1)> &amp; offer",
    "\u202eright to left\u202c שלום עולם offer",
    "x" * 1_000_000 + " offer",
    "",
    "offer",
    "the and of to the and",
    "😀 👩‍👩‍👧 offer 🎉🎉",
    "before\x00after offer",
    "İstanbul ﬁne 'quoted' \"twice\" offer",
)
SHARES = {"offer": 0.4, "script": -0.2, "alert": 0.1, "onerror": -0.3, "the": 0.05, "fine": 0.2, "weak": 0.001}


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def painted(sign: int = 1, shares: dict[str, float] | None = None) -> words.Painted:
    return words.Painted(SHARES if shares is None else shares, sign, Form(0, "nats"))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_text_holds_is_shown_as_it_is_and_is_no_markup(text: str) -> None:
    for page in (words.whole(text, painted()), words.window(text, painted())):
        read = Reader(page)
        assert {tag for tag, _ in read.tags} <= {"div", "mark", "span"}
        assert all(
            set(kept) <= {"class", "dir", "style", "data-said", "aria-label", "tabindex", "role"}
            for _, kept in read.tags
        )
    if "\x00" not in text:
        assert Reader(words.whole(text, painted())).text == text


def test_a_word_has_its_colour_its_line_and_its_number_with_a_sign() -> None:
    page = words.whole("An OFFER with a script, and weak words: offer", painted())
    marks = [kept for tag, kept in Reader(page).tags if tag == "mark"]
    assert [kept["data-said"] for kept in marks] == ["offer: +0.400 nats", "script: −0.200 nats", "offer: +0.400 nats"]
    assert [kept["class"] for kept in marks] == ["up", "down", "up"]
    assert [HELPFUL in str(kept["style"]) for kept in marks] == [True, False, True]
    assert HARMFUL in str(marks[1]["style"])
    assert ["tabindex" in kept for kept in marks] == [True, True, False]  # each word once
    turned = [kept for tag, kept in Reader(words.whole("offer", painted(-1))).tags if tag == "mark"]
    assert turned[0]["class"] == "down"  # a rise of what should fall


def test_strength_follows_the_share() -> None:
    tints = re.findall(r"background:#\w{6}(\w\w)", words.whole("offer onerror the", painted()))
    assert [int(tint, 16) for tint in tints] == sorted((int(tint, 16) for tint in tints), reverse=True)
    assert len(tints) == 3


def test_a_long_text_is_a_window_of_its_strongest_words() -> None:
    random = np.random.default_rng(0)
    filler = " ".join(f"word{k}" for k in random.integers(0, 999, 3_000))
    text = f"{filler} the OFFER is here {filler} onerror {filler}"
    page = words.window(text, painted())
    assert len(page) < 3_000 < 20_000 < len(text)
    read = Reader(page).text
    assert "OFFER is here" in read
    assert "onerror" in read
    assert read.count("…") >= 3
    assert len(words.window(filler * 5, painted(shares={}))) < 2 * words.SHORT


def test_lists_carry_the_beginning_on_one_line() -> None:
    assert start("one\ntwo", CELL) == "one two"
    cut = start("word " * 4_000, CELL)
    assert len(cut) == CELL
    assert cut.endswith("…")


def test_words_are_counted_with_pairs() -> None:
    assert words.counted("Red red green") == {"red": 2, "green": 1, "red red": 1, "red green": 1}
    assert html.escape("'") in words.whole("it's", painted())
