"""One frozen, hashable value that names a whole analysis, and its way to JSON and to a URL and back.

``Settings`` keys every cache and stands in every export's manifest.  Options of a dataset, model or solver are
described by ``Option`` in the registry that owns the entry; here they are only carried.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

Value = str | int | float | bool
Options = tuple[tuple[str, Value], ...]

VERSION = 1
# Data that may change under their name: what it stands for now, by their options; the registry of the data fills it.
CONTENTS: dict[str, Callable[[Options], str]] = {}


class SettingsError(ValueError):
    """A setting that cannot be used; the message says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Option:
    """One setting of a registry entry: its name, default, range and the words beside its widget.

    Where the lower end means that nothing is chosen, ``empty`` says what happens then, in an empty field.
    """

    name: str
    default: Value
    label: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    empty: str = ""

    def parse(self, value: Value) -> Value:
        """Convert ``value`` to the type of the default and check the range.

        Raises:
            SettingsError: the value has the wrong type, is not finite, or is out of range.
        """
        if isinstance(self.default, str):
            return self._parse_choice(str(value))
        if isinstance(self.default, bool):
            return _parse_bool(self.name, value)
        try:
            number = _whole(value) if isinstance(self.default, int) else _real(value)
        except (TypeError, ValueError, OverflowError):
            kind = "a whole number" if isinstance(self.default, int) else "a number"
            raise SettingsError(f"{self.label}: expected {kind}, got {str(value)[:40]!r}.") from None
        low, high = self.low, self.high
        if not math.isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
            raise SettingsError(f"{self.label}: expected a value from {low} to {high}, got {str(value)[:40]}.")
        return number

    def _parse_choice(self, value: str) -> str:
        if self.choices and value not in self.choices:
            raise SettingsError(f"{self.label}: expected one of {', '.join(self.choices)}, got {value[:40]!r}.")
        return value


def _real(value: Value) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _whole(value: Value) -> int:
    number = int(value) if isinstance(value, str) else _real(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _parse_bool(name: str, value: Value) -> bool:
    text = str(value).lower()
    if text not in {"true", "false", "1", "0"}:
        raise SettingsError(f"{name}: expected true or false, got {str(value)[:40]!r}.")
    return text in {"true", "1"}


def resolve(chosen: Options, described: Iterable[Option]) -> dict[str, Value]:
    """Defaults of ``described`` overwritten by the chosen values, each checked.

    Returns:
        One value per described option.

    Raises:
        SettingsError: an unknown option or a value outside its range.
    """
    known = {option.name: option for option in described}
    for name, _ in chosen:
        if name not in known:
            raise SettingsError(f"Unknown option {name[:40]!r}: expected one of {', '.join(known) or 'none'}.")
    given = dict(chosen)
    return {name: option.parse(given.get(name, option.default)) for name, option in known.items()}


@dataclass(frozen=True)
class DataSettings:
    """Which data, how they are split, and which share of the training labels is flipped on purpose."""

    name: str = "mnist"
    options: Options = ()
    standardise: bool = True
    validation_fraction: float = 0.0
    test_fraction: float = 0.1
    flip_fraction: float = 0.0


@dataclass(frozen=True)
class ModelSettings:
    """Which model, its penalty l2, and how it is fitted."""

    name: str = "logistic"
    l2: float = 1.0
    intercept: bool = True
    fold_penalty: bool = False
    fit: str = "auto"
    options: Options = ()


@dataclass(frozen=True)
class SolverSettings:
    """Which solver of (H + damping I) V = B, and what H is: the Hessian, the Gauss–Newton matrix, or what suits."""

    name: str = "auto"
    damping: float = 0.0
    options: Options = ()
    curvature: str = "auto"


@dataclass(frozen=True)
class Settings:
    """The whole path: data, model, solver, estimator and watched quantity, with the seed of every random choice."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    solver: SolverSettings = field(default_factory=SolverSettings)
    estimator: str = "influence"
    quantity: str = "loss"
    target: int = -1
    seed: int = 0

    def key(self, *parts: str) -> str:
        """Content hash of the named parts (all of them without arguments), the same on every machine.

        Data that may change under their name count by what they hold now.

        Returns:
            16 hexadecimal digits.
        """
        content = self._content() if not parts or "data" in parts else ""
        if (parts, content) not in self._keys:
            self._keys[parts, content] = self._hash(parts, content)
        return self._keys[parts, content]

    def _content(self) -> str:
        find = CONTENTS.get(self.data.name)
        return find(self.data.options) if find else ""

    @cached_property
    def _keys(self) -> dict[tuple[tuple[str, ...], str], str]:
        return {}  # asked for ten times a click

    def _hash(self, parts: tuple[str, ...], content: str) -> str:
        chosen = {name: value for name, value in asdict(self).items() if not parts or name in parts}
        for part in chosen.values():
            if isinstance(part, dict):  # options of a link are texts, those of a widget are numbers: the same settings
                part["options"] = sorted((name, str(value)) for name, value in part["options"])
        named = [VERSION, chosen, *([content] if content else [])]
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]


_RANGES: dict[str, tuple[float, float]] = {
    "data.validation_fraction": (0.0, 0.5),
    "data.test_fraction": (0.01, 0.9),
    "data.flip_fraction": (0.0, 0.5),
    "model.l2": (0.0, 1e9),
    "solver.damping": (0.0, 1e9),
    "target": (-1, 10_000),
    "seed": (0, 2**31 - 1),
}


def _flatten(value: Any, prefix: str = "") -> dict[str, Value]:
    """Dotted names of all leaves; options become ``data.options.n`` and so on."""
    flat: dict[str, Value] = {}
    for item in fields(value):
        name, inner = prefix + item.name, getattr(value, item.name)
        if is_dataclass(inner):
            flat |= _flatten(inner, f"{name}.")
        elif item.name == "options":
            flat |= {f"{prefix}{key}": setting for key, setting in inner}
        else:
            flat[name] = inner
    return flat


def _assign(settings: Settings, name: str, text: Value) -> Settings:
    """``settings`` with one dotted name replaced; unknown inner names are kept as options for the registry to check."""
    head, _, tail = name.partition(".")
    if tail:
        part = getattr(settings, head, None)
        if not is_dataclass(part) or isinstance(part, type):
            raise SettingsError(f"Unknown setting {name[:40]!r}.")
        if tail in {item.name for item in fields(part)} - {"options"}:
            return _replaced(settings, head, replace(part, **{tail: _leaf(name, getattr(part, tail), text)}))
        options = {**dict(part.options), tail: text}  # type: ignore[attr-defined]
        return _replaced(settings, head, replace(part, options=tuple(sorted(options.items()))))
    if head not in {item.name for item in fields(settings)} or is_dataclass(getattr(settings, head)):
        raise SettingsError(f"Unknown setting {name[:40]!r}.")
    return _replaced(settings, head, _leaf(name, getattr(settings, head), text))


def _replaced(settings: Settings, name: str, value: Any) -> Settings:
    return replace(settings, **{name: value})


def _leaf(name: str, current: Value, text: Value) -> Value:
    low, high = _RANGES.get(name, (None, None))
    return Option(name, current, name, low, high).parse(text)


def to_query(settings: Settings) -> dict[str, str]:
    """Readable, versioned URL parameters; only what differs from the defaults, which for l2 are the model's own.

    Returns:
        For example ``{"v": "1", "data.name": "blobs", "model.l2": "0.01"}``.
    """
    default = _flatten(Settings())
    if settings.model.name != default["model.name"]:
        del default["model.l2"]
    chosen = {k: str(v) for k, v in _flatten(settings).items() if k not in default or default[k] != v}
    return {"v": str(VERSION), **chosen}


def from_query(query: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """Settings of a link, with one sentence for every part that had to be ignored; never an exception."""
    settings, problems = Settings(), []
    if query.get("v", str(VERSION)) != str(VERSION):
        problems.append(
            f"This link has version {query['v'][:10]!r}, this app reads {VERSION}: what it does not know is ignored."
        )
    known = set(_flatten(settings))
    for name, text in query.items():
        if name in known or name.split(".")[0] in {"data", "model", "solver"}:
            try:
                settings = _assign(settings, name, text)
            except SettingsError as error:
                problems.append(f"{error} The default is used.")
    return settings, tuple(problems)


def to_json(settings: Settings) -> str:
    """Settings as a JSON document with the same dotted names as the URL, defaults written out.

    Returns:
        JSON text.
    """
    return json.dumps({"v": VERSION, **_flatten(settings)}, indent=2)


def from_json(text: str) -> Settings:
    """Inverse of :func:`to_json`; what pages keep under ``view`` is theirs and no setting.

    Raises:
        SettingsError: not such a document.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"Expected a JSON document of settings: {error.msg} in line {error.lineno}.") from None
    except (ValueError, RecursionError):
        raise SettingsError("Expected a JSON document of settings: a number is too long or lists too deep.") from None
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise SettingsError(f'Expected a JSON object with "v": {VERSION}.')
    settings = Settings()
    for name, value in document.items():
        if name not in {"v", "view"}:
            if not isinstance(value, str | int | float | bool):
                raise SettingsError(f"{name[:40]}: expected a text, a number or true/false.")
            settings = _assign(settings, name, value)
    return settings
