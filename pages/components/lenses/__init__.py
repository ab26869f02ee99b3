"""How one example is shown, by the kind that its data name: a new kind is one file and one line in ``LENSES``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.components.lenses.lens import Lens, Reason, Strongest
from pages.components.lenses.picture import PICTURE
from pages.components.lenses.row import ROW
from pages.components.lenses.text import TEXT

if TYPE_CHECKING:
    from influence_core.data import Dataset, Split

__all__ = ["LENSES", "Reason", "Strongest", "lens_of"]


def lens_of(data: Dataset | Split) -> Lens:
    """How these examples are shown: as rows where no lens knows their kind, for every example has features."""
    return LENSES.get(data.kind, ROW)


LENSES: dict[str, Lens] = {"row": ROW, "picture": PICTURE, "text": TEXT}
