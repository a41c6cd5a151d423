"""The scenario as Python handles it: read from a file or a mapping, and changed, always checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeAlias

from pydantic import BaseModel

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.model import Scenario as PlainScenario
from cosim.scenario.overrides import apply_overrides, assigned
from cosim.scenario.reading.document import Document, read_document
from cosim.scenario.reading.one_line import shown
from cosim.scenario.standing_alone import standing_alone

# A file, a scenario, or a mapping in the shape of the YAML.
Chosen: TypeAlias = "str | PathLike[str] | PlainScenario | Mapping[str, Any]"
# Values by dotted path, or texts as `--set` takes them.
Changes: TypeAlias = "Mapping[str, Any] | Sequence[str] | str | None"


class Scenario(PlainScenario):
    """A scenario is everything that a run depends on, checked as a whole and frozen.

    It comes from `Scenario.from_yaml(path)` or `Scenario.from_dict(mapping)`, and `with_` makes
    another of it. These check what they are given and raise `cosim.CosimError`, a sentence with
    the place of the mistake. pydantic's own `model_copy(update=…)` and `model_construct` check
    nothing: what they make may be no scenario at all, and fail amid a run.
    """

    @classmethod
    def from_yaml(cls, path: str | PathLike[str], set: Changes = None) -> Self:
        """The scenario of a YAML file; set: values by dotted path that are used instead."""
        return validate(standing_alone(_changed(read_document(Path(path)), set)), cls)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], set: Changes = None) -> Self:
        """The scenario of a mapping in the shape of the YAML; set: as `from_yaml` takes it.

        Relative paths in it start at the current folder.
        """
        if not isinstance(mapping, Mapping):
            raise ScenarioError(
                f"a scenario is a mapping in the shape of the YAML, not {type(mapping).__name__}"
            )
        return validate(standing_alone(_changed(_document_of(mapping), set)), cls)

    def with_(self, changes: Changes = None, /, **more: Any) -> Scenario:
        """The scenario with other values, checked anew as a whole; this one stays as it is.

        Both are by dotted path: `with_(rounds=5)`, `with_({"radio.deadline_s": 3})`,
        `with_(**{"devices.0.count": 8})`. A section is replaced by `radio={"deadline_s": 3}`, whose
        other keys are then the defaults. `method="lora"` brings all parts of that method.
        """
        changed = _changed(_document_of(self), changes)
        for path, value in more.items():
            changed = _with(changed, path, value)
        if any(override.path == ("method", "name") for override in changed.overrides):
            raise ScenarioError(
                "method.name: would call this method's parts by another's name; write method=…, "
                "which brings its own"
            )
        return validate(standing_alone(changed), Scenario)


def opened(
    chosen: Chosen, changes: Changes = None, seed: int | None = None
) -> tuple[PlainScenario, Document | None]:
    """The scenario of whatever names one, and the document that knows its lines, if there is one.

    Raises ScenarioError.
    """
    if isinstance(chosen, PlainScenario) and not changes and seed is None:
        return chosen, None
    if isinstance(chosen, PlainScenario | Mapping):
        document = _document_of(chosen)
    else:
        document = read_document(Path(chosen))
    document = _changed(document, changes)
    if seed is not None:
        document = _with(document, "seed", seed)
    return validate(standing_alone(document), Scenario), document


def _document_of(source: PlainScenario | Mapping[str, Any]) -> Document:
    data = _plain(source)
    return Document.of_mapping(data)


def _changed(document: Document, changes: Changes) -> Document:
    if changes is None:
        return document
    if isinstance(changes, str):
        return apply_overrides(document, [changes])
    if not isinstance(changes, Mapping):
        return apply_overrides(document, changes)
    for path, value in changes.items():
        document = _with(document, path, value)
    return document


def _with(document: Document, path: str, value: Any) -> Document:
    value = _plain(value)
    return assigned(document, path, value, f"{path}={shown(value)}", Path())


def _plain(value: Any) -> Any:
    """The value in the types that YAML has."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    # A number of numpy's, which has all of Python's own but the type.
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
