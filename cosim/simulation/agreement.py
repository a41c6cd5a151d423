"""How fast devices agree, told to a method's parts that ask before a run begins."""

from __future__ import annotations

from cosim.errors import MethodError
from cosim.methods.connectivity import MOST_DEVICES, expected_contraction
from cosim.scenario.model import Scenario
from cosim.scenario.origins import failures_told
from cosim.simulation.setup.build import build_devices, channel_of

# A contraction nearer to 1 than this is 1, but for rounding.
_AGREEING = 1e-9


def settled(scenario: Scenario) -> tuple[Scenario, str | None]:
    """The scenario with what its method's parts ask of how fast devices agree, and words on it;
    as it is, and None, where they ask for nothing.

    Raises MethodError where devices never agree, or are too many for it to be computed.
    """
    method = scenario.method
    asking = [part for part in method.parts() if part.asks_contraction]
    if not asking:
        return scenario, None
    who, count = ", ".join(f"method.{part.slot}" for part in asking), scenario.device_count
    if count > MOST_DEVICES:
        raise MethodError(
            f"{who}: how fast {count} devices agree is not computed; expected at most "
            f"{MOST_DEVICES} devices, or a number in place of 'connectivity'"
        )
    ids, where_m = list(range(count)), None
    if method.topology.needs_positions:
        where_m = channel_of(scenario, build_devices(scenario)).positions_m(ids, 0.0)
    with failures_told(scenario):
        mixings = len(method.schedule.played(1))
        rho, graphs = expected_contraction(
            method.topology, method.weighing, ids, scenario.seed, where_m, mixings
        )
    if rho > 1 - _AGREEING:
        raise MethodError(
            f"{who}: with topology {method.topology} and weights {method.weighing} the contraction "
            f"is {rho:.6g}: devices never agree, or not surely; choose others, or a number in "
            "place of 'connectivity'"
        )
    parts = {part.slot: part.told(rho) for part in asking}
    words = f"ρ = {rho:.3g} of {method.topology} with weights {method.weighing}"
    words += f", from {graphs} drawn graphs" if graphs > 1 else ""
    words += f": {', '.join(f'{slot} {part}' for slot, part in parts.items())}"
    return scenario.model_copy(update={"method": method.model_copy(update=parts)}), words
