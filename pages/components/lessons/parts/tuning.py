"""Sliders of lessons and options of figures in a link: ``t:0.1,seed:3``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from influence_core.settings import Option, SettingsError, Value


def tuned(text: str, described: Sequence[Option]) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Values of all options, and a sentence for every part of the text that had to be ignored."""
    known = {option.name: option for option in described}
    values: dict[str, Value] = {name: option.default for name, option in known.items()}
    problems = []
    for part in text.split(",") if text else []:
        name, _, value = part.partition(":")
        if name not in known:
            problems.append(
                f"tune: expected some of {', '.join(known) or 'nothing'}, got {name[:40]!r}: it is ignored."
            )
            continue
        try:
            values[name] = known[name].parse(value)
        except SettingsError as error:
            problems.append(f"{error} The default is used.")
    return values, tuple(problems)


def tune_text(values: Mapping[str, Value], described: Sequence[Option]) -> str:
    """Inverse of :func:`tuned`; only what differs from the defaults, as in ``t:0.1,seed:3``."""
    return ",".join(f"{item.name}:{values[item.name]}" for item in described if values[item.name] != item.default)
