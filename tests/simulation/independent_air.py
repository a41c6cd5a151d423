"""What each transfer of a trace should have come to, integrated anew on a plain fine time grid.

Shares nothing with the simulation's channel, slots and solver: fades are drawn again from their
documented streams, path loss is written out again, and time is cut evenly, and once more where a
path jumps. Paths are asked for places, and a shadowing field for its value there.
Starts and powers are those of the trace; its durations say where to look closely, and no more.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cosim.mobility.trajectory import Trajectory
from cosim.physics.shadowing import ShadowingField
from cosim.randomness import stream
from cosim.scenario.model import Scenario
from cosim.scenario.radio import BlockFading, ClarkeFading, LogDistance, NoFading, PaperPathLoss
from cosim.trace.schema import TransferOutcome, TransferRow

LIGHT_M_S = 299_792_458.0
SAMPLES = 2048
# A cell in which an end comes farther than it travels holds a jump, and is cut into so many.
PARTS = 64
# A verdict that this part of the bits, or of the SNR, decides otherwise is a tie.
TIE = 1e-3


@dataclass
class Verdict:
    """What may be written of a transfer: any of these (outcome, seconds on the air)."""

    row: TransferRow
    allowed: list[tuple[TransferOutcome, float]]
    tie: bool = False

    @property
    def error(self) -> float:
        """The relative error of the duration; infinite where the outcome is wrong."""
        took = self.row.end_s - self.row.start_s
        found = [
            abs(took - own_s) / own_s
            for outcome, own_s in self.allowed
            if outcome is self.row.outcome
        ]
        return min(found, default=math.inf)


@dataclass
class Air:
    """The air of one scenario whose devices move on these paths."""

    scenario: Scenario
    paths: Sequence[Trajectory]
    fields: dict[tuple[int, int], ShadowingField] = field(default_factory=dict)

    def gain(self, row: TransferRow, elapsed_s: np.ndarray, *, mean: bool = False) -> np.ndarray:
        """The power gain at times after a transfer's start."""
        radio, seed = self.scenario.radio, self.scenario.seed
        low, high = sorted((row.src, row.dst))
        times = row.start_s + elapsed_s
        here, there = (self.paths[end].position_m(times) for end in (low, high))
        loss_db = self._loss_db(np.hypot(*(here - there).T), low, high)
        if radio.shadowing.sigma_db > 0:
            if (low, high) not in self.fields:
                self.fields[low, high] = ShadowingField.draw(
                    stream(seed, "shadowing", low, high),
                    sigma_db=radio.shadowing.sigma_db,
                    decorrelation_m=radio.shadowing.decorrelation_m,
                )
            loss_db = loss_db + self.fields[low, high].loss_db(here, there)
        gain = 10 ** (-loss_db / 10)
        fading = radio.fading
        if mean or isinstance(fading, NoFading):
            return gain
        if isinstance(fading, BlockFading):
            return gain * stream(seed, "fading", low, high, row.round).standard_exponential()
        assert isinstance(fading, ClarkeFading)
        waves = 2 * math.pi * stream(seed, "fading", low, high).random((3, fading.sinusoids))
        k = 2 * math.pi * radio.carrier_hz / LIGHT_M_S
        phase = sum(
            k * self.paths[end].travelled_m(times)[:, None] * np.cos(own)
            for end, own in zip((low, high), waves[:2], strict=True)
        )
        phase = phase + waves[2]
        power = np.cos(phase).sum(axis=1) ** 2 + np.sin(phase).sum(axis=1) ** 2
        return np.asarray(gain * power / fading.sinusoids)

    def _loss_db(self, apart: np.ndarray, low: int, high: int) -> np.ndarray:
        radio = self.scenario.radio
        model = radio.path_loss
        if isinstance(model, LogDistance | PaperPathLoss):
            loss = 10 * model.exponent * np.log10(np.maximum(apart, model.minimum_m))
            if isinstance(model, PaperPathLoss):
                return np.asarray(loss)
            d0 = model.reference_m
            friis = 20 * math.log10(4 * math.pi * d0 * radio.carrier_hz / LIGHT_M_S)
            return np.asarray(loss - 10 * model.exponent * math.log10(d0) + friis)
        d, f = np.maximum(apart, 3.0), radio.carrier_hz / 1e9
        assert f >= 2.0
        sees = stream(self.scenario.seed, "los", low, high).random() < (
            np.minimum(18 / d, 1) * (1 - np.exp(-d / 36)) + np.exp(-d / 36)
        )
        free = 20 * np.log10(d) + 46.4 + 20 * math.log10(f / 5)
        near = 22.7 * np.log10(d) + 27 + 20 * math.log10(f)
        far = 40 * np.log10(d) + 7.56 - 34.6 * math.log10(0.8) + 2.7 * math.log10(f)
        los = np.where(d <= 4 * 0.64 * f * 1e9 / 3e8, near, far)
        nlos = (44.9 - 6.55 * math.log10(1.5)) * np.log10(d) + 5.83 * math.log10(1.5)
        nlos = nlos + 18.38 + 23 * math.log10(f) - 5
        return np.asarray(np.maximum(free, np.where(sees, los, nlos)))

    def noise_w(self, share_hz: float) -> float:
        """Thermal noise over a share, or over all of W."""
        radio = self.scenario.radio
        band = share_hz if radio.noise == "share" else radio.bandwidth_hz
        return 1.380649e-23 * 290 * band * 10 ** (radio.noise_figure_db / 10)

    def samples(self, row: TransferRow, span_s: float) -> int:
        """So many that 40 of them fall on a wavelength of the way of both ends."""
        times = row.start_s + np.array([0.0, span_s])
        way = sum(float(np.ptp(self.paths[end].travelled_m(times))) for end in (row.src, row.dst))
        clarke = self.scenario.radio.fading.model == "clarke"
        waves = way * self.scenario.radio.carrier_hz / LIGHT_M_S if clarke else 0.0
        return max(SAMPLES, math.ceil(40 * waves))

    def cells(self, row: TransferRow, horizon_s: float) -> "Cells":
        """The gain of a transfer from its start to `horizon_s`, finest while it was on the air."""
        near_s = min(1.3 * (row.end_s - row.start_s) + 1e-12, horizon_s)
        edges = np.linspace(0.0, near_s, self.samples(row, near_s) + 1)
        if near_s < horizon_s:
            more = self.samples(row, horizon_s - near_s)
            edges = np.append(edges, np.linspace(near_s, horizon_s, more + 1)[1:])
        gain = self.gain(row, (edges[1:] + edges[:-1]) / 2)
        rough = np.zeros(len(gain), dtype=bool)
        for path in (self.paths[row.src], self.paths[row.dst]):
            times = row.start_s + edges
            moved = np.hypot(*np.diff(path.position_m(times), axis=0).T)
            rough |= moved > np.diff(path.travelled_m(times)) + 1e-6
        fine = np.linspace(edges[:-1][rough], edges[1:][rough], PARTS, endpoint=False, axis=1)
        own = np.sort(np.concatenate([edges, fine[:, 1:].ravel()]))
        anew = np.isin(own[:-1], fine)
        kept, gain = gain[~rough], np.empty(len(own) - 1)
        gain[~anew] = kept
        gain[anew] = self.gain(row, ((own[1:] + own[:-1]) / 2)[anew])
        return Cells(self, row, own, gain)


@dataclass
class Cells:
    """The gain of one transfer, cell by cell."""

    air: Air
    row: TransferRow
    edges: np.ndarray
    gain: np.ndarray

    def bits_by(self, share_hz: float) -> np.ndarray:
        """The bits through by each edge, at one share."""
        rate = share_hz * np.log2(1 + self.row.power_w * self.gain / self.air.noise_w(share_hz))
        return np.concatenate([[0.0], np.cumsum(rate * np.diff(self.edges))])

    def carried(self, share_hz: float, since_s: float, until_s: float) -> float:
        """The bits through between two moments."""
        return float(np.diff(np.interp([since_s, until_s], self.edges, self.bits_by(share_hz)))[0])

    def through_s(self, share_hz: float, bits: float, since_s: float) -> float:
        """When so many bits are through, counted from a moment on; infinite if they are not."""
        by = self.bits_by(share_hz)
        bits += float(np.interp(since_s, self.edges, by))
        return float(np.interp(bits, by, self.edges)) if bits <= by[-1] else math.inf


def verdicts(air: Air, rows: Iterable[TransferRow]) -> list[Verdict]:
    """The verdict on every transfer that was sent and not cut off by a device that left."""
    together: dict[tuple[int, float], list[TransferRow]] = defaultdict(list)
    for row in rows:
        together[row.src, row.start_s].append(row)
    found: list[Verdict] = []
    by_model: dict[str, Callable[[Air, list[TransferRow], float], list[Verdict]]] = {
        "fluid": _fluid,
        "blocks": _blocks,
        "codeword": _codeword,
    }
    for (src, start_s), group in together.items():
        later = [other for sender, other in together if sender == src and other > start_s]
        cut_s = min(later, default=math.inf) - start_s
        found += by_model[air.scenario.radio.packets.model](air, group, cut_s)
    return found


def _fluid(air: Air, group: list[TransferRow], cut_s: float) -> list[Verdict]:
    radio = air.scenario.radio
    limit_s = radio.deadline_s if radio.late == "drop" else math.inf
    limit_s = min(limit_s, max(cut_s, radio.deadline_s))
    # Beyond what the trace has, nobody needs to look.
    horizon_s = min(limit_s, 1.2 * max(row.end_s - row.start_s for row in group) + 1e-9)
    horizon_s = max(horizon_s, radio.deadline_s)
    going = [row for row in group if row.power_w > 0]
    found = [Verdict(row, [(TransferOutcome.OUTAGE, 0.0)]) for row in group if row.power_w <= 0]
    for verdict in found:
        out = verdict.row.outcome is TransferOutcome.OUTAGE
        verdict.allowed = [(TransferOutcome.OUTAGE, math.nan)] if out else []
    left = {row.dst: float(row.bits) for row in going}
    cells = {row.dst: air.cells(row, horizon_s) for row in going}
    at_s = 0.0
    # Those that are dropped at once free their share in that instant.
    active = len(going) if radio.share == "dynamic" else len(group)
    while going:
        share_hz = radio.bandwidth_hz / active
        ends = [cells[row.dst].through_s(share_hz, left[row.dst], at_s) for row in going]
        first = int(np.argmin(ends))
        if not math.isfinite(ends[first]):
            for row in going:
                short = left[row.dst] - cells[row.dst].carried(share_hz, at_s, horizon_s)
                end_s = min(limit_s, row.end_s - row.start_s) if radio.late == "stale" else limit_s
                verdict = Verdict(row, [(TransferOutcome.LATE, end_s)], short < TIE * row.bits)
                if verdict.tie:
                    verdict.allowed.append((TransferOutcome.DELIVERED, limit_s))
                found.append(verdict)
            break
        row, end_s = going.pop(first), ends[first]
        took_s = row.end_s - row.start_s
        if row.outcome is TransferOutcome.LATE and row.delivered_bits < row.bits and took_s < end_s:
            # Cut beyond Γ, by the sender's next transfers or by the end of the run.
            late_s = max(took_s, radio.deadline_s)
            found.append(Verdict(row, [(TransferOutcome.LATE, late_s)]))
            continue
        in_time = end_s <= radio.deadline_s
        outcome = TransferOutcome.DELIVERED if in_time else TransferOutcome.LATE
        verdict = Verdict(row, [(outcome, end_s)])
        for edge_s in {radio.deadline_s, limit_s}:
            if abs(end_s / edge_s - 1) < TIE:
                verdict.tie = True
                both = TransferOutcome.DELIVERED, TransferOutcome.LATE
                verdict.allowed += [(each, edge_s) for each in both]
        found.append(verdict)
        if radio.share == "dynamic":
            for other in going:
                left[other.dst] -= cells[other.dst].carried(share_hz, at_s, end_s)
            active, at_s = len(going), end_s
    return found


def _codeword(air: Air, group: list[TransferRow], _: float) -> list[Verdict]:
    found, deadline_s = [], air.scenario.radio.deadline_s
    for row in group:
        if row.power_w <= 0:
            found.append(Verdict(row, [(TransferOutcome.OUTAGE, math.nan)]))
            continue
        share_hz = air.scenario.radio.bandwidth_hz / len(group)
        bits = air.cells(row, deadline_s).bits_by(share_hz)[-1]
        both = [(TransferOutcome.DELIVERED, deadline_s), (TransferOutcome.OUTAGE, deadline_s)]
        tie = abs(bits / row.bits - 1) < TIE
        found.append(Verdict(row, both if tie else [both[int(bits < row.bits)]], tie))
    return found


def _blocks(air: Air, group: list[TransferRow], _: float) -> list[Verdict]:
    found = []
    for row in group:
        if row.power_w <= 0:
            found.append(Verdict(row, [(TransferOutcome.OUTAGE, math.nan)]))
            continue
        share_hz = air.scenario.radio.bandwidth_hz / len(group)
        chains = _chains(air, row, share_hz, (1.0, 1 - TIE, 1 + TIE))
        close = [abs(own[1] / chains[0][1] - 1) < TIE and own[0] is chains[0][0] for own in chains]
        found.append(Verdict(row, chains, not all(close)))
    return found


def _chains(
    air: Air, row: TransferRow, share_hz: float, strictness: Sequence[float]
) -> list[tuple[TransferOutcome, float]]:
    """The blocks of one transfer, one after the other, for each strictness of the decoder."""
    radio = air.scenario.radio
    packets, snr_of_one = radio.packets, row.power_w / air.noise_w(share_hz)
    assert packets.model == "blocks"
    by_mean = radio.power.policy == "lemma1" and radio.power.channel_knowledge == "mean"
    known = float(air.gain(row, np.zeros(1), mean=by_mean)[0]) * snr_of_one
    aimed_at = known / 10 ** (packets.backoff_db / 10)
    interval_s = packets.block_bits / (share_hz * math.log2(1 + aimed_at))
    whole = int(radio.deadline_s / interval_s)
    parts = max(16, 2 * air.samples(row, interval_s * whole) // max(whole, 1))
    chains = [
        _Chain(-(-row.bits // packets.block_bits), aimed_at * own * (1 - 1e-9))
        for own in strictness
    ]
    for first in range(0, whole, 64):
        numbers = np.arange(first, min(first + 64, whole))
        times = (numbers[:, None] + (np.arange(parts) + 0.5) / parts) * interval_s
        rate = np.log1p(snr_of_one * air.gain(row, times.ravel())).reshape(times.shape)
        for number, snr in zip(numbers.tolist(), np.expm1(rate.mean(axis=1)), strict=True):
            for chain in chains:
                chain.take(number, float(snr), packets.combining, packets.transmissions)
        if all(chain.last is not None for chain in chains):
            break
    return [
        (TransferOutcome.LATE, radio.deadline_s)
        if chain.last is None
        else (TransferOutcome.DELIVERED, (chain.last + 1) * interval_s)
        for chain in chains
    ]


@dataclass
class _Chain:
    """Blocks that wait, and the copies kept of the first of them; `last` is the interval in which
    the last was decoded."""

    blocks: int
    needed: float
    kept: float = 0.0
    copies: int = 0
    last: int | None = None

    def take(self, number: int, snr: float, combining: str, most: int) -> None:
        """What one interval brings."""
        if self.last is not None:
            return
        self.kept, self.copies = self.kept + snr, self.copies + 1
        if self.kept >= self.needed:
            self.blocks, self.kept, self.copies = self.blocks - 1, 0.0, 0
            if self.blocks == 0:
                self.last = number
        elif combining == "none" or self.copies == most:
            self.kept, self.copies = 0.0, 0
