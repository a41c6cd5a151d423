"""What a device group may say of its devices: profiles by name, file, mix and mapping; time."""

from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.catalogue import catalogue, named_profile
from cosim.scenario.devices import ProfileMix
from cosim.scenario.load import dump, load
from cosim.scenario.profile import FlopTime, PaperTime, Profile

KNOWN = ", ".join(catalogue())
FIGURES = (
    "peak_flop_s: 2.0e+12\nutilisation: 0.5\ncompute_w: 5\nidle_w: 1\npa_efficiency: 0.3\n"
    "transmit_circuit_w: 0.5\nreceive_w: 0.5\n"
)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def group(words: str, file: str = "a.yaml") -> Path:
    """A scenario whose only group says these words."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"rounds: 1\nlearning: none\nmethod: local\ndevices:\n- {{count: 2, {words}}}\n",
        encoding="utf-8",
    )
    return path


def refusal(words: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        load(group(words))
    return str(refused.value)


def test_the_catalogue_has_every_kind_of_device_and_says_where_its_figures_are_from() -> None:
    assert {
        "flagship_phone",
        "midrange_phone",
        "jetson_orin_nano",
        "raspberry_pi_5",
        "laptop",
    } <= set(catalogue())
    for profile in catalogue().values():
        assert profile.source != Profile.model_fields["source"].default
        assert profile.idle_w < profile.compute_w
        assert profile.compute == FlopTime()


def test_the_laptop_is_units_times_clock() -> None:
    laptop = catalogue()["laptop"]
    assert laptop.peak_flop_s == pytest.approx(8 * 16 * 8 * 2 * 2.25e9, rel=2e-3)
    assert laptop.battery_j == pytest.approx(61 * 3600, rel=2e-3)


def test_a_profile_in_a_file_starts_where_it_was_written(tmp_path: Path) -> None:
    path = group("profile: 'path:mine/a.yaml'", "deep/a.yaml")
    assert load(path).devices[0].profile == f"path:{tmp_path}/deep/mine/a.yaml"
    assert load(path, ["devices.0.profile=path:b.yaml"]).devices[0].profile == (
        f"path:{tmp_path}/b.yaml"
    )
    for elsewhere in ("path:/p/a.yaml", "path:~/a.yaml"):
        assert load(path, [f"devices.0.profile={elsewhere}"]).devices[0].profile == elsewhere


def test_files_in_a_mix_start_where_they_were_written(tmp_path: Path) -> None:
    path = group("profile: {mix: {laptop: 1, 'path:a.yaml': 2}}", "deep/a.yaml")
    mix = load(path).devices[0].profile
    assert mix == ProfileMix(mix={"laptop": 1, f"path:{tmp_path}/deep/a.yaml": 2})
    mix = load(path, ["devices.0.profile={mix: {'path:a.yaml': 2}}"]).devices[0].profile
    assert mix == ProfileMix(mix={f"path:{tmp_path}/a.yaml": 2})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "profile: lapto",
            f"devices.0.profile: 'lapto' is not a profile; did you mean 'laptop'? (one of {KNOWN})",
        ),
        (
            "profile: mine.yaml",
            "devices.0.profile: 'mine.yaml' is not a profile; a file is named path:mine.yaml "
            f"(one of {KNOWN})",
        ),
        ("profile: 'path:'", f"devices.0.profile: 'path:' is not a profile (one of {KNOWN})"),
        (
            "profile: {mix: {laptop: 1, raspbery_pi_5: 2}}",
            "devices.0.profile.mix: 'raspbery_pi_5' is not a profile; did you mean "
            f"'raspberry_pi_5'? (one of {KNOWN})",
        ),
        (
            "profile: {mix: {laptop: 0}}",
            "devices.0.profile.mix.laptop: expected a number > 0 and ≤ 100000, got 0",
        ),
        ("profile: {mix: {}}", "devices.0.profile.mix: expected a mapping of at least 1"),
        (
            "profile: {mix: {laptop: 1}, share: 2}",
            "devices.0.profile.share: unknown key (expected one of: mix)",
        ),
        ("profile: 3", "devices.0.profile: expected text, got 3"),
        ("profile: {peak_flop: 3}", "devices.0.profile: the key 'utilisation' is missing"),
        (
            "compute: papr",
            "devices.0.compute.model: 'papr' is not one of flop, paper; did you mean 'paper'?",
        ),
        ("compute: paper", "devices.0.compute: the key 'epsilon_s' is missing"),
        (
            "compute: {model: paper, epsilon_s: 0}",
            "devices.0.compute.epsilon_s: expected a number > 0 and ≤ 1000, got 0",
        ),
        ("speed_sigma: -1", "devices.0.speed_sigma: expected a number ≥ 0 and ≤ 2, got -1"),
    ],
)
def test_a_mistake_is_named_where_it_is(words: str, said: str) -> None:
    assert f"a.yaml:5: {said}" in refusal(words)


def test_a_model_of_time_has_a_short_form() -> None:
    assert load(group("compute: flop")).devices[0].compute == FlopTime()
    paper = load(group("compute: {model: paper, epsilon_s: 1.0e-9}")).devices[0].compute
    assert paper == PaperTime(epsilon_s=1e-9)
    assert load(group("tasks: round_robin")).devices[0].compute is None


@pytest.mark.parametrize(
    "words",
    [
        "profile: {mix: {laptop: 1, flagship_phone: 0.5}}",
        "profile: 'path:/p/a.yaml'",
        "compute: {model: paper, epsilon_s: 1.0e-9}, speed_sigma: 0.3",
        f"profile: {{{FIGURES.strip().replace(chr(10), ', ')}, compute: "
        "{model: flop, pass_overhead_s: 0.1, value_update_s: 1.0e-8}, speed: 0.5}",
    ],
)
def test_the_dump_loads_to_an_equal_scenario(words: str) -> None:
    scenario = load(group(words))
    Path("dumped.yaml").write_text(dump(scenario), encoding="utf-8")
    assert load(Path("dumped.yaml")) == scenario.model_copy(update={"name": scenario.name})


def test_a_profile_is_read_from_its_file() -> None:
    Path("mine.yaml").write_text(FIGURES + "compute: flop\n", encoding="utf-8")
    profile = named_profile("path:mine.yaml")
    assert (profile.peak_flop_s, profile.utilisation, profile.battery_j) == (2e12, 0.5, None)
    assert named_profile("laptop") == catalogue()["laptop"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "mine.yaml: no such file"),
        (FIGURES + "speedd: 1\n", "mine.yaml:8: speedd: unknown key; did you mean 'speed'?"),
        (FIGURES.replace("2.0e+12", "fast"), "mine.yaml:1: peak_flop_s: expected a number"),
        ("laptop: {}\n", "mine.yaml: the key 'peak_flop_s' is missing"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_by_its_line(text: str | None, said: str) -> None:
    if text is not None:
        Path("mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        named_profile("path:mine.yaml")
    assert str(refused.value).startswith(said)
