"""Numbers and names as a person reads them."""

from __future__ import annotations


def signed(score: float) -> str:
    """A score in words for people: three digits, always with its sign, and a real minus.

    Returns:
        For example ``+0.0123``, ``−4.1e-06`` or ``0``.
    """
    return "0" if score == 0 else f"{score:+.3g}".replace("-", "−", 1) if score < 0 else f"{score:+.3g}"


def plain_markdown(text: str) -> str:
    """Text without Markdown meaning: file names, labels and links may hold anything."""
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+!|<>$~:" else mark for mark in text)
