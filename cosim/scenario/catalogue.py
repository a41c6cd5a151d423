"""The profiles that a scenario can name: those of the catalogue, and those in files."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.profile import PROFILE_FILE, Profile
from cosim.scenario.reading.document import read_document
from cosim.scenario.reading.paths import expanded
from cosim.spelling import did_you_mean


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


def refuse_unknown_profile(name: str) -> None:
    """Raises ValueError for a name that is neither in the catalogue nor `path:<file>`."""
    names = catalogue()
    if name in names or name.removeprefix(PROFILE_FILE) not in ("", name):
        return
    hint = did_you_mean(name, names)
    if name.endswith((".yaml", ".yml")):
        hint = f"; a file is named {PROFILE_FILE}{name}"
    raise ValueError(f"'{name}' is not a profile{hint} (one of {', '.join(names)})")
