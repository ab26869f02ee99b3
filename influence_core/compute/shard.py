"""A share of a long computation, for several machines that know nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from influence_core.settings import SettingsError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Share ``index`` (from 0) of ``count``: neighbouring pieces, so that every share is one range."""

    index: int = 0
    count: int = 1

    def of(self, pieces: Sequence[T]) -> Sequence[T]:
        """The pieces of this share; shares differ by one piece at most.

        Raises:
            SettingsError: more shares than pieces, so that some would have nothing to do.
        """
        many = len(pieces)
        if self.count > max(many, 1):
            raise SettingsError(f"--shard {self}: this work has {many} pieces, so expected {many} shards at most.")
        return pieces[many * self.index // self.count : many * (self.index + 1) // self.count]

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"


WHOLE = Shard()
