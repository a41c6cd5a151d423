"""What a package does not take, packages that cannot be used, and those that fail."""

import re
from pathlib import Path
from typing import Any

import pytest

import cosim as package
from cosim.errors import OutsideError, ScenarioError
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from tests.outside.air_package import MODULE, MOVING, PROFILE, STILL, install

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
        load(written(STILL.replace("two_ray", "paper").replace("nakagami", "none")))
    load(written(STILL.replace("nakagami", "none")))


def test_a_name_that_two_packages_declare_is_refused(site: Path, written: Any) -> None:
    for distribution in ("my-air", "other-air"):
        install(site, distribution=distribution)
    with pytest.raises(ScenarioError, match=r"declared by .*-air 1\.0 and by .*-air 1\.0"):
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


def test_of_two_packages_with_one_name_inside_the_one_that_fails_is_named(
    site: Path, written: Any, tmp_path: Path
) -> None:
    loss = MODULE.replace("class TwoRay", "class Air").replace("k = 2.0 * math.pi", "k = [1][7]")
    install(site, source=loss, entry_points={"cosim.path_loss": {"two_ray": "Air"}})
    install(
        site,
        module="other_air",
        source=MODULE.replace("class Nakagami", "class Air"),
        entry_points={"cosim.fading": {"nakagami": "Air"}},
        distribution="other-air",
    )
    with pytest.raises(OutsideError) as failure:
        play(load(written(STILL)), out=tmp_path / "run")
    told = r"radio\.path_loss: two_ray of my-air 1\.0 failed at .*my_air\.py:\d+: IndexError"
    assert re.match(told, str(failure.value)), failure.value


@pytest.mark.parametrize("radii_m", [(7, 30), (30, 7)])
def test_every_group_with_the_movement_that_fails_is_named(
    site: Path, written: Any, tmp_path: Path, radii_m: tuple[int, int]
) -> None:
    fails = "random.random() / (self.radius_m - 7))"
    install(site, source=MODULE.replace("random.random())", fails))
    first, last = (f"mobility: {{model: circle, radius_m: {radius_m}" for radius_m in radii_m)
    text = MOVING.replace("mobility: {model: circle, radius_m: 30", first)
    text = text.replace("radio:", f"  - {{count: 1, profile: {PROFILE}, {last}}}}}\nradio:")
    with pytest.raises(OutsideError) as failure:
        play(load(written(text)), out=tmp_path / "run")
    told = "devices.0.mobility, devices.2.mobility: circle of my-air 1.0 failed at "
    assert str(failure.value).startswith(told)
    assert "ZeroDivisionError" in str(failure.value)


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
