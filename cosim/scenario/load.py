"""From a scenario file and `--set` arguments to a validated scenario, and back to YAML."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from cosim.scenario.complaints.validate import validate
from cosim.scenario.model import Scenario
from cosim.scenario.overrides import apply_overrides
from cosim.scenario.reading.document import Document, read_document
from cosim.scenario.standing_alone import standing_alone


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
    return validate(standing_alone(document), Scenario)


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
