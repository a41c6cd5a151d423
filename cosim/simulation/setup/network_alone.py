"""What a scenario asks for that a run of the network alone does without, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.methods.codec.slot import Codec
from cosim.methods.sending.slot import Sending
from cosim.scenario.model import Scenario
from cosim.simulation.setup.radio_warnings import efficiency_needed

# Of Q·n/(W·Γ): links that carry hundreds of times as much have next to nothing to do.
_LITTLE_BIT_S_HZ = 1e-3


def unasked(scenario: Scenario, bits: int | None) -> Iterator[str]:
    """Sentences where nothing is learnt, and parts and tasks of the scenario are therefore not
    asked; none of one that learns.

    bits: of a payload, None where nobody is there to send it.
    """
    learning, method = scenario.learning, scenario.method
    if learning.model != "none":
        return
    sending, codec = method.sending, method.codec
    if type(sending).speaks is not Sending.speaks:
        yield (
            f"method.sending: with learning: none nobody has learnt what '{sending.word()}' "
            "decides by: all speak in every turn"
        )
    if type(codec).form is not Codec.form:
        yield (
            f"method.codec: with learning: none a message has learning.payload_bits, whatever "
            f"'{codec.word()}' would make of it"
        )
    if any(group.density or group.rank for group in scenario.devices):
        yield (
            "devices: with learning: none a group's density and rank change nothing: all have "
            "adapter.density and learning.payload_bits"
        )
    if scenario.tasks:
        yield "tasks: with learning: none nobody learns or answers them"
    if scenario.radio.access.model == "air":
        return
    receivers = method.topology.most_receivers(scenario.device_count - 1)
    needed = efficiency_needed(scenario.radio, receivers, bits or 0)
    if 0.0 < needed < _LITTLE_BIT_S_HZ:
        yield (
            f"learning.payload_bits: {learning.payload_bits} bit by radio.deadline_s, "
            f"{scenario.radio.deadline_s:g} s, take less than {_LITTLE_BIT_S_HZ:g} bit/s/Hz: are "
            "they counted in bit and s?"
        )
