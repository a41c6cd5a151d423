"""The profiles that a scenario can name: those of the catalogue, and those in files."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.devices import PROFILE_FILE, Profile
from cosim.scenario.reading.document import read_document
from cosim.scenario.reading.paths import expanded


@cache
def catalogue() -> dict[str, Profile]:
    """Every profile of `profiles.yaml` by name."""
    text = files("cosim.scenario").joinpath("profiles.yaml").read_text(encoding="utf-8")
    rows = YAML(typ="safe", pure=True).load(text)
    return {name: Profile.model_validate(row) for name, row in rows.items()}


def named_profile(name: str) -> Profile:
    """The profile of a catalogue name or of `path:<file>`, as `cosim profile` writes it.

    Raises ScenarioError, with the file's line, for a file that is no profile.
    """
    if not name.startswith(PROFILE_FILE):
        return catalogue()[name]
    path = expanded(name.removeprefix(PROFILE_FILE))
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise ScenarioError(f"{path}: is no regular file; name a profile's")
    return validate(read_document(path), Profile)
