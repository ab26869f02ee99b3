"""What a picture or a table was made of: a file travels without the page it was taken from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from influence_core.settings import Settings
from pages.components.session.door import core


def about(settings: Settings, *more: str) -> str:
    """Data, model with its penalty, whatever else is said, and the date, in one line."""
    return one_line(made_of(settings, {str(k): part for k, part in enumerate(more)}))


def one_line(words: Mapping[str, str]) -> str:
    """What :func:`made_of` names, as a picture says it."""
    return " · ".join(f"l2 = {said}" if name == "l2" else said for name, said in words.items())


def made_of(settings: Settings, more: dict[str, str]) -> dict[str, str]:
    """The same by name: columns of a table, equal in every row, so that files of several views can be put together.

    Args:
        settings: of the view.
        more: what else is said, between the penalty and the date; empty words are left out.
    """
    data, model = core.DATASETS[settings.data.name], core.MODELS[settings.model.name]
    words = {"data": data.title, "model": model.title, "l2": f"{settings.model.l2:g}" if model.penalty else ""}
    words |= more | {"date": f"{date.today():%Y-%m-%d}"}
    return {name: said for name, said in words.items() if said}
