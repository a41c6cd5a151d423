"""`cosim profile`: a machine measured, a file written, a scenario that names it."""

import json
from pathlib import Path
from typing import Any

import pytest

from cosim.profiling.bench import Exercise
from cosim.scenario.catalogue import catalogue, named_profile
from cosim.scenario.profile import FlopTime


@pytest.fixture
def learning_file(tmp_path: Path, tiny_llama: Path) -> Path:
    """A scenario that learns additions with a tiny model."""
    path = tmp_path / "sums.yaml"
    path.write_text(
        f"""\
rounds: 1
method: local
base_model: {{source: "path:{tiny_llama}", dtype: float32}}
adapter: {{rank: 2}}
tasks: {{sums: {{dataset: chain_sum, samples: 20}}}}
training: {{batch_size: 2}}
devices: [{{count: 1}}]
evaluation: {{samples: 4}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 1 GFLOP/s and 10 ms a pass."""

    def seconds_of(exercise: Exercise) -> float:
        return exercise.work.flop / 1e9 + 0.01 * exercise.work.passes

    monkeypatch.setattr("cosim.profiling.measure.seconds_of", seconds_of)


@pytest.mark.usefixtures("steady")
def test_a_machine_is_measured_and_then_named(cosim: Any, learning_file: Path) -> None:
    ended = cosim("profile", learning_file, "--out", "mine.yaml", "--compute-w", "42")
    assert ended.code == 0
    for said in ("sums: durations on this machine", "dense", "chosen", "written: mine.yaml"):
        assert said in ended.out
    assert "compute_w given, all other watts, radio and battery are not measured" in ended.out
    assert "timing 12 jobs" in ended.err
    profile = named_profile("path:mine.yaml")
    assert profile.peak_flop_s == pytest.approx(1e9, rel=0.02)
    assert isinstance(profile.compute, FlopTime)
    assert profile.compute.pass_overhead_s == pytest.approx(0.01, rel=0.02)
    assert (profile.compute_w, profile.idle_w) == (42.0, catalogue()["laptop"].idle_w)

    ended = cosim("check", learning_file, "--set", "devices.0.profile=path:mine.yaml")
    assert ended.code == 0
    assert "fine-tuning" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "learning=none"], "learning: 'none' trains nothing"),
        (["--power-of", "laptob"], "--power-of: 'laptob' is not a profile; did you mean 'laptop'?"),
        (["--power-of", "path:no.yaml"], "no.yaml: no such file"),
        (["--out", "sums.yaml"], "sums.yaml: exists already; name another file with --out"),
        (["--out", "no/mine.yaml"], "no/mine.yaml: the directory does not exist"),
    ],
)
def test_what_cannot_be_done_is_told_at_once(
    cosim: Any, learning_file: Path, arguments: list[str], said: str
) -> None:
    ended = cosim("profile", learning_file, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert not Path("profile.yaml").exists()


def test_a_profile_that_is_no_longer_there_is_blamed_on_its_line(
    cosim: Any, scenario_file: Path
) -> None:
    text = scenario_file.read_text(encoding="utf-8")
    scenario_file.write_text(text.replace("flagship_phone", "path:mine.yaml"), encoding="utf-8")
    for command in ("run", "check"):
        ended = cosim(command, scenario_file)
        assert ended.code == 2
        assert "small.yaml:7: devices.0.profile: " in ended.err
        assert "mine.yaml: no such file" in ended.err


def test_check_times_the_run_where_no_profile_tells(cosim: Any, learning_file: Path) -> None:
    facts = json.loads(cosim("check", learning_file, "--json").out)["facts"]
    wall = facts["wall time"]
    assert "timed now" in wall["words"]
    assert wall["training_s"] > 0
    assert wall["evaluation_s"] > 0


def test_check_times_nothing_where_it_is_told_not_to(cosim: Any, learning_file: Path) -> None:
    facts = json.loads(cosim("check", learning_file, "--json", "--no-timed").out)["facts"]
    assert "--timed measures it" in facts["wall time"]["words"]


def test_check_fetches_no_weights_unasked(
    cosim: Any, learning_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.learning.base.base_model.on_this_machine", lambda source: False)
    facts = json.loads(cosim("check", learning_file, "--json").out)["facts"]
    assert "fetches the model" in facts["wall time"]["words"]
