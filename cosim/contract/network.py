"""The check of a whole: a run over a network, from its scenario to its verified traces."""

from __future__ import annotations

from cosim.contract.subject import MethodUnderTest
from cosim.contract.verdict import Broken


def runs(subject: MethodUnderTest) -> str:
    """Four devices play three rounds over a network, and the run directory is verified and read
    back as the scenario was."""
    from cosim.lifecycle.play import play
    from cosim.scenario.load import load
    from cosim.trace.reader import SCENARIO_FILE
    from cosim.verification.verify import verify

    run = play(subject.scenario, out=subject.folder / "run")
    checks = list(verify(run.directory))
    for check in checks:
        if not check.ok:
            raise Broken(check.lines()[0])
    method = load(run.directory / SCENARIO_FILE).method.model_dump(mode="json")
    for slot, part in subject.method.model_dump(mode="json").items():
        if slot != "origin" and method[slot] != part:
            raise Broken(f"{slot} is {part}, and in the run directory it reads {method[slot]}")
    simulated_s = float(run.manifest["simulated_s"])
    return f"a run of {simulated_s:.0f} simulated seconds passes {len(checks)} checks of `verify`"
