"""The catalogue of device profiles that a scenario can name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from cosim.scenario.devices import Profile


@cache
def catalogue() -> dict[str, Profile]:
    """Every profile of `profiles.yaml` by name."""
    text = files("cosim.scenario").joinpath("profiles.yaml").read_text(encoding="utf-8")
    rows = YAML(typ="safe", pure=True).load(text)
    return {name: Profile.model_validate(row) for name, row in rows.items()}
