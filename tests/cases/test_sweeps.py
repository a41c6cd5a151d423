"""What every run of a sweep would fail of is told once, before anything is made."""

import errno
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import app as cli
from cosim.cli.sweep import merged_lines
from cosim.errors import ScenarioError, SweepError
from cosim.learning import prepare
from cosim.preflight.startable import Preflight
from cosim.scenario.load import load
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.run import plan_of, play_sweep, unstartable
from cosim.sweeping.watch import Watch

LEARNING = """\
rounds: 1
method: local
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2}}
tasks: {{sums: {{{task}}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 2, mobility: {{model: static}}}}]
"""
SWEEP = "scenario: learns.yaml\nseeds: [1, 2, 3]\ngrid: {method: [local, lora]}\n"


@pytest.fixture
def sweep_file(tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six runs, whose task's file is not there."""
    monkeypatch.chdir(tmp_path)
    text = LEARNING.format(model=tiny_llama, task='source: "jsonl:none.jsonl", test: none.jsonl')
    Path("learns.yaml").write_text(text, encoding="utf-8")
    Path("s.yaml").write_text(SWEEP, encoding="utf-8")
    return tmp_path / "s.yaml"


def called(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_a_sweep_none_of_whose_runs_can_start_makes_nothing(
    sweep_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: list[str],
) -> None:
    assert called(monkeypatch, "sweep", sweep_file, *option) == 2
    err = capsys.readouterr().err
    assert err.count("none.jsonl") <= 2 * (1 + len(option))
    assert "nothing of this sweep can start\n6 runs: " in err
    assert not Path("runs").exists()


def test_what_runs_share_is_looked_at_once(
    sweep_file: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LEARNING.format(model=tiny_llama, task="dataset: chain_sum, samples: 20")
    Path("learns.yaml").write_text(text, encoding="utf-8")
    calls: list[str] = []
    inner = prepare.read_tasks

    def counted(*arguments: Any) -> Any:
        calls.append("tasks")
        return inner(*arguments)

    monkeypatch.setattr(prepare, "read_tasks", counted)
    sweep = read_sweep(sweep_file)
    assert unstartable(plan_of(sweep, Path("s")), Path("s")) == {}
    assert calls == ["tasks"]
    monkeypatch.setattr("cosim.learning.costs.memory.available_bytes", lambda: 0.0)
    told = unstartable(plan_of(sweep, Path("s")), Path("s"))
    assert len(told) == 6
    assert all("GiB of memory" in reason for reason in told.values())
    assert not Path("s").exists()


def test_disk_is_looked_at_before_anything_is_made(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.preflight.disk.free_bytes", lambda directory: 0.0)
    file = network.with_name("s.yaml")
    file.write_text("scenario: net.yaml\nseeds: [1, 2]\n", encoding="utf-8")
    with pytest.raises(SweepError, match=r"nothing of this sweep can start\n2 runs: .*are free"):
        play_sweep(read_sweep(file), tmp_path / "s", 1, Watch())
    assert not (tmp_path / "s").exists()
    with pytest.raises(Exception, match="are free there"):
        Preflight(tmp_path).refuse_unstartable(load(network))


def test_many_failures_alike_are_one_line() -> None:
    runs = [(f"run-{n}", "no file") for n in range(33)] + [("odd", "a file")]
    assert merged_lines(runs, "failed") == [
        "33 runs failed alike: no file (run-0, …, run-32)",
        "odd: a file",
    ]


def test_a_sweep_and_a_scenario_are_told_apart(network: Path) -> None:
    file = network.with_name("s.yaml")
    file.write_text("scenario: net.yaml\nseeds: [1]\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml: is a sweep .*: cosim sweep .*s\.yaml$"):
        load(file)
    with pytest.raises(ScenarioError, match=r"net\.yaml: is a scenario .*: cosim run .*net\.yaml"):
        read_sweep(network)


def test_a_full_disk_is_told_with_the_command_that_goes_on(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("grid.yaml").write_text(f"scenario: {network}\nseeds: [1]\n", encoding="utf-8")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cosim.sweeping.run.write_index", full)
    assert called(monkeypatch, "sweep", "grid.yaml", "--out", "there") == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "there: no room is left to write to" in err
    assert "go on with: the same command" in err
