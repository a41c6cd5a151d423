"""A distribution as pip leaves one: a module beside a dist-info with its entry points."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Two rays over flat ground, Nakagami-m in each round, a circle, and a log of rounds.
MODULE = '''\
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

import cosim

LIGHT_M_S = 299_792_458.0


class TwoRay(cosim.PathLoss):
    """A direct ray and one off flat ground, of reflection coefficient -1."""

    model: Literal["two_ray"] = "two_ray"
    antenna_m: float = Field(1.5, gt=0, le=100, description="height of both antennas")

    def loss_db(self, distance_m, carrier_hz, sees):
        k = 2.0 * math.pi * carrier_hz / LIGHT_M_S
        reflected_m = np.hypot(distance_m, 2.0 * self.antenna_m)
        field = np.exp(-1j * k * distance_m) / distance_m
        field -= np.exp(-1j * k * reflected_m) / reflected_m
        return -20.0 * np.log10(np.maximum(np.abs(field) / (2.0 * k), 1e-15))


class Nakagami(cosim.Fading):
    """Nakagami-m: a gamma law of mean 1 in every round."""

    model: Literal["nakagami"] = "nakagami"
    m: float = Field(2.0, ge=0.5, le=100, description="1 is Rayleigh's")

    def draw(self, random, carrier_hz):
        gain = float(random.gamma(self.m, 1.0 / self.m))
        return lambda times_s, travelled_m: gain


class Blinking(cosim.Fading):
    """There in every other half second, whoever moves."""

    model: Literal["blinking"] = "blinking"
    per_round = False

    def draw(self, random, carrier_hz):
        return lambda times_s, travelled_m: 2.0 * (np.floor(2.0 * times_s) % 2 == 0)

    def slot_s(self, coherence_s):
        return 0.05


@dataclass(frozen=True)
class Orbit:
    radius_m: float
    speed_m_s: float
    begins_rad: float

    @property
    def speed_limit_m_s(self):
        return self.speed_m_s

    def position_m(self, times_s):
        angle = self.begins_rad + np.asarray(times_s) * self.speed_m_s / self.radius_m
        return self.radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def travelled_m(self, times_s):
        return np.asarray(times_s) * self.speed_m_s

    def jumps_s(self, since_s, until_s):
        return np.empty(0)


class Circle(cosim.Mobility):
    """Round the middle of the area, from anywhere on the circle."""

    model: Literal["circle"] = "circle"
    radius_m: float = Field(20.0, gt=0)
    speed_m_s: float = Field(1.5, ge=0, le=100)

    def trajectory(self, area, random):
        return Orbit(self.radius_m, self.speed_m_s, 2.0 * math.pi * random.random())


class Log(cosim.Observer):
    """A line a round, in the run's directory."""

    def __init__(self, scenario, directory):
        self.path = directory / "rounds.log"
        self.path.write_text(f"{scenario.name}\\n")

    def closed(self, round_, time_s):
        with self.path.open("a") as log:
            log.write(f"{round_} {time_s!r}\\n")
'''

ENTRY_POINTS = {
    "cosim.path_loss": {"two_ray": "TwoRay"},
    "cosim.fading": {"nakagami": "Nakagami", "blinking": "Blinking"},
    "cosim.mobility": {"circle": "Circle"},
    "cosim.observers": {"log": "Log"},
}

PROFILE = (
    "{peak_flop_s: 1.0e12, utilisation: 0.5, compute_w: 5, idle_w: 0.5, pa_efficiency: 0.4, "
    "transmit_circuit_w: 0.25, receive_w: 0.75}"
)
# Two devices 60 m apart that fine-tune for 2 s; 1 MHz, 9 dB of noise figure, 1 mW.
STILL = f"""\
name: still
seed: 3
rounds: 2
learning: {{model: none, payload_bits: 4000000, flop: 1.0e12}}
method: proposed_single_cluster
devices:
  - count: 2
    profile: {PROFILE}
    mobility: {{model: static, placement: given, positions_m: [[0, 0], [60, 0]]}}
radio:
  {{bandwidth_hz: 1.0e6, p_max_dbm: 0, power: max_power, path_loss: two_ray, fading: nakagami}}
"""
MOVING = f"""\
name: moving
seed: 5
rounds: 2
learning: none
method: {{name: proposed_single_cluster, topology: {{graph: random, degree: 2}}}}
devices:
  - {{count: 3, profile: {PROFILE}, mobility: {{model: circle, radius_m: 30, speed_m_s: 12}}}}
  - {{count: 1, profile: {PROFILE}, mobility: static}}
radio: {{path_loss: two_ray, fading: blinking}}
"""


def install(
    folder: Path,
    *,
    module: str = "my_air",
    source: str = MODULE,
    entry_points: Mapping[str, Mapping[str, str]] = ENTRY_POINTS,
    distribution: str = "my-air",
    version: str = "1.0",
) -> Path:
    """Writes the module and its dist-info into a folder of site-packages; returns the module."""
    folder.mkdir(exist_ok=True)
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {module}:{what}\n" for name, what in names.items())
        for group, names in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    path = folder / f"{module}.py"
    path.write_text(source, encoding="utf-8")
    return path


@contextmanager
def site_packages(folder: Path) -> Iterator[None]:
    """Python finds what is installed in a folder, and forgets afterwards what it imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        forget(folder)
        assert not {name for name in set(sys.modules) - before if name == "my_air"}


def forget(folder: Path) -> None:
    """Has modules of a folder imported anew when they are next asked for."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
            del sys.modules[name]
