"""How scenarios and run directories spelt methods before parts had settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from cosim.methods.part import PARTS, Part, parts_of
from cosim.spelling import did_you_mean

_PROJECTIONS = {
    "trainable": {"name": "trained"},
    "frozen_own_seed": {"name": "frozen", "seed": "own"},
    "frozen_shared_seed": {"name": "frozen", "seed": "shared"},
}
# A point of arXiv 2602.20492 that was taken as printed: the slot, the setting, how it is printed
# and how it is corrected, the words that it is about, and what that is.
_POINTS: dict[str, tuple[str, str, Any, Any, tuple[str, ...], str]] = {
    "projection": ("projection", "scaled", False, True, ("frozen",), "a frozen A"),
    "refinement": ("projection", "refined", True, False, ("frozen",), "a frozen A"),
    "spectrum": (
        "expansion",
        "spectrum",
        "weights",
        "inputs",
        ("entropy_mask",),
        "the densities of expansion 'entropy_mask'",
    ),
    "density": (
        "expansion",
        "budget",
        "whole",
        "shared",
        ("entropy_mask",),
        "the densities of expansion 'entropy_mask'",
    ),
    "mask": (
        "expansion",
        "ranked_by",
        "first_step",
        "gradient",
        ("gradient_mask", "entropy_mask"),
        "expansions 'gradient_mask' and 'entropy_mask'",
    ),
    "readback": (
        "aggregation",
        "readback",
        "whole",
        "own_support",
        ("support_normalised",),
        "experts read out of an average: 'support_normalised'",
    ),
}


def respelt(spelling: Mapping[Any, Any]) -> dict[Any, Any]:
    """A method's mapping with `literal`, `gate`, `merge` and earlier words read as settings.

    Raises ValueError for a point of `literal` that is about none of the method's parts.
    """
    method = dict(spelling)
    if isinstance(method.get("projection"), str):
        method["projection"] = _PROJECTIONS.get(method["projection"], method["projection"])
    if _word(method.get("composition")) == "literal":
        method["composition"] = {"name": "ranks"}
    for name, word in (("gate", "gate"), ("merge", "uniform")):
        if name in method:
            settings = _settings(name, method.pop(name), PARTS["composition"][word])
            composition = method.get("composition")
            if _word(composition) == word:
                method["composition"] = {**_mapping(composition), **settings}
    if "literal" in method:
        _take_as_printed(method, method.pop("literal"))
    return method


def overridden(method: BaseModel, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A method as a mapping with some of its parts written otherwise.

    Another word in a slot keeps the settings by which the method's own part is as printed: they
    used to be a list of their own.
    """
    choice = {**method.model_dump(), **overrides}
    for slot, word in overrides.items():
        part, kinds = getattr(method, slot, None), parts_of(slot)
        if isinstance(word, str) and isinstance(part, Part):
            mapping = dict(_PROJECTIONS.get(word, {part.key: word}))
            kind = kinds.get(mapping[part.key])
            printed = {
                setting: value
                for setting, value in part.printed.items()
                if kind is not None
                and setting in kind.model_fields
                and getattr(part, setting) == value
            }
            choice[slot] = {**mapping, **printed} if printed else word
    return choice


def _settings(name: str, settings: Any, kind: type[Part]) -> Mapping[str, Any]:
    """The settings of a composition as they stood beside it, whichever composition it was.

    Raises ValueError for what that composition does not have.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f"{name}: expected a mapping, got {settings!r}")
    for setting in settings:
        if setting not in kind.settings():
            hint = did_you_mean(setting, kind.settings())
            raise ValueError(
                f"{name}: unknown key {setting!r}{hint} (expected one of: "
                f"{', '.join(kind.settings())})"
            )
    return settings


def _take_as_printed(method: dict[Any, Any], points: Any) -> None:
    if not isinstance(points, list | tuple):
        raise ValueError(f"literal: expected a list of points, got {points!r}")
    names = (*_POINTS, "weights")
    if unknown := [point for point in points if point not in names]:
        hint = did_you_mean(unknown[0], names)
        raise ValueError(f"literal: {unknown[0]!r} is not one of {', '.join(names)}{hint}")
    if len(set(points)) < len(points):
        raise ValueError("literal names a point twice")
    for point, (slot, setting, printed, corrected, words, subject) in _POINTS.items():
        applies = _word(method.get(slot)) in words
        if point in points and not applies:
            raise ValueError(f"literal '{point}' is about {subject}")
        if applies:
            part = _mapping(method[slot])
            method[slot] = {**part, setting: printed if point in points else corrected}
    printed_weights = _word(method.get("weights")) == "as_printed"
    if "weights" in points:
        method["weights"] = "as_printed"
    elif printed_weights:
        method["weights"] = None


def _word(part: Any) -> Any:
    if isinstance(part, Mapping):
        return part.get("name")
    return getattr(part, "name", part)


def _mapping(part: Any) -> dict[str, Any]:
    """A part's word and settings as a mapping."""
    if isinstance(part, Mapping):
        return dict(part)
    dump: Callable[[], dict[str, Any]] | None = getattr(part, "model_dump", None)
    return {"name": part} if dump is None else dump()
