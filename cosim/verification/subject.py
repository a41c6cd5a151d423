"""A run as a verification sees it: whatever of it can be read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.errors import CosimError
from cosim.scenario.catalogue import named_profile
from cosim.scenario.devices import ProfileMix
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile
from cosim.trace.manifest import MANIFEST_FILE, Status, read_manifest
from cosim.trace.reader import SCENARIO_FILE, read_run
from cosim.verification.finding import Finding
from cosim.verification.tables import read_tables


@dataclass(frozen=True)
class Subject:
    """A subject is a run as far as it could be read.

    directory: where it is.
    manifest, scenario: None where they cannot be read.
    tables: those that are as their schema says.
    unread: what is wrong with the manifest and the scenario.
    unusable: what is wrong with the other tables.
    """

    directory: Path
    manifest: Mapping[str, Any] | None
    scenario: Scenario | None
    tables: Mapping[str, pd.DataFrame]
    unread: Sequence[Finding]
    unusable: Sequence[Finding]

    @property
    def completed(self) -> bool:
        """Whether the run came to its end, so that whatever began in it has ended."""
        return self.manifest is not None and self.manifest.get("status") == Status.COMPLETED

    def mixings(self, round_: int) -> int:
        """How often a device mixes in a round; once where nobody can tell."""
        return 1 if self.scenario is None else len(self.scenario.method.schedule.played(round_))

    @cached_property
    def profiles(self) -> list[list[Profile]]:
        """The profiles that each device may have, by id: one, those of a mix, or none where a file
        is no longer there."""
        out: list[list[Profile]] = []
        for group in self.scenario.devices if self.scenario is not None else ():
            choice = group.profile
            if isinstance(choice, Profile):
                candidates = [choice]
            else:
                names = list(choice.mix) if isinstance(choice, ProfileMix) else [choice]
                try:
                    candidates = [named_profile(name) for name in names]
                except CosimError:
                    candidates = []
            out += [candidates] * group.count
        return out


def open_run(directory: Path) -> Subject:
    """Reads what can be read; raises RunDirectoryError where the directory is not a run."""
    if not os.path.isfile(directory / MANIFEST_FILE):
        read_run(directory)  # which says what is missing, and names the nearest run
    unread: list[Finding] = []
    manifest, scenario = None, None
    try:
        manifest = read_manifest(directory)
    except CosimError as error:
        unread.append(Finding(MANIFEST_FILE, "content", "a JSON object", str(error)))
    try:
        scenario = load(directory / SCENARIO_FILE)
    except CosimError as error:
        unread.append(Finding(SCENARIO_FILE, "content", "a resolved scenario", str(error)))
    tables, unusable = read_tables(directory)
    return Subject(directory, manifest, scenario, tables, unread, unusable)
