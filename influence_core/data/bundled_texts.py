"""Two bundled sets of texts: mails that are spam or not, and pieces of speeches by presidents of two parties."""

from __future__ import annotations

from functools import partial

import numpy as np

from influence_core.data.bundled import SAMPLE_DATA
from influence_core.data.dataset import Dataset, Table
from influence_core.data.embedding import offered, said
from influence_core.data.source import Chosen, Source
from influence_core.data.texts import no_words, unpacked
from influence_core.data.words import WORDS, WordFeatures


def _texts(name: str, target: str, options: Chosen, _seed: int) -> Table:
    with np.load(SAMPLE_DATA / f"{name}.npz", allow_pickle=False) as stored:
        texts = unpacked(stored["texts"], stored["text_sizes"])
        classes, y = np.unique(stored["labels"], return_inverse=True)
        data = Dataset(
            no_words(len(texts)), y.astype(np.int64), stored["ids"], (), tuple(map(str, classes)), target,
            hover=stored["groups"], texts=texts,
        )  # fmt: skip
    return Table(data, words=WordFeatures.of(options))


SPAM_ASSASSIN = Source(
    title="Spam mails",
    summary="1,198 mails of 2002, spam, ham and ham that looks like spam (SpamAssassin public corpus), as words.",
    task="classification",
    make=partial(_texts, "spam_assassin", "mail"),
    options=WORDS,
    offer=offered,
    said=said,
    standardise=False,
    estimator="newton",
)
STATE_OF_THE_UNION = Source(
    title="State of the Union speeches",
    summary="2,599 pieces of State of the Union speeches since 1947, and the party of the president, as words.",
    task="classification",
    make=partial(_texts, "state_of_the_union", "party"),
    options=WORDS,
    offer=offered,
    said=said,
    standardise=False,
    estimator="newton",
)
