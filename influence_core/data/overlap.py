"""What two texts have in common word for word: runs of words, whatever stands between the words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from influence_core.data.words import spans

RUN = 5  # words in a row: fewer are common turns of phrase

Runs = frozenset[tuple[str, ...]]


def runs(text: str) -> Runs:
    """All runs of ``RUN`` words."""
    return frozenset(_windows([word for word, _ in spans(text)]))


def shared(texts: Iterable[str], others: Iterable[str]) -> Runs:
    """Runs that stand on both sides."""
    mine, theirs = (frozenset().union(*map(runs, side)) for side in (texts, others))
    return Runs(mine & theirs)


def copied(text: str, known: Runs) -> list[slice]:
    """Where a text says the same, from the first letter of a run to its last; runs that meet are one."""
    places, found = list(spans(text)), list[slice]()
    if not known:
        return found
    for at, window in enumerate(_windows([word for word, _ in places])):
        if window not in known:
            continue
        start, end = places[at][1].start, places[at + RUN - 1][1].stop
        if found and start <= found[-1].stop:
            found[-1] = slice(found[-1].start, end)
        else:
            found.append(slice(start, end))
    return found


def covered(text: str, known: Runs) -> tuple[int, int]:
    """Words of a text that stand in :func:`copied` passages, and all of its words."""
    places = copied(text, known)
    return sum(1 for place in places for _ in spans(text[place])), sum(1 for _ in spans(text))


def _windows(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[k:] for k in range(RUN)), strict=False)
