"""`cosim run`: a complete run directory, plain lines, nothing overwritten."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.cli.summary import next_commands
from cosim.scenario.load import load
from cosim.simulation.null_learner import NullLearner
from cosim.trace.reader import read_run
from cosim.trace.schema import SCHEMAS

# What the run directory of the design page promises.
MANIFEST_KEYS = {
    *("cosim", "python", "packages", "seed", "dtype", "threads", "base_model_sha256", "status"),
    *("wall_s", "learner_wall_s", "setup_wall_s", "results_sha256"),
}


def test_a_run_leaves_a_complete_directory(cosim: Any, scenario_file: Path, tmp_path: Path) -> None:
    ended = cosim("run", scenario_file)
    assert (ended.code, ended.err) == (0, "")
    directory = tmp_path / "runs" / "small-001"
    expected = ["manifest.json", "scenario.yaml", *(f"{table}.parquet" for table in SCHEMAS)]
    assert sorted(path.name for path in directory.iterdir()) == sorted(expected)
    assert load(directory / "scenario.yaml") == load(scenario_file)
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest) >= MANIFEST_KEYS
    assert (manifest["status"], manifest["seed"]) == ("completed", 7)
    rows = {name: len(pd.read_parquet(directory / f"{name}.parquet")) for name in SCHEMAS}
    assert {name: rows[name] for name in ("transfers", "rounds", "topology")} == {
        "transfers": 18,
        "rounds": 9,
        "topology": 9,
    }


def test_lines_for_a_pipe_are_plain_and_one_a_round(cosim: Any, scenario_file: Path) -> None:
    ended = cosim("run", scenario_file)
    assert "\x1b" not in ended.out
    assert "\r" not in ended.out
    rounds = [line for line in ended.out.splitlines() if line.startswith("round ")]
    assert [line.split("  ")[0] for line in rounds] == ["round 1/3", "round 2/3", "round 3/3"]
    run = read_run("runs/small-001")
    missed = (run.transfers["outcome"] != "delivered").sum()
    assert f"simulated {run.rounds['end_s'].max():.2f} s" in rounds[-1]
    assert rounds[-1].endswith(f"missed so far {missed} of 18")
    energy = run.rounds.filter(like="energy_").to_numpy().sum()
    assert f"energy so far {energy:.1f} J" in rounds[-1]
    assert ended.out.splitlines()[-3:] == [
        "traces: runs/small-001",
        "next: cosim report runs/small-001",
        "  or: cosim plot runs/small-001 rounds",
    ]


def test_a_device_that_has_learnt_may_be_asked(cosim: Any, scenario_file: Path) -> None:
    cosim("run", scenario_file)
    run = read_run("runs/small-001")
    ask = "cosim ask runs/small-001 --device 0 TEXT"
    assert ask not in next_commands(run, scored=True), "it has kept no adapters"
    Path("runs/small-001/adapters").mkdir(exist_ok=True)
    assert next_commands(run, scored=True)[1:] == ["cosim plot runs/small-001 accuracy", ask]
    assert ask not in next_commands(run, scored=False)


def test_runs_are_numbered_and_never_overwritten(cosim: Any, scenario_file: Path) -> None:
    for _ in range(2):
        assert cosim("run", scenario_file).code == 0
    before = Path("runs/small-001/manifest.json").read_bytes()
    assert cosim("run", scenario_file).out.splitlines()[-3] == "traces: runs/small-003"
    assert Path("runs/small-001/manifest.json").read_bytes() == before


def test_out_is_used_as_named_but_not_if_it_holds_something(
    cosim: Any, scenario_file: Path
) -> None:
    assert cosim("run", scenario_file, "--out", "here/it/is").code == 0
    contents = {path: path.read_bytes() for path in Path("here/it/is").iterdir()}
    ended = cosim("run", scenario_file, "--out", "here/it/is")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("cosim: here/it/is already holds")
    assert {path: path.read_bytes() for path in Path("here/it/is").iterdir()} == contents


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "a[b]c", "in/a:smile:b", "x" * 120, "mit Leer"])
def test_quiet_prints_the_directory_alone_as_it_is(
    cosim: Any, scenario_file: Path, name: str
) -> None:
    ended = cosim("run", scenario_file, "--quiet", "--out", name)
    assert (ended.code, ended.out, ended.err) == (0, f"{name}\n", "")
    assert Path(name).is_dir()
    loud = cosim("run", scenario_file, "--out", f"{name}2")
    assert loud.out.splitlines()[-3] == f"traces: {name}2"


def test_set_and_seed_reach_the_run(cosim: Any, scenario_file: Path) -> None:
    given = ("--set", "rounds=1", "--set", "devices.0.count=2", "--set", "seed=5", "--seed", 99)
    assert cosim("run", scenario_file, "--out", "out", *given).code == 0
    run = read_run("out")
    assert run.manifest["seed"] == 99
    assert (len(run.rounds), len(run.transfers)) == (2, 2)
    saved = load(Path("out/scenario.yaml"))
    assert (saved.seed, saved.rounds, saved.device_count) == (99, 1, 2)
    # The saved scenario is the run: it gives the same results again.
    assert cosim("run", "out/scenario.yaml", "--out", "again").code == 0
    assert read_run("again").manifest["results_sha256"] == run.manifest["results_sha256"]


def test_a_seed_changes_the_results(cosim: Any, scenario_file: Path) -> None:
    hashes = set()
    for seed in (1, 2):
        cosim("run", scenario_file, "--seed", seed, "--out", f"seed-{seed}")
        hashes.add(read_run(f"seed-{seed}").manifest["results_sha256"])
    assert len(hashes) == 2


def test_a_starved_device_is_named(cosim: Any, scenario_file: Path) -> None:
    """Without any power nobody ever receives: the summary says it in words."""
    narrow = ("--set", "radio.bandwidth_hz=100")
    assert "transfers late" in cosim("run", scenario_file, *narrow).out
    dropped = ("--set", "radio.power={policy: lemma1, fallback: drop_weakest}")
    ended = cosim("run", scenario_file, *narrow, *dropped)
    assert "never received an update: devices 0, 1, 2" in ended.out
    assert "transfers outage" in ended.out


def test_a_crash_is_no_message_for_users(
    cosim: Any, scenario_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug shows its traceback, and the traces until then are kept."""

    def broken(self: NullLearner, *hearing: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(NullLearner, "mix", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        cosim("run", scenario_file, "--out", "out")
    run = read_run("out")
    assert run.manifest["status"] == "failed"
    assert (run.events["round"] == 1).all()
    assert len(run.events) > 0


def test_what_takes_a_while_is_told_before_it_is_begun(tmp_path: Path, scenario_file: Path) -> None:
    """To import torch takes seconds: the first line comes before."""
    text = scenario_file.read_text(encoding="utf-8").replace("learning: none\n", "")
    text += 'base_model: {source: "path:nowhere"}\ntasks: {sums: {dataset: chain_sum}}\n'
    scenario_file.write_text(text, encoding="utf-8")
    watched = (
        "import io, sys\n"
        "class Look(io.TextIOWrapper):\n"
        "    def write(self, text):\n"
        "        print('torch' in sys.modules, file=sys.stderr, flush=True)\n"
        "        return super().write(text)\n"
        "sys.stdout = Look(sys.stdout.buffer, write_through=True)\n"
        "from cosim.cli.app import main\n"
        "sys.argv = ['cosim', 'run', sys.argv[1]]\n"
        "main()\n"
    )
    command = [sys.executable, "-c", watched, str(scenario_file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        first, imported = run.stdout.readline(), run.stderr.readline()
        run.kill()
    assert first.decode() == f"loading path:{tmp_path / 'nowhere'}\n"
    assert imported == b"False\n"
