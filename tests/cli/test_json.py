"""What is said of a scenario for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim.methods import METHODS


def test_check_for_programs(cosim: Any, scenario_file: Path) -> None:
    ended = cosim("check", scenario_file, "--json", "--set", "radio.bandwidth_hz=1.0e6")
    assert (ended.code, ended.err) == (0, "")
    content = json.loads(ended.out)
    facts = content["facts"]
    assert (facts["payload"]["first_bit"], facts["payload"]["words"]) == (
        8_000_000,
        "8 Mbit first, 8 Mbit later, to each receiver, at most",
    )
    assert facts["receivers"]["share_hz"] == 0.5e6
    # 1 TFLOP on 2.77 TFLOP/s at 30 %.
    assert facts["fine-tuning"]["most_s"] == pytest.approx(1e12 / (0.3 * 2.77e12))
    assert content["warnings"] == [f"Q·n/(W·Γ): {facts['Q·n/(W·Γ)']['warning']}"]
    assert "wall time" not in facts


def test_check_plays_the_first_rounds_of_a_network(
    cosim: Any, scenario_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(Path().iterdir())
    # At the start, for an observer, as the first event is due, and at the end.
    clock = iter([1.0, 1.0, 4.0, 10.0])
    monkeypatch.setattr("cosim.cli.network_forecast.process_time", lambda: next(clock))
    ended = cosim("check", scenario_file, "--timed", "--json", "--set", "rounds=99")
    assert ended.code == 0
    wall = json.loads(ended.out)["facts"]["wall time"]
    assert wall["total_s"] == 3.0 + 6.0 * 99 / 3
    assert wall["words"].startswith("about 3:21 min on this machine left alone, by 3 rounds played")
    assert sorted(Path().iterdir()) == before
    clock = iter([0.0, 0.0, 0.2, 0.25])
    ended = cosim("check", scenario_file, "--timed", "--json", "--set", "rounds=1")
    words = json.loads(ended.out)["facts"]["wall time"]["words"]
    assert words == "less than a second on this machine left alone, by 1 round played now"


@pytest.mark.parametrize("command", ["check", "schema"])
def test_no_letter_is_lost_where_the_output_lacks_it(command: str, scenario_file: Path) -> None:
    words = ["check", str(scenario_file), "--json"] if command == "check" else ["schema"]
    said = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "cosim", *words],
                env={**os.environ, "PYTHONIOENCODING": encoding},
                capture_output=True,
                check=True,
            ).stdout.decode(encoding)
        )
        for encoding in ("utf-8", "cp1252")
    ]
    for content in said:
        content.get("facts", {}).pop("disk", None)  # others may write to it in between
    assert said[0] == said[1]


def test_a_method_for_programs(cosim: Any) -> None:
    methods = json.loads(cosim("methods", "--json").out)
    alone = json.loads(cosim("methods", "tad_lora", "--json").out)
    assert alone in methods
    assert alone["parts"] == METHODS["tad_lora"].model_dump(
        mode="json", exclude={"name", "reference"}
    )


def test_verify_for_programs(cosim: Any, scenario_file: Path) -> None:
    directory = cosim("run", scenario_file, "--quiet").out.strip()
    whole = cosim("verify", directory, "--json")
    checks = json.loads(whole.out)["checks"]
    assert whole.code == 0
    assert len(checks) == 13
    assert not any(check["findings"] for check in checks)
    with (Path(directory) / "rounds.parquet").open("ab") as file:
        file.write(b"x")
    broken = cosim("verify", directory, "--json")
    assert broken.code == 1
    assert any(check["findings"] for check in json.loads(broken.out)["checks"])
