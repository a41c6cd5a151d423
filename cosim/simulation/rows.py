"""From what the simulation knows to rows of the trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.learning.records import AnswerSheet, Diagnostic, LayerState, Measurement
from cosim.physics.energy import transmit_energy_j
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.station import Device, Station
from cosim.trace.schema import (
    AnswerRow,
    Cause,
    DeviceRow,
    DiagnosticRow,
    EvaluationRow,
    LayerRow,
    PositionRow,
    Quantity,
    RoundRow,
    TransferOutcome,
    TransferRow,
)

# Why the last bit was sent, as far as the sender's own event says it; its transfer says more.
LAST_BIT = {
    TransferOutcome.DELIVERED: Cause.BITS_DELIVERED,
    TransferOutcome.LATE: Cause.DEADLINE,
    TransferOutcome.OUTAGE: Cause.OUTAGE,
    TransferOutcome.CANCELLED: Cause.INTERRUPTED,
}


def device_rows(
    scenario: Scenario,
    devices: Iterable[Device],
    tasks: Sequence[str] | None,
    training_rows: Sequence[int] | None,
    answers: Sequence[Mapping[str, int] | None] | None = None,
) -> Iterator[DeviceRow]:
    """The row of every device as it begins; tasks, training_rows and their answers by id, None
    where nothing is learnt."""
    masked, common = scenario.method.expansion.masked, scenario.adapter.density
    adapted = scenario.learning.model != "none" and scenario.method.projection.exists
    ranks = scenario.ranks
    for device in devices:
        density = scenario.devices[device.group].density
        yield DeviceRow(
            device=device.id,
            group=device.group,
            profile=device.profile_name,
            speed=device.profile.speed,
            peak_flop_s=device.profile.peak_flop_s,
            battery_j=device.profile.battery_j,
            task=None if tasks is None else tasks[device.id],
            training_rows=None if training_rows is None else training_rows[device.id],
            density=(common if density is None else density) if masked else None,
            rank=ranks[device.id] if adapted else None,
            answers=_as_json(answers[device.id]) if answers is not None else None,
        )


def _as_json(counts: Mapping[str, int] | None) -> str | None:
    return None if counts is None else json.dumps(counts, ensure_ascii=False)


def transfer_row(
    transmission: Transmission,
    outcome: TransferOutcome,
    cause: Cause,
    sender: Profile,
    end_s: float,
    sent_bits: float,
    transmitter_j: float,
    receiver_j: float,
) -> TransferRow:
    """The row of a transmission that ended, of which `sent_bits` were on the air; its sender draws
    the amplifier's energy and its part of the chain's."""
    airtime_s = end_s - transmission.start_s  # 0 where it never was on the air
    flight = transmission.flight
    whole = outcome is TransferOutcome.DELIVERED and flight is None
    bits = float(transmission.message.bits) if whole else transmission.carried_bits
    amplifier_j = float(
        transmit_energy_j(airtime_s, transmission.power_w, sender.pa_efficiency, 0.0)
    )
    energy_tx_j = amplifier_j + transmitter_j
    return TransferRow(
        number=transmission.number,
        round=transmission.round,
        src=transmission.sender,
        dst=transmission.message.receiver,
        kind=transmission.message.kind,
        bits=transmission.message.bits,
        start_s=transmission.start_s,
        end_s=end_s,
        deadline_at_s=transmission.start_s + transmission.grid.deadline_s,
        distance_m=transmission.distance_m,
        bandwidth_hz=transmission.mean_share_hz,
        power_w=transmission.power_w,
        consumed_w=energy_tx_j / airtime_s if airtime_s > 0 else 0.0,
        mean_snr_db=transmission.mean_snr_db,
        mean_rate_bit_s=bits / airtime_s if airtime_s > 0 else 0.0,
        sent_bits=max(sent_bits, bits),
        delivered_bits=bits,
        energy_tx_j=energy_tx_j,
        energy_rx_j=receiver_j,
        outcome=outcome,
        cause=cause,
        mixing=transmission.turn.mixing,
        packets_lost=None if flight is None else len(flight.lost),
    )


def round_row(
    station: Station,
    round_: int,
    end_s: float,
    place_m: tuple[float, float],
    flop: float,
    loss: float | None,
) -> RoundRow:
    """The row of a device's time and energy since its last one: what its meter and its inbox
    counted."""
    spent, counts = station.meter.take(), station.inbox.close_round()
    return RoundRow(
        round=round_,
        device=station.id,
        start_s=station.row_since_s,
        end_s=end_s,
        compute_s=spent.compute_s,
        send_s=spent.send_s,
        wait_s=spent.wait_s,
        off_s=spent.off_s,
        flop=flop,
        loss=loss,
        bits_sent=spent.sent_bits,
        received=counts.received,
        stale=counts.stale,
        missed=counts.missed,
        silent=counts.silent,
        edges_used=counts.edges_used,
        energy_compute_j=spent.compute_j,
        energy_tx_j=spent.tx_j,
        energy_rx_j=spent.rx_j,
        energy_idle_j=spent.idle_j,
        battery_j=station.meter.battery_j,
        x_m=place_m[0],
        y_m=place_m[1],
    )


def evaluation_rows(
    measurements: Iterable[Measurement], time_s: float, round_: int
) -> Iterator[EvaluationRow]:
    """The row of every score."""
    for measurement in measurements:
        score = measurement.score
        yield EvaluationRow(
            time_s=time_s,
            round=round_,
            device=measurement.device,
            task=measurement.task,
            metric=score.metric,
            value=score.value,
            n=score.n,
        )


def answer_rows(sheets: Iterable[tuple[int, AnswerSheet]], round_: int) -> Iterator[AnswerRow]:
    """The row of every answer of every device."""
    for device, sheet in sheets:
        experts = sheet.asked or (None,) * len(sheet.right)
        columns = (sheet.questions, sheet.right, sheet.chosen, sheet.margins, experts)
        for number, answer in enumerate(zip(*columns, strict=True)):
            yield AnswerRow(round_, device, sheet.task, number, *answer)


def layer_rows(device: int, layers: Iterable[LayerState]) -> Iterator[LayerRow]:
    """The rows of the modules that a device's mask keeps."""
    for state in layers:
        yield LayerRow(
            device=device,
            layer=state.layer,
            module=state.module,
            spectral_entropy=state.spectral_entropy,
            density=state.density,
            parameters=state.parameters,
            active=state.active,
        )


def diagnostic_rows(
    diagnostics: Iterable[Diagnostic], time_s: float, round_: int
) -> Iterator[DiagnosticRow]:
    """The row of every diagnostic."""
    for diagnostic in diagnostics:
        yield DiagnosticRow(
            time_s=time_s,
            round=round_,
            device=diagnostic.device,
            peer=diagnostic.peer,
            task=diagnostic.task,
            layer=diagnostic.layer,
            module=diagnostic.module,
            quantity=Quantity(diagnostic.quantity),
            value=diagnostic.value,
        )


def position_rows(
    devices: Sequence[int], times_s: NDArray[np.float64], places_m: NDArray[np.float64]
) -> Iterator[PositionRow]:
    """The rows of the places (M, T, 2) in m of all devices at times (T,)."""
    for k, time_s in enumerate(times_s.tolist()):
        for device, (x_m, y_m) in zip(devices, places_m[:, k].tolist(), strict=True):
            yield PositionRow(time_s, device, x_m, y_m)
