"""From a scenario file and `--set` arguments to a validated scenario, and back to YAML."""

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from cosim.errors import ScenarioError
from cosim.methods.outside import FILE
from cosim.scenario.complaints.schema_paths import has
from cosim.scenario.complaints.validate import validate
from cosim.scenario.model import Scenario
from cosim.scenario.profile import PROFILE_FILE
from cosim.scenario.reading.document import Document, Loc, read_document
from cosim.scenario.reading.overrides import apply_overrides


class _Representer(SafeRepresenter):
    """Quotes text that the emitter, left to itself, would break into lines that read otherwise."""

    def represent_text(self, text: str) -> ScalarNode:
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _Representer.represent_text)


def load(path: Path, overrides: Iterable[str] = ()) -> Scenario:
    """The scenario of a file with `dotted.path=value` overrides; raises ScenarioError."""
    return load_with_document(path, overrides)[0]


def load_with_document(path: Path, overrides: Iterable[str] = ()) -> tuple[Scenario, Document]:
    """The scenario and the document it was read from, which knows every value's line.

    Relative paths in the file start at the file's directory, those in overrides at the current
    one. A scenario without a name is called after its file.
    """
    document = apply_overrides(read_document(path), overrides)
    return scenario_of(document), document


def scenario_of(document: Document) -> Scenario:
    """The validated scenario of a document with its overrides; raises ScenarioError."""
    if "devices" not in document.data and {"scenario", "seeds"} & document.data.keys():
        raise ScenarioError(
            f"{document.path}: is a sweep and no scenario; play it with: cosim sweep "
            f"{document.path}"
        )
    data = _with_absolute_paths(document)
    if "name" not in data:
        data["name"] = fitting_name(document.path)
    return validate(replace(document, data=data), Scenario)


def dump(scenario: Scenario) -> str:
    """The scenario as YAML with every default filled in; loads to an equal scenario anywhere."""
    return to_yaml(scenario.model_dump(mode="json"))


def to_yaml(data: dict[str, Any]) -> str:
    """Plain data as YAML that reads back as it was."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    # The order of the tasks has a meaning.
    yaml.representer.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    yaml.width = 1 << 20
    text = StringIO()
    yaml.dump(data, text)
    return text.getvalue()


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
