"""Whatever a user gets wrong ends with code 2 and one message that says where it is."""

from pathlib import Path
from typing import Any

import pytest

LEARNING = """\
rounds: 1
method: lora
tasks:
  sums: {dataset: chain_sum}
devices:
  - {count: 2, tasks: summs}
"""


def refused(ended: Any, *said: str) -> None:
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    message = ended.err.strip()
    assert message.startswith("cosim: ")
    assert message.count("cosim: ") == 1
    for words in said:
        assert words in message


# line of the edit, what is put there, and what the message must say besides the file's name
EDITS = {
    "unknown key": (2, "roundz: 3", "small.yaml:2", "roundz", "did you mean 'rounds'?"),
    "misspelt method": (4, "method: proposed_singel_cluster", ":4", "proposed_single_cluster"),
    "out of range": (2, "rounds: 0", ":2", "rounds", "0"),
    "wrong type": (2, "rounds: many", ":2", "rounds", "many"),
    "misspelt profile": (7, "    profile: flagship_fone", ":7", "profile", "flagship_phone"),
    "unknown section key": (10, "  bandwith_hz: 2.0e7", ":10", "bandwidth_hz"),
    "bad discriminator": (11, "  fading: {model: blok}", ":11", "radio.fading.model", "block"),
    "yaml syntax": (8, "    mobility: {model: static", "small.yaml", "line"),
    "tab": (7, "\tprofile: flagship_phone", ":7", "tab"),
}


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_scenario_that_cannot_be_used(
    cosim: Any, scenario_file: Path, command: str, edit: tuple[Any, ...]
) -> None:
    number, text, *said = edit
    lines = scenario_file.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = text
    scenario_file.write_text("\n".join(lines), encoding="utf-8")
    refused(cosim(command, scenario_file), "small.yaml", *said)
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_task_that_there_is_not(cosim: Any, tmp_path: Path, command: str) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(LEARNING, encoding="utf-8")
    refused(cosim(command, path), "tasks.yaml:6", "devices.0.tasks", "summs", "sums")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_file_that_there_is_not(cosim: Any, scenario_file: Path, command: str) -> None:
    refused(cosim(command, "smal.yaml"), "smal.yaml")
    refused(cosim(command, "."), "directory")
    Path("empty.yaml").touch()
    refused(cosim(command, "empty.yaml"), "empty.yaml")
    Path("bytes.yaml").write_bytes(b"\xff\xfe\x00")
    refused(cosim(command, "bytes.yaml"), "bytes.yaml")


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rounds", "="),
        ("rounds=-1", "rounds"),
        ("roundz=1", "did you mean 'rounds'?"),
        ("devices.7.count=1", "devices"),
        ("radio..fading=1", "empty part"),
        ("method=lorra", "did you mean 'lora'?"),
        ("rounds=[1", "--set"),
    ],
)
def test_an_override_that_cannot_be_used(
    cosim: Any, scenario_file: Path, command: str, override: str, said: str
) -> None:
    refused(cosim(command, scenario_file, "--set", override), "--set", said)


def test_a_seed_out_of_range_is_named(cosim: Any, scenario_file: Path) -> None:
    refused(cosim("run", scenario_file, "--seed", -3), "seed", "-3")


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["rum"], ["run", "a.yaml", "b.yaml"]],
)
def test_a_command_that_there_is_not(cosim: Any, arguments: list[str]) -> None:
    ended = cosim(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: ")
    assert "--help" in ended.err
    assert "Traceback" not in ended.err
