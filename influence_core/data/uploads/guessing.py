"""A first guess at what each column is for, which a person can change."""

from __future__ import annotations

import re

import pandas as pd

from influence_core.data.encoding import MOST_VALUES
from influence_core.data.source import Task
from influence_core.data.uploads.columns import (
    PART_OF,
    SAMPLE,
    Column,
    ColumnMapping,
    is_row_number,
    kind_of,
    listed,
    row_names,
)
from influence_core.data.uploads.limits import harmful
from influence_core.data.uploads.prose import is_prose
from influence_core.data.uploads.raw import Raw

FEW = 20  # a target with at most so many different values may be classes
LEAST = 3  # rows of each class, so that two are left to train on when one is asked about
GUESSES = 3
TARGETS = (
    "label", "labels", "class", "classlabel", "target", "targets", "outcome", "y", "survived", "species", "variety",
    "diagnosis", "churn", "exited", "attrition", "quality", "medv", "saleprice", "price", "charges", "area", "klasse",
    "classe", "clase", "ziel", "zielvariable", "etikett", "etiquette", "etiqueta", "cible", "objetivo", "preis",
    "prix", "precio",
)  # fmt: skip
ENDINGS = frozenset({"target", "label", "outcome", "class"})
IDENTITIES = frozenset({
    "id", "ids", "uuid", "guid", "uid", "key", "index", "row", "name", "file", "filename", "file name", "path", "url",
    "uri", "rowname", "rownames", "row names", "row name", "rownumber", "row number", "rowid", "level 0", "identifier",
    "unnamed: 0", "...1", "index level 0",
})  # fmt: skip
NAMELESS = "column 1"  # in a file without names it has to count the rows
_ID = re.compile(r"(?:.*[^A-Za-z])?(?:id|ID|Id)|.*[a-z](?:ID|Id)|(?:id|ID|Id)[^A-Za-z].*|[A-Z]{4,}ID|.*(?:uuid|guid)")
_ROW_WEIGHT = re.compile(
    r"(?:sample|case|row|instance|obs(?:ervation)?|survey|final)[ _.-]?w(?:ei)?gh?ts?|fnlwgt", re.I
)
SPLITS = ("split", "set", "subset", "partition", "fold", "part")
TEXTS = ("text", "sentence", "review", "comment", "description", "title", "name", "file")


def guess_mapping(raw: Raw, columns: tuple[Column, ...]) -> ColumnMapping:
    """A first guess that a person can change.

    Returns:
        The mapping; features are all columns that can be encoded, and are no dates, codes of rows or free texts.
    """
    split, identity = _roles(raw, columns)
    target = guess_targets(raw, columns)[0]
    hover = _guess_hover(columns, {target, split, identity})
    aside = {split, identity, target, *raw.aside}
    features = tuple(c.name for c in columns if c.name not in aside and not _why_out(raw, c))
    task = guess_task(raw, target)
    prose = tuple(c.name for c in columns if c.name not in aside and is_prose(raw, c))
    if prose and not any(c.name in features and c.kind != "text" for c in columns):
        features, hover = (), ""
    else:
        prose = ()
    return ColumnMapping(
        target, features, task, identity, split, hover, "indicator", "category", "drop", form=raw.asked, prose=prose
    )


def guess_targets(raw: Raw, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The columns that are most likely to be predicted.

    First what the file itself says and what is called like a target; then texts and true/false of few values, the
    last column before the others; then numbers.  What differs in every row comes last.

    Returns:
        At most three names, the best guess first.
    """
    taken = {*_roles(raw, columns), *raw.aside} - {raw.target}
    free = [c for c in columns if c.name not in taken and c.kind != "numbers"]
    single = [c for c in free if c.kind in {"number", "true/false", "text"}]
    usable = [c for c in single if c.distinct > 1]
    lone_y = not any(_word(c.name) == "x" for c in single)
    named = [c for word in TARGETS for c in single if _word(c.name) == word and (word != "y" or lone_y)]
    named += [c for c in single if {*_words(c.name)[:1], *_words(c.name)[-1:]} & ENDINGS]
    fit = [c for c in named if c.kind == "number" or (c.distinct <= MOST_VALUES and not _differs(raw, c))]
    order = [*free[-1:], *(c for c in columns[:1] if c.name not in taken), *free[::-1]]
    few = [
        c for c in order if c.kind in {"text", "true/false"} and 1 < c.distinct <= FEW and _common(raw.frame[c.name])
    ]
    plain = [c for c in usable if _word(c.name) == "y"]
    numbers = [c for c in usable[::-1] if c.kind == "number" and not _is_id(c)]
    repeated = [c for c in numbers if not _differs(raw, c)]
    texts = [c for c in usable[::-1] if c.kind == "text" and c.distinct <= MOST_VALUES and not _differs(raw, c)]
    found = [raw.target] if raw.target else []
    ranked = [*fit, *few, *plain, *repeated, *numbers, *texts, *free[::-1], *columns]
    found += [column.name for column in ranked]
    return tuple(dict.fromkeys(found))[:GUESSES]


def guess_task(raw: Raw, target: str) -> Task:
    """Texts, true/false and few whole numbers with some rows each are classes; others are a regression target."""
    if target in raw.blocks or kind_of(raw.frame[target]) != "number":
        return "classification"
    values = raw.frame[target].dropna()
    distinct = values.nunique()
    if distinct > FEW or not _common(values):
        return "regression"
    whole = bool((values == values.round()).all())
    return "classification" if distinct <= 2 or whole else "regression"


def left_out(raw: Raw, columns: tuple[Column, ...], mapping: ColumnMapping) -> tuple[str, ...]:
    """Columns that have no part in a mapping, with the reason where it was guessed.

    Returns:
        Sentences.
    """
    used = {mapping.target, mapping.id, mapping.split, *mapping.features, *mapping.prose}
    reasons: dict[str, list[str]] = {}
    for column in columns:
        if column.name not in used:
            reasons.setdefault(_why_out(raw, column), []).append(column.name)
    return tuple(
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} left out of the features{f': {why}' if why else ''}."
        for why, names in reasons.items()
    )


def _roles(raw: Raw, columns: tuple[Column, ...]) -> tuple[str, str]:
    """The columns of parts and of names, "" for none."""
    split = next((c.name for c in columns if c.name.lower() in SPLITS and _is_split(raw, c)), "")
    if raw.index in raw.frame:
        return split, raw.index
    first = columns[0]
    named = [c.name for c in columns if c.name != raw.target and _is_id(c) and _names_rows(raw, c)]
    if (
        not named
        and first.name == NAMELESS
        and first.kind == "number"
        and is_row_number(raw.frame[NAMELESS].to_numpy())
    ):
        named = [NAMELESS]
    if not named and first.kind == "text" and len(raw) > FEW and _names_rows(raw, first):
        short = raw.frame[first.name].str.len().max() <= 60 if not _is_category(raw, first) else False
        named = [first.name] if short and first.name.lower() not in TEXTS and len(columns) > 2 else []
    return split, (named or [""])[0]


def _counts_rows(raw: Raw) -> bool:
    return is_row_number(raw.frame[NAMELESS].to_numpy())


def _is_category(raw: Raw, column: Column) -> bool:
    return isinstance(raw.frame[column.name].dtype, pd.CategoricalDtype)


def _is_id(column: Column) -> bool:
    name = column.name.strip()
    spaced = re.sub(r"[_\-. ]+", " ", name.lower()).strip() if name != "...1" else name
    return spaced in IDENTITIES or bool(_ID.fullmatch(name))


def _is_split(raw: Raw, column: Column) -> bool:
    if column.kind != "text" or column.missing or column.distinct > len(PART_OF):
        return False
    return {str(word).strip().lower() for word in raw.frame[column.name].unique()} <= PART_OF.keys()


def _names_rows(raw: Raw, column: Column) -> bool:
    # Written in another way in every row, and a text or a whole number.
    if column.kind not in {"text", "number"} or column.missing or column.distinct < min(len(raw), SAMPLE) / 2:
        return False
    values, names = raw.frame[column.name], row_names(raw, column.name)
    fit = bool((values == values.round()).all()) if column.kind == "number" else not any(map(harmful, names))
    return fit and len({*names}) == len(names)


def _present(raw: Raw, column: Column) -> int:
    rows = min(len(raw), SAMPLE)
    return rows - min(column.missing, rows)


def _differs(raw: Raw, column: Column) -> bool:
    if column.distinct < _present(raw, column):
        return False
    return len(raw) <= SAMPLE or bool(raw.frame[column.name].dropna().is_unique)


def _common(values: pd.Series) -> bool:
    """Whether each value stands in enough rows to be a class."""
    return bool(values.value_counts().min() >= LEAST)


def _why_out(raw: Raw, column: Column) -> str:
    """Why a column is no feature by guess; "" where it is one."""
    if column.kind == "other":
        return "neither numbers nor texts"
    if column.kind == "date":
        return "dates, which can be used as year, month, day, weekday and time of day"
    if column.kind == "text" and column.distinct > MOST_VALUES:
        return f"more than {MOST_VALUES} different texts"
    if column.kind == "text" and len(raw) > FEW and _differs(raw, column):
        return "another text in every row"
    if column.kind == "text" and len(raw) > FEW and 2 * column.distinct > _present(raw, column):
        return "another text in most rows"
    if _ROW_WEIGHT.fullmatch(column.name.strip()):
        return "named like the weight of a row, and every row counts alike here"
    if column.kind in {"text", "number"} and _is_id(column) and column.distinct > 2:
        whole = column.kind == "text" or bool((raw.frame[column.name].dropna() % 1 == 0).all())
        named = column.name.lower() in {"name", "file", "row", "key", "index", "path"}
        return "named like an id" if whole and (not named or _differs(raw, column)) else ""
    return ""


def _guess_hover(columns: tuple[Column, ...], taken: set[str]) -> str:
    texts = [c for c in columns if c.kind == "text" and c.name not in taken]
    named = [c.name for c in texts if c.name.lower() in TEXTS]
    many = [c.name for c in texts if c.distinct > MOST_VALUES]
    return (named + many + [""])[0]


def _word(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
