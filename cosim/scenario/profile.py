"""What a device computes and consumes, as a catalogue, a file or a scenario says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cosim.scenario.by_name import by_name
from cosim.scenario.section import Section

PROFILE_FILE = "path:"


class FlopTime(Section):
    """A fine-tuning takes FLOP/(peak·utilisation), and what its overheads take: measured, or
    nothing."""

    model: Literal["flop"] = "flop"
    pass_overhead_s: float = Field(
        0.0, ge=0, le=1e4, description="of a forward and backward pass, beside its FLOP"
    )
    value_update_s: float = Field(
        0.0, ge=0, le=1, description="of a trained value in an optimiser step"
    )
    value_ranking_s: float = Field(
        0.0, ge=0, le=1, description="of a gradient compared where a mask is chosen"
    )


class PaperTime(Section):
    """A fine-tuning takes ε·Q·N/B (eq. 7 of arXiv 2602.20492): Q trained values, N/B
    mini-batches."""

    model: Literal["paper"] = "paper"
    epsilon_s: float = Field(gt=0, le=1e3, description="ε, of a trained value and mini-batch")


ComputeTime = Annotated[
    Annotated[FlopTime | PaperTime, Field(discriminator="model")],
    by_name("model", FlopTime | PaperTime),
]


class Profile(Section):
    """A profile is what a device computes and consumes; figures are of the device, never of the
    host."""

    source: str = Field("given in the scenario", description="where the figures come from")
    peak_flop_s: float = Field(ge=1, le=1e18, description="peak FLOP/s")
    utilisation: float = Field(ge=1e-9, le=1, description="share of the peak that training reaches")
    compute: ComputeTime = Field(FlopTime(), description="how long a fine-tuning takes")
    speed: float = Field(1.0, ge=1e-9, le=1e3, description="of this one; it divides compute times")
    compute_w: float = Field(ge=0, le=1e5, description="watts while computing")
    idle_w: float = Field(ge=0, le=1e5, description="watts while not computing")
    pa_efficiency: float = Field(gt=0, le=1, description="radiated over consumed power")
    transmit_circuit_w: float = Field(ge=0, le=1e3, description="watts of a transmit chain")
    receive_w: float = Field(ge=0, le=1e3, description="watts of a receive chain")
    battery_j: float | None = Field(None, gt=0, description="energy at the start; null: mains")
