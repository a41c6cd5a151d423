"""A scenario as written, made to stand alone: it has a name, and its paths hold from anywhere."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.errors import ScenarioError
from cosim.methods.outside import FILE
from cosim.scenario.complaints.schema_paths import has
from cosim.scenario.profile import PROFILE_FILE
from cosim.scenario.reading.document import Document, Loc


def standing_alone(document: Document) -> Document:
    """The document with a name, its file's where it has none, and with absolute paths.

    Raises ScenarioError for a sweep, which is no scenario.
    """
    if "devices" not in document.data and {"scenario", "seeds"} & document.data.keys():
        raise ScenarioError(
            f"{document.path}: is a sweep and no scenario; play it with: cosim sweep "
            f"{document.path}"
        )
    data = _with_absolute_paths(document)
    if "name" not in data:
        data["name"] = fitting_name(document.path)
    return replace(document, data=data)


def _with_absolute_paths(document: Document) -> dict[str, Any]:
    data = copy.deepcopy(document.data)
    places: list[tuple[Loc, str]] = [(("base_model", "source"), "path:")]
    places += [(("method",), FILE), (("method", "name"), FILE), (("method", "origin", "path"), "")]
    tasks = data.get("tasks")
    for name in tasks if isinstance(tasks, dict) else ():
        places += [(("tasks", name, "source"), "jsonl:"), (("tasks", name, "test"), "")]
    groups = data.get("devices")
    for number in range(len(groups)) if isinstance(groups, list) else ():
        places.append((("devices", number, "mobility", "path"), ""))
        places.append((("devices", number, "profile"), PROFILE_FILE))
    for loc, prefix in places:
        section: Any = data
        for step in loc[:-1]:
            section = section[step] if has(section, step) else None
        value: Any = section.get(loc[-1]) if isinstance(section, dict) else None
        if isinstance(value, str):
            section[loc[-1]] = _absolute(document, loc, value, prefix)
        elif loc[-1] == "profile" and has(value, "name") and isinstance(value["name"], str):
            named = _absolute(document, (*loc, "name"), value["name"], prefix)
            section[loc[-1]] = {**value, "name": named}
        elif loc[-1] == "profile" and has(value, "mix") and isinstance(value["mix"], dict):
            mix = {
                _absolute(document, (*loc, "mix", name), name, prefix): weight
                for name, weight in value["mix"].items()
            }
            section[loc[-1]] = {**value, "mix": mix}
    return data


def _absolute(document: Document, loc: Loc, value: Any, prefix: str) -> Any:
    """A path after its prefix, from where it was written; whatever else as it is."""
    path = str(value).removeprefix(prefix)
    if not str(value).startswith(prefix) or not path or path.startswith("~"):
        return value
    override = document.decided_by(loc)
    start = document.path.parent if override is None else override.folder
    return f"{prefix}{(start / path).absolute()}"


def fitting_name(path: Path) -> str:
    """The file's stem with whatever a name cannot hold made a hyphen."""
    fitting = re.sub(r"[^A-Za-z0-9._ -]+", "-", path.stem)
    return re.sub(r"^[^A-Za-z0-9]+", "", fitting)[:80] or "scenario"
