"""Path losses, fadings and movements that an installed package brings."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import cosim as package
from cosim.cli import app as cli
from cosim.errors import OutsideError, ResumeError, ScenarioError
from cosim.lifecycle import provenance
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.physics.decibel import db_to_ratio
from cosim.randomness import stream
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario
from cosim.simulation.links.link_need import reach_m
from cosim.simulation.links.mean_gain import mean_gain
from cosim.trace.manifest import read_manifest
from tests.outside.air_package import MODULE, forget, install, site_packages

LIGHT_M_S = 299_792_458.0
NOISE_W_HZ = 1.380649e-23 * 290.0
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


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of packages that Python finds; nothing is installed there yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    with site_packages(folder):
        yield folder


@pytest.fixture
def air(site: Path) -> Path:
    """The module of the installed package."""
    return install(site)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def cosim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Calls `cosim` as from a shell in a new directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


def two_ray_gain(distance_m: float, antenna_m: float, carrier_hz: float) -> float:
    """(λ/4π)²·|e^(−iφ)/d − 1/r|², in real numbers."""
    reflected_m = math.sqrt(distance_m**2 + 4.0 * antenna_m**2)
    wavelength_m = LIGHT_M_S / carrier_hz
    phase = 2.0 * math.pi * (reflected_m - distance_m) / wavelength_m
    squares = 1.0 / distance_m**2 + 1.0 / reflected_m**2
    interference = 2.0 * math.cos(phase) / (distance_m * reflected_m)
    return (wavelength_m / (4.0 * math.pi)) ** 2 * (squares - interference)


@pytest.mark.usefixtures("air")
def test_a_transfer_takes_what_two_rays_and_a_gamma_law_give_by_hand(
    written: Any, tmp_path: Path
) -> None:
    run = package.run(written(STILL), out=tmp_path / "run")
    gain = two_ray_gain(60.0, 1.5, 3.5e9)
    for round_ in (1, 2):
        fade = stream(3, "fading", 0, 1, round_).gamma(2.0, 0.5)
        snr = 1.0e-3 * gain * fade / (NOISE_W_HZ * 1.0e6 * 10**0.9)
        rows = run.transfers[run.transfers["round"] == round_]
        assert len(rows) == 2
        took_s = rows["end_s"] - rows["start_s"]
        np.testing.assert_allclose(took_s, 4.0e6 / (1.0e6 * math.log2(1.0 + snr)), rtol=1e-9)
        np.testing.assert_allclose(rows["mean_snr_db"], 10.0 * math.log10(snr), rtol=1e-9)


@pytest.mark.usefixtures("air")
def test_a_fading_that_moves_with_time_is_followed_within_a_transfer(
    written: Any, tmp_path: Path
) -> None:
    """2 in one half second, 0 in the next, between devices at rest: 0.8 s of a constant 2 are 0.5
    on, 0.5 off, 0.3 on."""
    gain = two_ray_gain(60.0, 1.5, 3.5e9)
    rate = 1.0e6 * math.log2(1.0 + 2.0e-3 * gain / (NOISE_W_HZ * 1.0e6 * 10**0.9))
    text = STILL.replace("nakagami", "blinking").replace("4000000", str(round(0.8 * rate)))
    run = package.run(written(text.replace("rounds: 2", "rounds: 1")), out=tmp_path / "run")
    assert set(run.transfers["start_s"]) == {2.0}
    np.testing.assert_allclose(run.transfers["end_s"] - 2.0, 1.3, atol=1e-6)


@pytest.mark.usefixtures("air")
def test_devices_go_round_their_circle(written: Any, tmp_path: Path) -> None:
    run = package.run(written(MOVING), out=tmp_path / "run")
    positions = run.positions
    for device in range(3):
        own = positions[positions["device"] == device]
        begins = 2.0 * math.pi * stream(5, "mobility", device).random()
        angle = begins + own["time_s"] * 12.0 / 30.0
        np.testing.assert_allclose(own["x_m"], 30.0 * np.cos(angle), atol=1e-9)
        np.testing.assert_allclose(own["y_m"], 30.0 * np.sin(angle), atol=1e-9)
    assert len(run.transfers) > 0


@pytest.mark.usefixtures("air")
@pytest.mark.parametrize("text", [STILL, MOVING])
def test_a_run_names_what_it_took_and_its_scenario_plays_again(
    written: Any, tmp_path: Path, air: Path, text: str
) -> None:
    run = package.run(written(text), out=tmp_path / "run")
    again = package.run(tmp_path / "run" / "scenario.yaml", out=tmp_path / "again")
    assert again.manifest["results_sha256"] == run.manifest["results_sha256"]
    chosen = load(tmp_path / "run" / "scenario.yaml")
    assert chosen == load(written(text))
    origin = run.manifest["outside"]["radio.path_loss"]
    assert (origin["distribution"], origin["version"]) == ("my-air", "1.0")
    assert (origin["name"], origin["module"]) == ("two_ray", "my_air")
    assert len(origin["sha256"]) == 64
    if text == MOVING:
        assert set(run.manifest["outside"]) == {
            "radio.path_loss", "radio.fading", "devices.0.mobility",
        }  # fmt: skip


@pytest.mark.usefixtures("air")
def test_a_word_a_mapping_and_an_object_are_the_same(written: Any) -> None:
    chosen = load(written(STILL))
    mapping = load(written(STILL.replace(": two_ray", ": {model: two_ray, antenna_m: 1.5}")))
    assert mapping == chosen
    data = chosen.model_dump()
    data["radio"]["path_loss"] = chosen.radio.path_loss
    assert Scenario.model_validate(data) == chosen
    assert load(written(dump(chosen))) == chosen
    high = load(written(STILL), ["radio.path_loss.antenna_m=3"])
    assert high.radio.path_loss.model_dump()["antenna_m"] == 3.0


@pytest.mark.usefixtures("air")
def test_an_object_that_nobody_could_read_again_is_refused(written: Any) -> None:
    data = load(written(STILL)).model_dump()

    class Mine(type(load(written(STILL)).radio.path_loss)):  # type: ignore[misc]
        """No entry point names it."""

    data["radio"]["path_loss"] = Mine()
    with pytest.raises(ValueError, match=r"Mine is no entry point of cosim\.path_loss"):
        Scenario.model_validate(data)


def reference_reach_m(radio: Any, attenuation: float) -> float:
    """The last of very many distances that has as little."""
    distances = np.geomspace(1.0, 1e5, 400_000)
    gains = mean_gain(distances, radio.path_loss, radio.carrier_hz)
    return float(distances[np.flatnonzero(gains * attenuation >= 1.0)[-1]])


@pytest.mark.usefixtures("air")
def test_no_link_lies_beyond_the_reach_of_a_loss_that_rises_and_falls(written: Any) -> None:
    radio = load(written(STILL)).radio
    losses_db = np.array([75.0, 80.0, 84.0, 90.0, 120.0])
    for loss_db, reach in zip(losses_db, reach_m(radio, db_to_ratio(losses_db)), strict=True):
        last = reference_reach_m(radio, float(db_to_ratio(loss_db)))
        assert last < reach < 1.02 * last


SETTINGS = [
    ("path_loss: two_rai", "'two_rai' is not one of log_distance, paper, d2d_outdoor, two_ray; "
     "did you mean 'two_ray'?"),
    ("path_loss: {model: papr}", "did you mean 'paper'?"),
    ("path_loss: {model: two_ray, antenna_m: -1}",
     "radio.path_loss.antenna_m: expected a number > 0 and ≤ 100, got -1"),
    ("path_loss: {model: two_ray, antena_m: 1}",
     "radio.path_loss.antena_m: unknown key; did you mean 'antenna_m'?"),
    ("fading: nakagamy", "did you mean 'nakagami'?"),
    ("fading: {model: nakagami, m: [1]}", "radio.fading.m: expected a number ≥ 0.5"),
]  # fmt: skip


@pytest.mark.usefixtures("air")
@pytest.mark.parametrize(("words", "told"), SETTINGS)
def test_what_a_package_does_not_take_is_told_like_a_key_of_cosims_own(
    written: Any, words: str, told: str
) -> None:
    path = written(STILL.replace("path_loss: two_ray, fading: nakagami", words))
    with pytest.raises(ScenarioError) as refusal:
        load(path)
    assert told in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}:")


HEAD = "from typing import Literal\nimport cosim\n"
LOSS = (
    "class TwoRay(cosim.PathLoss):\n"
    '    model: Literal["two_ray"] = "two_ray"\n'
    "    def loss_db(self, distance_m, carrier_hz, sees):\n"
)
BROKEN = {
    "import nothing_of_this_name\n": r"cannot be imported at .*my_air\.py:1: ModuleNotFoundError",
    "def f(:\n": r"cannot be imported at .*my_air\.py:1: SyntaxError",
    "raise SystemExit(3)\n": r"cannot be imported at .*my_air\.py:1: SystemExit",
    "": r"cannot be imported: AttributeError: .*TwoRay",
    "class TwoRay: pass\n": r"is no subclass of cosim\.PathLoss",
    f"{HEAD}class TwoRay(cosim.Fading): pass\n": r"is no subclass of cosim\.PathLoss",
    f'{HEAD}class TwoRay(cosim.PathLoss):\n    model: Literal["two_ray"] = "two_ray"\n': "lacks "
    "loss_db",
    f"{HEAD}{LOSS}        return 1\n".replace('"two_ray"', '"tworay"'): 'model: Literal."two_ray".',
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_package_that_cannot_be_used_is_one_sentence(
    cosim: Any, site: Path, written: Any, source: str
) -> None:
    install(site, source=source, entry_points={"cosim.path_loss": {"two_ray": "TwoRay"}})
    ended = cosim("check", written(STILL.replace("nakagami", "none")))
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "two_ray of my-air 1.0 (entry point cosim.path_loss, my_air:TwoRay) " in line
    assert pytest.raises(ValueError, match=BROKEN[source]).matches(ValueError(line)), line
    assert "s.yaml:" in line


def test_a_name_of_cosims_own_is_refused(site: Path, written: Any) -> None:
    install(site, entry_points={"cosim.path_loss": {"paper": "TwoRay", "two_ray": "TwoRay"}})
    with pytest.raises(ScenarioError, match=r"paper of my-air 1\.0 .* a name that is cosim's own"):
        load(written(STILL))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return [1][7]", r"failed at .*my_air\.py:6: IndexError"),
        ("return distance_m[..., None]", r"answers .* with losses of the shape"),
        ("return 0 * distance_m - 3", r"has a loss of -3 dB at 1 m; expected a finite one"),
        ("return distance_m * float('nan')", r"has a loss of nan dB"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_path_loss_that_fails_is_one_sentence(
    cosim: Any, site: Path, written: Any, command: str, body: str, told: str
) -> None:
    source = f"{HEAD}{LOSS}        {body}\n"
    install(site, source=source, entry_points={"cosim.path_loss": {"two_ray": "TwoRay"}})
    ended = cosim(command, written(STILL.replace("nakagami", "none")))
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "radio.path_loss: two_ray of my-air 1.0 " in line
    assert pytest.raises(ValueError, match=told).matches(ValueError(line)), line
    assert not Path("runs").exists() or not any(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("gain = float(", "gain = -float(", "has a power gain of -"),
        ("times_s, travelled_m: gain", "times_s, travelled_m: [1.0] * 7", "with the shape (7,)"),
        ("times_s, travelled_m: gain", "times_s, travelled_m: 1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_fading_that_fails_amid_a_run_leaves_its_files(
    site: Path, written: Any, tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in MODULE
    install(site, source=MODULE.replace(old, new))
    with pytest.raises(OutsideError) as failure:
        play(load(written(STILL)), out=tmp_path / "run")
    assert str(failure.value).startswith("radio.fading: nakagami of my-air 1.0 ")
    assert told in str(failure.value)
    run = package.read_run(tmp_path / "run")
    assert run.manifest["status"] == "failed"
    assert set(run.events["kind"]) >= {"plan", "compute_end"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def jumps_s", "def leaps_s", "lacks jumps_s"),
        ("return self.speed_m_s\n", "return self.speed_m_s / 2\n", "is faster than its own speed"),
        ("axis=-1", "axis=0", "answers position_m at 4 times with the shape (2, 4)"),
        ("* self.speed_m_s\n\n    def jumps", "* -1.0\n\n    def jumps", "travels backwards"),
        ("* self.speed_m_s\n\n    def jumps", "* 0.1\n\n    def jumps", "further than it has"),
        ("self.radius_m * np.stack", "np.random.random() * np.stack", "asked for the same times"),
        ("random.random())", "random.blue())", "failed at"),
    ],
)
def test_a_path_that_contradicts_itself_is_refused(
    site: Path, written: Any, tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in MODULE
    install(site, source=MODULE.replace(old, new))
    with pytest.raises(OutsideError) as failure:
        play(load(written(MOVING)), out=tmp_path / "run")
    assert str(failure.value).startswith("devices.0.mobility: circle of my-air 1.0 ")
    assert told in str(failure.value)
    assert not (tmp_path / "run").exists()


def test_verify_refuses_another_source(cosim: Any, air: Path, written: Any) -> None:
    assert cosim("run", written(MOVING), "--out", "run").code == 0
    ended = cosim("verify", "run")
    assert (ended.code, ended.err) == (0, "")
    assert "outside    ok: radio.path_loss by my-air" in ended.out
    air.write_text(MODULE + "# touched\n", encoding="utf-8")
    forget(air.parent)
    ended = cosim("verify", "run")
    assert ended.code == 1
    wrong = [line for line in ended.out.splitlines() if "WRONG" in line]
    assert len(wrong) == 3
    assert wrong[0].startswith("outside    WRONG: manifest.json: outside, radio.path_loss, sha256")


@pytest.mark.slow
def test_a_sweep_plays_it_in_processes_of_its_own(cosim: Any, air: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(MOVING, encoding="utf-8")
    (tmp_path / "air.yaml").write_text(
        "scenario: s.yaml\nseeds: [1, 2]\ngrid: {radio.path_loss: [two_ray, paper]}\n",
        encoding="utf-8",
    )
    ended = cosim("sweep", "air.yaml", "--jobs", "2")
    assert ended.code == 0, ended.err
    runs = pd.read_parquet("runs/air/runs.parquet")
    assert runs["status"].tolist() == ["completed"] * 4
    manifests = {path: path.read_bytes() for path in Path("runs/air").glob("*/manifest.json")}
    assert len(manifests) == 4
    assert cosim("sweep", "air.yaml").code == 0
    assert {path: path.read_bytes() for path in manifests} == manifests


LEARNING = """\
seed: 5
rounds: 3
method: lora
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks: {{sums: {{dataset: chain_sum, samples: 20}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 2, mobility: circle}}]
radio: {{path_loss: two_ray, fading: nakagami}}
"""


class Stop(package.Observer):
    """Ctrl-C after the second round."""

    def closed(self, round_: int, time_s: float) -> None:
        if round_ == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_that_learns_goes_on_by_the_same_source_alone(
    tiny_llama: Path, air: Path, written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "code", lambda: {"learning": "a digest"})
    chosen = load(written(LEARNING.format(model=tiny_llama)))
    whole = play(chosen, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        play(chosen, out=tmp_path / "cut", observers=[Stop()], spacing=0)
    air.write_text(MODULE + "# touched\n", encoding="utf-8")
    forget(air.parent)
    with pytest.raises(ResumeError, match=r"the code of my_air has changed\.$"):
        resume(tmp_path / "cut")
    air.write_text(MODULE, encoding="utf-8")
    forget(air.parent)
    resume(tmp_path / "cut")
    manifest = read_manifest(tmp_path / "cut")
    assert manifest["results_sha256"] == whole.manifest["results_sha256"]
    assert manifest["resumed"] == 1
