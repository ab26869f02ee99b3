"""Data sets that are never loaded whole: a folder of NPY files that are mapped, not read."""

from influence_core.data.stored.adding import add
from influence_core.data.stored.folder import Part, Stored, content_of, opened, stored_names
from influence_core.data.stored.intake import Intake

__all__ = ["Part", "Intake", "Stored", "add", "content_of", "opened", "stored_names"]
