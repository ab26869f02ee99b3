"""How texts become features: which words count, and for how much; as scikit-learn does it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sklearn.feature_extraction.text import TfidfVectorizer

from influence_core.settings import Option, Value

TOKEN = re.compile(r"\b\w\w+\b")  # scikit-learn's own
LONGEST = 60  # characters of a word; longer ones are codes, and no reader could tell two of them apart
EMBEDDING = "embedding"
_HELP = "words: TF-IDF. embedding: 512 numbers of a pre-trained encoder for the text as a whole."
WORDS = (
    Option("features", "words", "Features", choices=("words", EMBEDDING), help=_HELP),
    Option("words", 2_000, "Words at most", 10, 20_000, help="The most frequent ones of the training texts."),
    Option("least", 2, "Texts that a word must stand in", 1, 1_000),
    Option("pairs", "no", "Pairs of words", choices=("no", "yes"), help="Neighbouring words count as one more word."),
    Option("counts", "log", "Counts", choices=("log", "plain"), help="log: 1 + log of how often a word stands there."),
)


@dataclass(frozen=True, kw_only=True)
class WordFeatures:
    """How texts become features: TF-IDF of words, every row of length 1.

    Attributes:
        most: words at most, the most frequent ones of the training texts.
        least: training texts that a word must stand in.
        pairs: whether neighbouring words count as one more word.
        sublinear: whether 1 + log(count) stands for the count.
        embedding: whether a pre-trained encoder makes the features, and not the words at all.
    """

    most: int = 2_000
    least: int = 2
    pairs: bool = False
    sublinear: bool = True
    embedding: bool = False

    @staticmethod
    def of(options: Mapping[str, Value]) -> WordFeatures:
        """As the options ``WORDS`` choose."""
        return WordFeatures(
            most=int(options["words"]),
            least=int(options["least"]),
            pairs=options["pairs"] == "yes",
            sublinear=options["counts"] == "log",
            embedding=options["features"] == EMBEDDING,
        )

    def found(self, text: str) -> list[str]:
        """The words of a text in their order, pairs behind them."""
        single = [word.lower() for word in TOKEN.findall(text) if len(word) <= LONGEST]  # as spans, twice as fast
        return single + [f"{a} {b}" for a, b in zip(single, single[1:], strict=False)] if self.pairs else single

    def vectoriser(self, vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
        """What makes the features: of these words, or of those that it finds in the training texts."""
        return TfidfVectorizer(
            analyzer=self.found, max_features=self.most, min_df=self.least, sublinear_tf=self.sublinear,
            vocabulary=vocabulary,
        )  # fmt: skip


def spans(text: str) -> Iterator[tuple[str, slice]]:
    """The words of a text in small letters, and where they stand.

    Yields:
        Pairs of word and place.
    """
    for match in TOKEN.finditer(text):
        if match.end() - match.start() <= LONGEST:
            yield match.group().lower(), slice(*match.span())
