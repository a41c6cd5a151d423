"""Parts that return what their slots do not take, and those that say more than they are charged."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.contract.contract import CHECKS, verdict
from cosim.contract.subject import on_trial
from cosim.contract.verdict import Verdict
from cosim.errors import CosimError, MethodError
from cosim.lifecycle.play import play
from cosim.methods.adapter import Adapter
from cosim.methods.message import Turn
from cosim.methods.sending.slot import Deciding, Sending
from cosim.methods.state import DeviceState
from cosim.scenario.load import load

HEAD = """\
import random
from dataclasses import replace
from typing import ClassVar, Literal
from cosim.methods import *
from cosim.methods.schedule.synchronous import Synchronous
"""
NETWORK = """\
name: few
rounds: 2
learning: none
devices: [{{count: 4, mobility: static}}]
area: {{shape: square, side_m: 30}}
method: "path:{path}"
"""


def part(slot: str, name: str, *lines: str) -> str:
    """A method with a part of its own, of these lines."""
    key = "graph" if slot == "Topology" else "name"
    body = "\n".join(f"    {line}" for line in lines)
    base = "Synchronous" if slot == "Schedule" else slot
    return (
        f'{HEAD}class Mine({base}):\n    {key}: Literal["{name}"] = "{name}"\n{body}\n'
        f'METHOD = LORA.with_(name="mine", reference="me", {slot.lower()}=Mine())\n'
    )


def edges(returned: str, *lines: str) -> str:
    ask = "def edges(self, devices, random_, positions_m, need):"
    return part("Topology", "mine", *lines, ask, f"    return {returned}")


def turns(returned: str) -> str:
    return part("Schedule", "mine", "def turns(self, round_):", f"    return {returned}")


def weights(returned: str) -> str:
    return part(
        "Weights", "mine", "def of(self, device, heard, degrees):", f"    return {returned}"
    )


def coded(*lines: str) -> str:
    """One bit a value and a scale."""
    form = "    return replace(factor, bits_per_value=1, scales=1)"
    return part(
        "Codec",
        "mine",
        "in_precision: ClassVar[bool] = False",
        "by_value: ClassVar[bool] = False",
        "def factor_bits(self, counts, per_value):",
        "    return sum(counts) + 32",
        "def form(self, factor, counts, memory):",
        form,
        "def read(self, factor, memory, at):",
        *lines,
    )


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """A method file of that source."""

    def written(source: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(source, encoding="utf-8")
        return path

    return written


# What is returned: words of the sentence, and the code.
RETURNED = {
    "an edge of one that is not there": (
        "edges of topology 'mine' returned (3, 4), expected pairs of two different ones of the 4",
        edges("[(device, device + 1) for device in devices]"),
    ),
    "an edge with oneself": ("returned (0, 0), expected pairs", edges("[(0, 0)]")),
    "an edge of three": ("returned (0, 1, 2), expected pairs", edges("[(0, 1, 2)]")),
    "a number for an edge": ("returned 7, expected pairs", edges("[7]")),
    "an edge of lists": ("returned [[0], [1]], expected pairs", edges("[[[0], [1]]]")),
    "no edges": ("returned None, expected pairs", edges("None")),
    "nothing for turns": ("turns of schedule 'mine' returned None of round 1", turns("None")),
    "no turns": ("turns of schedule 'mine' returned [] of round 1, expected", turns("()")),
    "turns of another round": ("mixing=0, answer=False)] of round 2", turns("(Turn(1),)")),
    "a second turn alone": ("mixing=1, answer=False)] of round 1", turns("(Turn(round_, 1),)")),
}


@pytest.mark.parametrize("what", RETURNED)
def test_who_hears_whom_and_when_is_looked_at(file: Any, tmp_path: Path, what: str) -> None:
    words, source = RETURNED[what]
    path = file(source)
    scenario = tmp_path / "few.yaml"
    scenario.write_text(NETWORK.format(path=path), encoding="utf-8")
    with pytest.raises(CosimError) as refusal:
        play(load(scenario), out=tmp_path / "run")
    assert words in str(refusal.value)
    assert f"{path}:" in str(refusal.value)


@pytest.mark.parametrize(
    "returned",
    [
        "{device: 1.0}",
        "[1.0]",
        "[-1.0] * len(heard)",
        "[float('nan')] * len(heard)",
        "3",
        "[None] * 3",
    ],
)
def test_weights_are_one_number_a_message(file: Any, returned: str) -> None:
    path = file(weights(returned))
    with pytest.raises(MethodError, match="`of` of weights 'mine' returned") as refusal:
        tried(path, "learns")
    assert str(refusal.value).startswith(f"{path}:")


def test_numpys_truth_is_one_as_well() -> None:
    class Even(Sending):
        def speaks(self, own: DeviceState, at: Deciding) -> Any:
            return own, at.draw().integers(2) == 0

    own = DeviceState(Adapter(torch.ones(1), None, torch.ones(1)), 1.0)
    assert type(Even().decided(own, Deciding.of(7, 0, Turn(1)))[1]) is bool


@pytest.mark.parametrize("returned", ["True", "(own, 1)", "(None, True)", "None"])
def test_a_decision_is_a_state_and_whether_it_speaks(file: Any, returned: str) -> None:
    path = file(part("Sending", "mine", "def speaks(self, own, at):", f"    return {returned}"))
    with pytest.raises(MethodError, match="speaks of sending 'mine' returned") as refusal:
        tried(path, "learns")
    assert str(refusal.value).startswith(f"{path}:")


def tried(path: Path, check: str) -> Verdict:
    with on_trial(f"path:{path}") as subject:
        return verdict(subject, check, CHECKS[check])


FOUND = {
    "values that no bit tells apart": (
        "bits",
        "and 1 bit a value and 1 scales tell 2 apart",
        coded("    return self.form(factor, at.counts, memory), memory"),
    ),
    "another message than it mixes": (
        "bits",
        "and mixes something else as its own: `read` of codec 'mine'",
        coded(
            "    error = memory.get(factor.name, {}).get('error', 0.0)",
            "    wanted = factor.values + error",
            "    said = wanted.abs().mean() * (2.0 * (wanted > 0) - 1.0)",
            "    kept = {**memory, factor.name: {'error': wanted - said}}",
            "    return replace(self.form(factor, at.counts, memory), values=said), kept",
        ),
    ),
    "other bits than it foretells": (
        "foreseen",
        "and `factor_bits` says",
        coded(
            "    return replace(factor, bits_per_value=1, scales=1, values=0 * factor.values), {}"
        ).replace("return sum(counts) + 32", "return sum(counts)"),
    ),
    "a graph from a generator of its own": (
        "graphs",
        "devices at the same places ask again",
        edges("[(0, random.randrange(1, 10**9) % (len(devices) - 1) + 1)] if devices[2:] else []"),
    ),
    "more neighbours than it says": (
        "graphs",
        "a device has 2 neighbours among 2 others, and `most_receivers` says 1 at most",
        edges(
            "[(i, j) for i in devices for j in devices if i < j]",
            "def most_receivers(self, others):",
            "    return 1",
        ),
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_it_is_found_by_the_check_that_is_meant_for_it(file: Any, what: str) -> None:
    check, words, source = FOUND[what]
    found = tried(file(source), check)
    assert not found.holds, found.sentence
    assert words in found.sentence


def test_a_device_decides_by_its_id_and_from_a_stream_of_its_own() -> None:
    class Staggered(Sending):
        def speaks(self, own: DeviceState, at: Deciding) -> tuple[DeviceState, bool]:
            return own, at.turn.round % 2 == at.device % 2 and at.draw().random() < 0.5

    def spoken(device: int, rounds: range) -> list[bool]:
        return [part_.decided(own, Deciding.of(7, device, Turn(number)))[1] for number in rounds]

    part_, own = Staggered(), DeviceState(Adapter(torch.ones(1), None, torch.ones(1)), 1.0)
    assert not any(spoken(0, range(1, 200, 2)))
    even = spoken(0, range(2, 202, 2))
    assert even == spoken(0, range(2, 202, 2)) != spoken(2, range(2, 202, 2))
    # Four standard deviations of a hundred fair coins.
    assert abs(sum(even) - 50) <= 4 * 5
