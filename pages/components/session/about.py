"""What a picture or a table was made of, in one line: a file travels without the page it was taken from."""

from __future__ import annotations

from datetime import date

from influence_core.settings import Settings
from pages.components.session.door import core


def about(settings: Settings, *more: str) -> str:
    """Data, model with its penalty, whatever else is said, and the date."""
    data, model = core.DATASETS[settings.data.name], core.MODELS[settings.model.name]
    penalty = f", l2 = {settings.model.l2:g}" if model.penalty else ""
    parts = (data.title, f"{model.title}{penalty}", *more, f"{date.today():%Y-%m-%d}")
    return " · ".join(part for part in parts if part)
