"""How fast devices agree, told to a method's parts that ask before a run begins."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from cosim.errors import MethodError
from cosim.methods.connectivity import MOST_DEVICES, expected_contraction
from cosim.methods.part import Part
from cosim.scenario.model import Scenario
from cosim.scenario.origins import failures_told
from cosim.simulation.rehearsal import rehearsed_contraction
from cosim.simulation.setup.build import build_devices, channel_of

_log = logging.getLogger(__name__)

# A contraction nearer to 1 than this is 1, but for rounding.
_AGREEING = 1e-9


def settled(scenario: Scenario) -> tuple[Scenario, str | None]:
    """The scenario with what its method's parts ask of how fast devices agree, and words on it;
    as it is, and None, where they ask for nothing.

    Raises MethodError where devices never agree, or are too many for it to be computed, and
    `CosimError` where a rehearsal asks for it, for a model or a task that cannot be used.
    """
    asking = [part for part in scenario.method.parts() if part.asks_contraction]
    if not asking:
        return scenario, None
    who, count = ", ".join(f"method.{part.slot}" for part in asking), scenario.device_count
    if count > MOST_DEVICES:
        raise MethodError(
            f"{who}: how fast {count} devices agree is not computed; expected at most "
            f"{MOST_DEVICES} devices, or a number in place of a word"
        )
    final, words = scenario, []
    for rehearses in (False, True):
        alike = [part for part in asking if part.asks_rehearsal == rehearses]
        if not alike:
            continue
        rho, source = _rehearsed(scenario, who, asking) if rehearses else _by_law(scenario)
        if rho > 1 - _AGREEING:
            remedy = (
                "bring them nearer, give them more time or power"
                if rehearses
                else "choose another topology or other weights"
            )
            raise MethodError(
                f"{who}: the contraction of {source} is {rho:.6g}: some devices never hear of "
                f"others, or not surely; {remedy}, or give a number in place of the word"
            )
        final = _told(final, alike, rho)
        words.append(f"ρ = {rho:.4g} of {source}")
    answers = answers_of(scenario, final).items()
    settings = [f"{slot}.{key}: {value}" for slot, keys in answers for key, value in keys.items()]
    return final, ": ".join(filter(None, ("; ".join(words), ", ".join(settings))))


def answers_of(scenario: Scenario, final: Scenario) -> dict[str, dict[str, Any]]:
    """By slot and setting, as JSON has it, what parts that asked have been told."""
    answers = {}
    for part in scenario.method.parts():
        if part.asks_contraction:
            answer = getattr(final.method, part.slot)
            values = answer.model_dump(mode="json")
            changed = [n for n in part.settings() if getattr(answer, n) != getattr(part, n)]
            answers[part.slot] = {name: values[name] for name in changed}
    return {slot: settings for slot, settings in answers.items() if settings}


def _told(scenario: Scenario, asking: Sequence[Part], contraction: float) -> Scenario:
    parts = {part.slot: part.told(contraction) for part in asking}
    return scenario.model_copy(update={"method": scenario.method.model_copy(update=parts)})


def _by_law(scenario: Scenario) -> tuple[float, str]:
    """ρ of the topology's graphs and the weights, and what it is of."""
    method, ids, where_m = scenario.method, range(scenario.device_count), None
    if method.topology.needs_positions:
        where_m = channel_of(scenario, build_devices(scenario)).positions_m(ids, 0.0)
    with failures_told(scenario):
        mixings = len(method.schedule.played(1))
        rho, graphs = expected_contraction(
            method.topology, method.weighing, ids, scenario.seed, where_m, mixings
        )
    source = f"topology {method.topology} with weights {method.weighing}"
    return rho, source + (f", from {graphs} drawn graphs" if graphs > 1 else "")


def _rehearsed(scenario: Scenario, who: str, asking: Sequence[Part]) -> tuple[float, str]:
    """ρ of what the network mixes where it plays alone, and what it is of."""
    radio = scenario.radio
    if radio.packets.model == "one_shot" or radio.access.model == "air":
        section = "packets" if radio.packets.model == "one_shot" else "access"
        raise MethodError(
            f"{who}: a rehearsal counts messages that arrive whole, and with radio.{section} "
            f"'{getattr(radio, section).model}' they do not; use 'connectivity', or a number"
        )
    aggregation = scenario.method.aggregation
    if scenario.training.compute_deadline_s is not None and aggregation.by_block:
        raise MethodError(
            f"{who}: of whom training.compute_deadline_s stops, aggregation '{aggregation.word()}' "
            "mixes the blocks that were trained, and a rehearsal knows none; use 'connectivity', "
            "or a number"
        )
    _log.info("%s: the network plays %d rounds alone first", who, scenario.rounds)
    rho = rehearsed_contraction(_told(scenario, asking, 0.0))
    return rho, f"what {scenario.rounds} rounds of the network alone mix"
