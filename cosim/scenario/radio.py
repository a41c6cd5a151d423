"""The radio section: carrier, spectrum, path loss, fading, transmit power, deadline."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cosim.scenario.by_name import by_name
from cosim.scenario.outside.fading import Fading as OutsideFading
from cosim.scenario.outside.from_outside import FromOutside
from cosim.scenario.outside.path_loss import PathLoss as OutsidePathLoss
from cosim.scenario.section import Section


class LogDistance(Section):
    """The mean gain is ḡ(d) = 10^(−PL0/10)·(max(d, minimum)/reference)^(−exponent), PL0 that of
    free space."""

    model: Literal["log_distance"] = "log_distance"
    exponent: float = Field(3.0, ge=1.5, le=6.0, description="path-loss exponent α")
    reference_m: float = Field(1.0, gt=0, description="reference distance d0")
    minimum_m: float = Field(1.0, gt=0, description="nearer devices count as this far apart")


class PaperPathLoss(Section):
    """The mean gain is ḡ(d) = max(d, minimum)^(−exponent): 0 dB at 1 m, as arXiv 2602.20492 prints
    it."""

    model: Literal["paper"] = "paper"
    exponent: float = Field(3.0, ge=1.5, le=6.0, description="path-loss exponent α")
    minimum_m: float = Field(1.0, gt=0, description="nearer devices count as this far apart")


class D2dOutdoor(Section):
    """The mean gain is that of 3GPP TR 36.843, WINNER+ B1 at 1.5 m antennas: LOS or not by one draw
    a pair; 0.45–6 GHz."""

    model: Literal["d2d_outdoor"] = "d2d_outdoor"


_PathLoss = LogDistance | PaperPathLoss | D2dOutdoor
PathLoss = Annotated[_PathLoss | OutsidePathLoss, FromOutside(OutsidePathLoss, _PathLoss)]


class Shadowing(Section):
    """Shadowing is log-normal, of one field a pair, with correlation e^(−Δ/decorrelation) in each
    end's move Δ."""

    sigma_db: float = Field(0.0, ge=0, le=20, description="standard deviation; 0: no shadowing")
    decorrelation_m: float = Field(
        10.0, gt=0, le=1e5, description="a move that leaves 1/e of the correlation"
    )


class NoFading(Section):
    """The gain is its mean."""

    model: Literal["none"] = "none"


class BlockFading(Section):
    """Each unordered pair has one Rayleigh draw a round (the paper)."""

    model: Literal["block"] = "block"


class ClarkeFading(Section):
    """Rayleigh fading is correlated over the path lengths travelled by both ends."""

    model: Literal["clarke"] = "clarke"
    sinusoids: int = Field(64, ge=8, le=4096, description="terms in the sum of sinusoids")
    slots_per_coherence_time: float = Field(
        4.0, ge=1, le=100, description="rate samples in one coherence time of the fastest pair"
    )


_Fading = NoFading | BlockFading | ClarkeFading
Fading = Annotated[_Fading | OutsideFading, FromOutside(OutsideFading, _Fading)]


class Lemma1Power(Section):
    """A receiver gets p*·margin, p* = (σ²/h)·(2^(Q·n/(W·Γ)) − 1); where Σp*·margin exceeds p_max,
    p* with the margin that p_max leaves, the same for all, and where Σp* does, the fallback.
    Control messages and beacons share p_max equally."""

    policy: Literal["lemma1"] = "lemma1"
    channel_knowledge: Literal["instantaneous", "mean"] = Field(
        "instantaneous", description="h at the start of the transfer, or its mean over fading"
    )
    margin_db: float = Field(3.0, ge=0, le=60, description="power above Lemma 1's")
    fallback: Literal["scale", "drop_weakest", "max_power"] = Field(
        "max_power",
        description="where Σp* exceeds p_max: all scaled down together, the largest demands "
        "dropped until the rest fits, or p_max shared equally. The last delivers most where the "
        "channel moves within Γ, drop_weakest where it stands still, and scale the least",
    )


class MaximumPower(Section):
    """A device's receivers share p_max equally."""

    policy: Literal["max_power"] = "max_power"


PowerControl = Annotated[
    Annotated[Lemma1Power | MaximumPower, Field(discriminator="policy")],
    by_name("policy", Lemma1Power | MaximumPower),
]


class Fluid(Section):
    """Bits flow at the Shannon rate of every moment."""

    model: Literal["fluid"] = "fluid"


class BlockPackets(Section):
    """Blocks have one fixed rate, chosen at the start, and are sent again until they are
    decoded."""

    model: Literal["blocks"] = "blocks"
    block_bits: int = Field(8448, ge=1, le=10**9, description="default: the largest of 5G's LDPC")
    backoff_db: float = Field(
        0.0,
        ge=0,
        le=60,
        description="below the SNR known at the start; retransmissions need it below the margin",
    )
    combining: Literal["chase", "none"] = Field(
        "chase", description="failed copies are added up, or forgotten"
    )
    transmissions: int = Field(4, ge=1, le=64, description="copies combined before starting anew")


class Codeword(Section):
    """One codeword takes the whole of Γ: it is decoded at Γ if its bits fit through, else an
    outage."""

    model: Literal["codeword"] = "codeword"


class OneShot(Section):
    """Updates go in packets that are sent once each: what is not decoded is lost for good.

    Control messages, beacons and experts are sent again until decoded, without combining.
    """

    model: Literal["one_shot"] = "one_shot"
    packet_bits: int = Field(8448, ge=1, le=10**9, description="the last is what is left")
    backoff_db: float = Field(
        0.0,
        ge=0,
        le=60,
        description="below the SNR known at the start; never so slow that a pass outlasts Γ",
    )
    erasure: float | None = Field(
        None,
        ge=0,
        le=1,
        description="probability with which a packet is lost, drawn for each; null: the channel "
        "decides",
    )


_Packets = Fluid | BlockPackets | Codeword | OneShot
Packets = Annotated[
    Annotated[_Packets, Field(discriminator="model")],
    by_name("model", _Packets),
]


class Digital(Section):
    """Each message is sent by itself, in bits."""

    model: Literal["digital"] = "digital"


class OverTheAir(Section):
    """The air adds up what all neighbours of a device send it at once, as real values.

    Each device is the receiver in a turn, in whose D/(2W) for D values all send on the whole band;
    a colouring of the round's graph in which receivers share no neighbour has several in one turn.
    Before, each sender reports a pilot and the mean and scale of its vectors, and the receiver
    tells, after a pilot of its own, the mean and scale that all are to use and η. Whoever takes
    part inverts its channel as it is when the sums begin, held to be coherent from the reports to
    the turn's end. Ours: what a turn has besides its sums, and that its symbols are at unit power.
    """

    model: Literal["air"] = "air"
    threshold_db: float | None = Field(
        0.0,
        ge=-100,
        le=100,
        description="signal-to-noise ratio at p_max below which a neighbour takes no part, so that "
        "the others need not turn down to it; null: all do",
    )
    pilot_symbols: int = Field(
        64,
        ge=0,
        le=10**6,
        description="of each sender before its report and of a receiver before what it tells, for "
        "the channels between them",
    )
    guard_symbols: int = Field(
        16,
        ge=0,
        le=10**6,
        description="of silence after each part of a turn, for devices whose clocks and distances "
        "differ",
    )
    scalar_bits: int = Field(
        32,
        ge=1,
        le=64,
        description="of each mean and scale, by module and factor, that a sender reports of its "
        "own values or a receiver has all use, and of η; with learning: none of η alone",
    )
    control_bit_s_hz: float = Field(
        1.0, gt=0, le=20, description="the rate of these, for neighbours far away to read them"
    )

    def report_bits(self, scales: int) -> int:
        """The bits in which a sender reports mean and scale of each of so many vectors, from which
        those follow that all are to use."""
        return 2 * scales * self.scalar_bits

    def reply_bits(self, scales: int) -> int:
        """The bits in which a receiver tells mean and scale that all are to use for each of so many
        vectors, and η."""
        return (2 * scales + 1) * self.scalar_bits

    def control_symbols(self, bits: int) -> float:
        """How many symbols a pilot and so many bits are as long as."""
        return self.pilot_symbols + bits / self.control_bit_s_hz

    def overhead_symbols(self, senders: int, scales: int) -> float:
        """How many symbols all is as long as that a turn of so many senders has besides its
        sums."""
        reports = senders * self.control_symbols(self.report_bits(scales))
        return reports + self.control_symbols(self.reply_bits(scales)) + 3 * self.guard_symbols


Access = Annotated[
    Annotated[Digital | OverTheAir, Field(discriminator="model")],
    by_name("model", Digital | OverTheAir),
]


class Radio(Section):
    """All devices share a carrier, and each sender splits its bandwidth W evenly over its receivers
    (OFDMA)."""

    carrier_hz: float = Field(3.5e9, ge=1e8, le=3e11, description="carrier frequency")
    bandwidth_hz: float = Field(20.0e6, ge=1e-3, le=1e11, description="W of each sender")
    noise_figure_db: float = Field(9.0, ge=0, le=30, description="receiver noise figure")
    noise: Literal["share", "constant"] = Field(
        "share", description="σ² over the receiver's share W/n, or over W (the paper's constant)"
    )
    p_max_dbm: float = Field(23.0, ge=-30, le=60, description="radiated power of a device")
    share: Literal["fixed", "dynamic"] = Field(
        "fixed", description="W/n to the end (the paper), or W over those still in the air"
    )
    deadline_s: float = Field(2.0, ge=1e-9, le=1e6, description="Γ, from the start of a transfer")
    late: Literal["drop", "stale"] = Field(
        "drop",
        description="beyond Γ: lost, or kept on the air until it is through, or until its sender "
        "sends again, and mixed at the receiver's next mixing, but not with weights absent: mutual",
    )
    access: Access = Field(
        Digital(),
        description="how neighbours share the air: links of their own, or a sum on one band, by "
        "turns, at powers up to p_max that invert the channel, whatever `power` and Γ",
    )
    packets: Packets = Field(Fluid(), description="how bits get through")
    path_loss: PathLoss = Field(LogDistance(), description="mean gain ḡ over the distance d")
    shadowing: Shadowing = Shadowing()
    fading: Fading = Field(ClarkeFading(), description="what moves the gain around its mean")
    power: PowerControl = Field(Lemma1Power(), description="p, radiated towards each receiver")

    @property
    def delivery_known(self) -> bool:
        """Whether a receiver can know how probably a packet of a single pass gets through: as the
        scenario states it, or by the mean gain where the rate was chosen by that, too."""
        if self.packets.model != "one_shot" or self.packets.erasure is not None:
            return True
        by_mean = self.power.policy == "lemma1" and self.power.channel_knowledge == "mean"
        fading = self.fading.model
        return fading == "none" or (by_mean and fading in ("block", "clarke"))

    @model_validator(mode="after")
    def _access_fits(self) -> Self:
        if self.access.model == "air":
            for name, value, found in (
                ("packets", "fluid", self.packets.model),
                ("share", "fixed", self.share),
                ("late", "drop", self.late),
            ):
                if found != value:
                    raise ValueError(
                        f"{name} '{found}' is of messages that are sent by themselves; with access "
                        f"'air' all are sent at once and end on time: use '{value}'"
                    )
        return self

    @model_validator(mode="after")
    def _packets_fit(self) -> Self:
        if self.packets.model != "fluid":
            for name, value in (("share", "fixed"), ("late", "drop")):
                if getattr(self, name) != value:
                    raise ValueError(
                        f"{name} '{getattr(self, name)}' is for packets 'fluid'; packets "
                        f"'{self.packets.model}' keep their rate and end at Γ: use '{value}'"
                    )
        return self
