"""Is what a run took from installed packages what is installed now?"""

from __future__ import annotations

from cosim.scenario.origins import origins_of
from cosim.trace.manifest import MANIFEST_FILE
from cosim.verification.finding import Check, Finding
from cosim.verification.subject import Subject

_COMPARED = ("distribution", "version", "sha256")


def check_outside(run: Subject) -> Check:
    """Distribution, version and source of each thing are those in the manifest; of what only
    looked on, nothing is asked."""
    if run.manifest is None or run.scenario is None:
        return Check("outside", skipped=f"{MANIFEST_FILE} or scenario.yaml cannot be read")
    recorded, installed = run.manifest.get("outside") or {}, origins_of(run.scenario)
    findings = []
    for path, origin in installed.items():
        before = recorded.get(path) or {}
        findings += [
            Finding(MANIFEST_FILE, f"outside, {path}, {what}", str(origin[what]), str(value))
            for what in _COMPARED
            if not origin["observes"] and (value := before.get(what)) != origin[what]
        ]
    summary = ", ".join(
        f"{path} by {package['distribution']}" for path, package in installed.items()
    )
    return Check("outside", summary or "nothing", findings)
