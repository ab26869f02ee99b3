"""Links and settings files: Settings and View as text and back, and what this server does not know dropped with words.

Pure: no Streamlit in here.  A text is read in two steps, because the first page is painted before the registries exist:
``read`` checks what can be checked alone, ``known`` checks names and options against the registries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from influence_core.files import json_text
from influence_core.settings import (
    DataSettings,
    ModelSettings,
    Options,
    Settings,
    SettingsError,
    SolverSettings,
    from_json,
    from_query,
    resolve,
    to_json,
    to_query,
)
from pages.components.session import view as views
from pages.components.session.door import core
from pages.components.session.view import LONGEST, View

SHOWN = 3
LARGEST_FILE = 64 * 1024  # bytes; settings take about one kilobyte
PARTS = {"data": DataSettings, "model": ModelSettings, "solver": SolverSettings}
SETTINGS = {item.name for item in fields(Settings)} | {"v"}
NAMES = SETTINGS | {item.name for item in fields(View)}


@dataclass(frozen=True)
class Chosen:
    """What a link or a file chooses, and a sentence for every part that had to be ignored.

    Attributes:
        settings: of the analysis.
        view: what is looked at.
        problems: the sentences.
        plain: whether a lesson is named and no part of the settings, not even their version: the lesson brings its own.
        usual: whether a model is named and no penalty: a network takes its own.
    """

    settings: Settings
    view: View
    problems: tuple[str, ...] = ()
    plain: bool = False
    usual: bool = False


def write(settings: Settings, view: View) -> dict[str, str]:
    """The choices as URL parameters, readable and versioned; only what differs from the defaults."""
    return to_query(settings) | views.to_query(view)


def read(query: Mapping[str, Sequence[str]]) -> Chosen:
    """The choices of a link, given every value of every parameter; never an exception."""
    problems, single = [], {}
    for name, values in query.items():
        if name.split(".")[0] not in NAMES or "." in name and name.split(".")[0] not in PARTS:
            problems.append(f"Unknown part of a link {name[:40]!r}: it is ignored.")
            continue
        if len(values) > 1:
            problems.append(f"{name[:40]!r} is given {len(values)} times: the last value counts.")
        if len(values[-1]) > LONGEST:
            problems.append(f"{name[:40]!r}: expected at most {LONGEST} characters, got {len(values[-1])}: ignored.")
            continue
        single[name] = values[-1]
    settings, said = from_query(single)
    view, more = views.from_query(single)
    named = {name.split(".")[0] for name in query} & SETTINGS
    usual = "model.name" in single and "model.l2" not in single
    return Chosen(settings, view, (*problems, *said, *more), plain=bool(view.lesson) and not named, usual=usual)


def write_file(settings: Settings, view: View) -> str:
    """The choices as JSON: the settings as the core writes them, what is looked at under ``view``."""
    looked = {item.name: getattr(view, item.name) for item in fields(view)}
    return json.dumps(json.loads(to_json(settings)) | {"view": looked}, indent=2)


def read_file(raw: bytes) -> Chosen:
    """The choices of a settings file.

    Raises:
        SettingsError: not such a document.
    """
    if len(raw) > LARGEST_FILE:
        raise SettingsError(
            f"Settings file: expected at most {LARGEST_FILE // 1024} KB, got {len(raw) / 1024:,.0f} KB. "
            "Download the settings once to see what such a file holds."
        )
    try:
        text = json_text(raw)
    except ValueError as error:
        raise SettingsError(f"Settings file: {error}.") from None
    settings = from_json(text)
    looked = json.loads(text).get("view", {})
    if not isinstance(looked, dict):
        raise SettingsError('Settings file: expected an object under "view".')
    given = {str(name): str(value) for name, value in looked.items() if value is not None}
    view, problems = views.from_query(given)
    return Chosen(settings, view, problems)


def known(settings: Settings, usual: bool = False) -> tuple[Settings, tuple[str, ...]]:
    """Settings with every name and option that the registries do not have replaced by its default.

    Args:
        settings: of a link or a file.
        usual: whether nothing was said of a penalty, which a network needs to be its own.

    Returns:
        The settings and a sentence for each replacement.
    """
    problems: list[str] = []
    data = _part("data", settings.data, core.DATASETS, lambda entry: entry.options, problems)
    model = _part("model", settings.model, core.MODELS, lambda entry: entry.all_options, problems)
    if usual and core.MODELS[model.name].kind.seeded:
        model = replace(model, l2=core.MODELS[model.name].l2)
    solver = settings.solver
    if solver.name == "auto":
        solver = replace(solver, options=_options(solver.options, (), "solver", problems))
    else:
        solver = _part("solver", solver, core.SOLVERS, lambda entry: entry.options, problems)
    model = replace(model, fit=_name("way of fitting", model.fit, core.FIT_METHODS, ModelSettings().fit, problems))
    estimator = _name("estimator", settings.estimator, core.ESTIMATORS, Settings().estimator, problems)
    quantity = _name("quantity", settings.quantity, core.QUANTITIES, Settings().quantity, problems)
    kept = replace(settings, data=data, model=model, solver=solver, estimator=estimator, quantity=quantity)
    return kept, tuple(problems)


def _part(kind: str, part: Any, registry: Mapping[str, Any], offers: Callable[[Any], Any], problems: list[str]) -> Any:
    """One part of the settings with a name of the registry and options of that entry; an unknown name loses them."""
    name = _name(kind, part.name, registry, PARTS[kind]().name, problems)
    if name != part.name:
        return replace(part, name=name, options=())
    return replace(part, options=_options(part.options, offers(registry[name]), name, problems))


def _name(kind: str, name: str, registry: Any, default: str, problems: list[str]) -> str:
    if name in registry:
        return name
    offered = ", ".join(registry)
    problems.append(f"Unknown {kind} {name[:40]!r}: expected one of {offered}. {default} is used.")
    return default


def _options(options: Options, described: Sequence[Any], entry: str, problems: list[str]) -> Options:
    kept = {}
    for name, value in options:
        try:
            kept[name] = resolve(((name, value),), described)[name]
        except SettingsError as error:
            problems.append(f"{entry}: {error} The default is used.")
    return tuple(sorted(kept.items()))


def told(problems: Sequence[str]) -> tuple[str, ...]:
    """The first few sentences, and how many more there are."""
    rest = len(problems) - SHOWN
    more = (f"{rest} more part{'s' * (rest > 1)} of the link could not be used.",) if rest > 0 else ()
    return (*problems[:SHOWN], *more)
