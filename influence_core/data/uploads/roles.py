"""What arrays in a file are for: by the names that people give them, with parts such as ``x_train`` put together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from influence_core.data.dataset import DataError
from influence_core.data.uploads.limits import plain_text, quoted

Shape = tuple[int, ...]

# What each array may be called; the first name is the one that messages use.
WORDS = {
    "x": ("x", "xs", "features", "feature", "feats", "data", "inputs", "input", "embeddings", "embedding"),
    "y": ("y", "ys", "target", "targets", "labels", "label", "classes", "outputs", "class"),
    "images": ("images", "image", "imgs", "img", "pictures"),
    "ids": ("ids", "id", "filenames"),
    "split": ("split",),
    "text": ("text", "texts"),
    "feature_names": ("feature_names", "columns"),
    "class_names": ("class_names", "target_names", "label_names", "classes"),
}
PARTS = {
    "train": "train", "training": "train", "tr": "train", "test": "test", "testing": "test", "te": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip
ROLES = {word: role for role, words in WORDS.items() for word in words}
SHARED = {"feature_names", "class_names"}
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class Roles:
    """Arrays by part and role.

    Attributes:
        parts: part ("" where there is one only) to role to name of the array.
        shared: role to name of arrays that hold for all parts.
        unused: names of other arrays.
        guessed: a sentence where the names do not say it.
    """

    parts: dict[str, dict[str, str]]
    shared: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    guessed: str = ""


def roles_of(shapes: Mapping[str, Shape]) -> Roles:
    """Roles by name; of just two arrays by shape.

    Returns:
        Parts that have both x (or images) and y; what else there is is unused.

    Raises:
        DataError: no x and y, or two arrays for one role; the message lists names and shapes.
    """
    parts: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    for name in shapes:
        part, role = role_of(name)
        place = shared if role in SHARED else parts.setdefault(part, {})
        if role and role in place:
            raise DataError(
                f"Expected one array {role}, got two under its names, {quoted(place[role])} and {quoted(name)}: "
                "leave one out."
            )
        if role:
            place[role] = name
    whole = {part: _with_x(found) for part, found in parts.items() if "y" in found and _with_x(found)}
    if "train" in whole or (whole and "" not in whole):
        whole.pop("", None)
    guessed = "" if whole else _by_shape(whole, shapes) or _in_order(whole, shapes)
    if not whole:
        raise DataError(
            f"Expected arrays x (n, d) and y (n,), or x_train, y_train, x_test and y_test, got {listed(shapes)}: "
            "save them under these names with np.savez('data.npz', x=x, y=y)."
        )
    used = {name for found in whole.values() for name in found.values()} | set(shared.values())
    return Roles(whole, shared, tuple(name for name in shapes if name not in used), guessed)


def role_of(name: str) -> tuple[str, str]:
    """Part and role that a name says, such as train and x for ``X_train``, ``train_images`` or ``trainX``."""
    lower = name.lower().strip("_")
    if lower in ROLES:
        return "", ROLES[lower]
    pieces = [piece.lower() for piece in _PIECE.findall(name)]
    part = [piece for piece in pieces if piece in PARTS]
    rest = "_".join(piece for piece in pieces if piece not in PARTS)
    if len(part) == 1 and rest in ROLES and rest not in SHARED:
        return PARTS[part[0]], ROLES[rest]
    return "", ""


def listed(shapes: Mapping[str, Shape]) -> str:
    """Names and shapes for a message."""
    some = [f"{plain_text(name, 24)} {shape}" for name, shape in list(shapes.items())[:6]]
    more = f" and {len(shapes) - 6} more" if len(shapes) > 6 else ""
    return ", ".join(some) + more if some else "no arrays"


def _with_x(found: Mapping[str, str]) -> dict[str, str]:
    return dict(found) if {"x", "images"} & found.keys() else {}


def _in_order(whole: dict[str, dict[str, str]], shapes: Mapping[str, Shape]) -> str:
    """Four arrays without names as Keras or scikit-learn give them, where only one order fits."""
    if {*shapes} != {"arr_0", "arr_1", "arr_2", "arr_3"}:
        return ""
    for order in ("0123", "0213"):
        x, y, x_test, y_test = names = [f"arr_{k}" for k in order]
        n, m = shapes[x][:1], shapes[x_test][:1]
        rows = shapes[y][:1] == n > m == shapes[y_test][:1]
        columns = len(shapes[x]) > 1 and shapes[x][1:] == shapes[x_test][1:] and shapes[y][1:] == shapes[y_test][1:]
        if rows and columns and shapes[y][1:] in {(), (1,)}:
            whole |= {"train": {"x": x, "y": y}, "test": {"x": x_test, "y": y_test}}
            return f"By their shapes, {', '.join(names)} were taken for x_train, y_train, x_test and y_test."
    return ""


def _by_shape(whole: dict[str, dict[str, str]], shapes: Mapping[str, Shape]) -> str:
    # Two arrays with as many rows, one of them a single column: whatever they are called.
    if len(shapes) != 2:
        return ""
    y, x = sorted(shapes, key=lambda name: len(shapes[name]))
    if len(shapes[y]) == 1 and len(shapes[x]) > 1 and shapes[x][0] == shapes[y][0]:
        whole[""] = {"x": x, "y": y}
        return f"By their shapes, {quoted(x)} was taken for the features and {quoted(y)} for the target."
    return ""
