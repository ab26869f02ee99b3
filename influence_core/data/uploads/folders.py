"""What the folders above pictures mean: which say train or test, which the class, and which are groups within."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from influence_core.data.uploads.limits import plain_text, quoted

PARTS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "val": "validation",
    "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip
BESIDE_PART = {"set", "sets", "image", "images", "img", "imgs", "data", "dataset", "folder", "split", "seg", "pictures"}
# Folders that number sites, patients, days …, and are no kinds of things.
_GROUP = re.compile(
    r"(?:site|batch|session|group|patient|subject|person|user|day|week|fold|run|cam|camera|hospital|clinic|slide|plate"
    r"|scan|series|seq|sequence|video|clip|part|folder|year|month)s?[\W_]*\d+|\d+x",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(.*?[^\W\d_])[\W_]*\d+\)?")
_CAMERAS = {"img", "image", "dsc", "dscn", "dcim", "pxl", "photo", "picture", "pic", "scan", "frame", "screenshot"}
Folders = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What the folders of n pictures say.

    Attributes:
        kept: places of pictures that have all that the others have.
        classes: of the kept ones; empty where no folder tells classes.
        parts: train, test or validation of the kept ones; empty where no folder tells.
        groups: further levels of folders, each as long as the kept ones.
        lost: a sentence on pictures that are not kept.
        split: a sentence on the parts.
        choice: a sentence on which of several levels was taken for the class.
    """

    kept: list[int]
    classes: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)
    lost: str = ""
    split: str = ""
    choice: str = ""


def layout_of(paths: Sequence[PurePosixPath]) -> Layout:
    """Which level of folders is the split, which the class, which are groups.

    Returns:
        Pictures that lie outside of the split or of all class folders are not kept, and a note names them.
    """
    folders = _below_root([path.parts[:-1] for path in paths])
    level = _split_level(folders)
    parts = ["" if level is None or len(f) <= level else part_of(f[level]) for f in folders]
    if level is not None:
        folders = [_without(f, level, part) for f, part in zip(folders, parts, strict=True)]
    kept = [k for k, part in enumerate(parts) if part or level is None]
    if any(folders[k] for k in kept):
        kept = [k for k in kept if folders[k]]
    lost = sorted({*range(len(paths))} - {*kept})
    said = [parts[k] for k in kept] if level is not None else []
    inside = _below_root([folders[k] for k in kept])
    chosen, groups = _class_level(inside)
    return Layout(
        kept,
        [] if chosen is None else [f[chosen] for f in inside],
        said,
        [[f[k] if k < len(f) else "" for f in inside] for k in groups],
        _lost(paths, lost) if lost else "",
        f"Folders fix the split: {_counts(said)}." if said else "",
        _choice(inside, chosen, groups) if groups and chosen is not None else "",
    )


def _choice(folders: list[Folders], chosen: int, groups: list[int]) -> str:
    example = next(f for f in folders if len(f) > groups[0])
    return (
        f"The class is folder {quoted(example[chosen])} of {quoted('/'.join(example))}, the others are kept as groups: "
        "choose another target if that is wrong."
    )


def with_classes_by_name(layout: Layout, paths: Sequence[PurePosixPath]) -> Layout:
    """Classes from names such as ``cat.12.jpg`` and ``dog_7.jpg``, where each has at least three pictures.

    Returns:
        The same layout where the names tell none.
    """
    found = [_NUMBERED.fullmatch(paths[k].stem) for k in layout.kept]
    words = [match[1] if match else "" for match in found]
    counts = Counter(words)
    if "" in counts or len(counts) < 2 or min(counts.values()) < 3 or {word.lower() for word in counts} & _CAMERAS:
        return layout
    choice = f"No folder tells classes, so the names of the files do, as {quoted(words[0])} of {quoted(paths[0].name)}."
    return replace(layout, classes=words, choice=choice)


def part_of(folder: str) -> str:
    """Train, test or validation where the name of a folder says so, such as ``Training_set`` or ``seg_test``."""
    words = [word for word in re.split(r"[^a-z]+", folder.lower()) if word]
    said = [PARTS[word] for word in words if word in PARTS]
    others = [word for word in words if word not in PARTS and word not in BESIDE_PART]
    return said[0] if len({*said}) == 1 and not others else ""


def _below_root(folders: list[Folders]) -> list[Folders]:
    """Without the folders that lie above all pictures."""
    while folders and all(len(f) > 0 for f in folders) and len({f[0] for f in folders}) == 1:
        folders = [f[1:] for f in folders]
    return folders


def _split_level(folders: list[Folders]) -> int | None:
    for level in range(max(map(len, folders), default=0)):
        names = {f[level] for f in folders if len(f) > level}
        said = {part_of(name) for name in names} - {""}
        # One part alone is a class called train, unless its pictures lie deeper than the others.
        deeper = {len(f) > level + 1 for f in folders if len(f) > level and part_of(f[level])}
        flat = {len(f) > level + 1 for f in folders if len(f) > level and not part_of(f[level])}
        if len(said) > 1 or (said and deeper == {True} and flat == {False}):
            return level
    return None


def _without(folders: Folders, level: int, part: str) -> Folders:
    # Some archives say it twice: seg_train/seg_train/buildings.
    return tuple(name for k, name in enumerate(folders) if k != level and not (part and part_of(name) == part))


def _class_level(folders: list[Folders]) -> tuple[int | None, list[int]]:
    # As torchvision and Keras do, the uppermost; a lower one where it returns below several of the uppermost, for then
    # the upper ones are sites or sessions.  Numbered sites and patients are classes only where nothing else is.
    depth = min(map(len, folders), default=0)
    levels = [k for k in range(depth) if len({f[k] for f in folders}) > 1]
    below = [k for k in range(depth, max(map(len, folders), default=0)) if len({f[k : k + 1] for f in folders}) > 1]
    named = [k for k in levels if not all(_GROUP.fullmatch(f[k]) for f in folders)] or levels
    if not named:
        return None, []
    crossed = [k for k in named[1:] if _returns(folders, named[0], k)]
    chosen = crossed[-1] if crossed else named[0]
    return chosen, [k for k in (*levels, *below) if k != chosen]


def _returns(folders: list[Folders], upper: int, lower: int) -> bool:
    above: dict[str, set[str]] = {}
    for f in folders:
        above.setdefault(f[lower], set()).add(f[upper])
    return all(len(parents) > 1 for parents in above.values())


def _lost(paths: Sequence[PurePosixPath], lost: list[int]) -> str:
    some = ", ".join(quoted(paths[k]) for k in lost[:3])
    return f"Pictures outside of the class folders were left out: {len(lost):,}, the first {some}."


def _counts(words: list[str]) -> str:
    return ", ".join(f"{words.count(word):,} {word}" for word in ("train", "validation", "test") if word in words)


def harmless(name: str) -> str:
    """The name of a folder as a class, group or id."""
    return plain_text(name, 200)
