"""A text whose words take the colour of their share, as HTML: everything of the user's is escaped here."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pages.components.browser.words import GAP, Word
from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.session.words import Form

TOKEN = re.compile(r"\b\w\w+\b")  # as the core finds words
SHORT = 600  # characters of a text that is shown whole
STRONGEST, AROUND = 8, 60  # words that a window is about, and characters on either side
FOCUSED = 40  # words that the Tab key stops at
FAINT = 0.1  # of the largest share: below it a word has no colour
STYLE = (
    "<style>.if-text{font-size:.9rem;line-height:1.75;overflow-wrap:anywhere}"
    ".if-whole{white-space:pre-wrap;max-height:24rem;overflow-y:auto}.if-said{font-size:.8rem;opacity:.8}.if-gap{opacity:.6}"
    ".if-text mark{color:inherit;border-radius:3px;padding:.05rem .1rem;position:relative}"
    ".if-text mark.up{border-bottom:2px solid;border-color:var(--if-c)}"
    ".if-text mark.down{border-bottom:2px dashed;border-color:var(--if-c)}"
    ".if-text mark:hover::after,.if-text mark:focus::after{content:attr(data-said);position:absolute;left:0;top:1.6rem;"
    "z-index:9;white-space:nowrap;background:#26292f;color:#fff;font-size:.75rem;line-height:1.3;padding:.2rem .45rem;"
    "border-radius:4px}.if-text mark:focus{outline:2px solid currentColor}</style>"
)


@dataclass(frozen=True, eq=False)
class Painted:
    """Shares of the words of one text.

    Attributes:
        share: of every word that has one.
        sign: −1 where a fall is helpful, so that blue stays helpful.
        form: how the shares are written.
    """

    share: Mapping[str, float]
    sign: int
    form: Form

    @property
    def largest(self) -> float:
        """The largest share there is."""
        return max(map(abs, self.share.values()), default=0.0) or 1.0

    def strongest(self, most: int) -> set[str]:
        """The words with the largest shares."""
        return set(sorted(self.share, key=lambda word: -abs(self.share[word]))[:most])


def counted(text: str) -> Counter[str]:
    """How often each word stands in a text, pairs of neighbours too."""
    found = [match.group().lower() for match in TOKEN.finditer(text)]
    return Counter(found) + Counter(f"{a} {b}" for a, b in zip(found, found[1:], strict=False))


def whole(text: str, painted: Painted) -> str:
    """All of a text."""
    body = "".join(map(_html, clickable_whole(text, painted)))
    return f'<div class="if-text if-whole" dir="auto">{body}</div>'


def window(text: str, painted: Painted) -> str:
    """What surrounds the strongest words; a short text whole."""
    if len(text) <= SHORT:
        return whole(text, painted)
    gap = f'<span class="if-gap">{GAP}</span>'
    shown = ["".join(map(_html, _pieces(text, painted, part))) for part in _places(text, painted)]
    return f'<div class="if-text" dir="auto">{gap}{gap.join(shown)}{gap}</div>'


def clickable_window(text: str, painted: Painted) -> list[str | Word]:
    """The same in pieces."""
    if len(text) <= SHORT:
        return clickable_whole(text, painted)
    found: list[str | Word] = [GAP]
    for part in _places(text, painted):
        found += [*_pieces(text, painted, part), GAP]
    return found


def clickable_whole(text: str, painted: Painted) -> list[str | Word]:
    """All of a text in pieces."""
    return [*_pieces(text, painted, slice(0, len(text)))]


def _places(text: str, painted: Painted) -> list[slice]:
    """Around the first place of each of the strongest words; overlapping pieces are joined."""
    left, found = painted.strongest(STRONGEST), list[slice]()
    for match in TOKEN.finditer(text):
        if (word := match.group().lower()) not in left:
            continue
        left.discard(word)
        start, end = max(0, match.start() - AROUND), min(len(text), match.end() + AROUND)
        if found and start <= found[-1].stop:
            found[-1] = slice(found[-1].start, end)
        else:
            found.append(slice(start, end))
    return found or [slice(0, SHORT)]


def _pieces(text: str, painted: Painted, part: slice) -> Iterator[str | Word]:
    """The text with its words in their colours.

    Yields:
        Texts, and words that have a colour.
    """
    done, stops = part.start, painted.strongest(FOCUSED)
    for match in TOKEN.finditer(text, part.start, part.stop):
        name = match.group().lower()
        share = painted.share.get(name, 0.0)
        strength = abs(share) / painted.largest
        if strength < FAINT:
            continue
        yield text[done : match.start()]
        said = f"{name}: {painted.form.text(share)} {painted.form.scaled_unit}"
        yield Word(match.group(), name, said, painted.sign * share >= 0, round(30 + 120 * strength), name in stops)
        stops.discard(name)
        done = match.end()
    yield text[done : part.stop]


def _html(piece: str | Word) -> str:
    if isinstance(piece, str):
        return html.escape(piece)
    colour, side = (HELPFUL, "up") if piece.up else (HARMFUL, "down")
    said = html.escape(piece.said, quote=True)
    spoken = f' tabindex="0" role="note" aria-label="{said}"' if piece.stop else ""
    return (
        f'<mark class="{side}" style="background:{colour}{piece.tint:02x};--if-c:{colour}" data-said="{said}"{spoken}>'
        f"{html.escape(piece.written)}</mark>"
    )
