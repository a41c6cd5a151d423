"""What a scenario asks of its radio that will probably go wrong, by the quantity that shows it.

`cosim check` and a run ask here alike, so that a run repeats what was warned of before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.over_the_air import analog_symbols, symbols_time_s
from cosim.physics.power import spectral_efficiency_needed
from cosim.scenario.model import Scenario
from cosim.scenario.radio import D2dOutdoor, OverTheAir, Radio
from cosim.simulation.links.link_need import margin_db
from cosim.simulation.setup.first_links import FirstLinks, shortfall
from cosim.simulation.station import Device

SPECTRUM = "Q·n/(W·Γ)"

# Beyond this many bit/s/Hz a Rayleigh link seldom delivers.
_DEMANDING_BIT_S_HZ = 4.0


def radio_warnings(
    scenario: Scenario,
    devices: Sequence[Device],
    bits: int,
    links: FirstLinks | None,
    modules: int = 0,
) -> dict[str, str]:
    """Sentences by quantity; nothing where nothing is ever sent.

    bits: of a first payload. links: those that a run begins with, None where there are none.
    modules: that are adapted.
    """
    radio = scenario.radio
    receivers = scenario.method.topology.most_receivers(scenario.device_count - 1)
    if radio.access.model == "air" and receivers:
        found = {"coherence time": _short_coherence(scenario, devices, bits, modules)}
    elif links is None:
        found = {}
    else:
        found = {
            SPECTRUM: _demanding(radio, receivers, bits),
            "packets": _no_retransmission(radio),
            "Lemma 1": shortfall(scenario, links),
            "shadowing": _no_shadowing(radio),
        }
    return {name: sentence for name, sentence in found.items() if sentence is not None}


def efficiency_needed(radio: Radio, receivers: int, bits: int) -> float:
    """Q·n/(W·Γ) in bit/s/Hz."""
    return float(spectral_efficiency_needed(bits, receivers, radio.bandwidth_hz, radio.deadline_s))


def coherence_s(scenario: Scenario, devices: Sequence[Device]) -> float:
    """The coherence time of the fastest pair."""
    speeds = sorted((device.trajectory.speed_limit_m_s for device in devices), reverse=True)
    carrier_hz = scenario.radio.carrier_hz
    dopplers = [float(doppler_hz(speed, carrier_hz)) for speed in [*speeds[:2], 0.0][:2]]
    return float(coherence_time_s(float(effective_doppler_hz(*dopplers))))


def air_overhead_symbols(scenario: Scenario, modules: int) -> float:
    """How many symbols all is as long as that a turn on the air has besides its sums, at most: all
    neighbours that a device may have, and both factors of so many modules."""
    access = scenario.radio.access
    assert isinstance(access, OverTheAir), "links are digital"
    senders = scenario.method.topology.most_receivers(scenario.device_count - 1)
    return access.overhead_symbols(senders, 2 * modules)


def air_turn_s(scenario: Scenario, bits: int, modules: int) -> float:
    """How long a receiver's turn takes at most where values are summed on the air."""
    sums = analog_symbols(bits // scenario.adapter.bits_per_value)
    symbols = sums + air_overhead_symbols(scenario, modules)
    return float(symbols_time_s(symbols, scenario.radio.bandwidth_hz))


def _demanding(radio: Radio, receivers: int, bits: int) -> str | None:
    if efficiency_needed(radio, receivers, bits) <= _DEMANDING_BIT_S_HZ:
        return None
    enough = bits * receivers / _DEMANDING_BIT_S_HZ
    return (
        f"more than {_DEMANDING_BIT_S_HZ:g}: size bandwidth_hz·deadline_s to at least {enough:.3g}"
    )


def _no_retransmission(radio: Radio) -> str | None:
    packets = radio.packets
    if packets.model != "blocks" or margin_db(radio) > packets.backoff_db:
        return None
    return (
        "the rate leaves no time before Γ for a single retransmission: lower backoff_db below "
        "the margin"
    )


def _no_shadowing(radio: Radio) -> str | None:
    if not isinstance(radio.path_loss, D2dOutdoor) or radio.shadowing.sigma_db:
        return None
    return "none; 3GPP TR 36.843 goes with sigma_db: 7"


def _short_coherence(
    scenario: Scenario, devices: Sequence[Device], bits: int, modules: int
) -> str | None:
    turn_s = air_turn_s(scenario, bits, modules)
    if scenario.radio.fading.model == "none" or coherence_s(scenario, devices) >= turn_s:
        return None
    return (
        "shorter than a turn, through which channels are held to be coherent: its sums come out "
        "better than they would"
    )
