"""Messages through a codec, as a learner makes, charges and mixes them."""

import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.federation.coded import formed
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.codec.rounded import Rounded
from cosim.methods.message import Blocks, Message, Renewed, Turn, Values
from cosim.methods.method import Method
from tests.learning.small_learners import small_learner, small_pools

DEVICES = range(3)
GRAPH = {device: tuple(other for other in DEVICES if other != device) for device in DEVICES}
ROUNDED, TENTH = {"name": "rounded", "bits": 8}, {"name": "top_k", "share": 0.1}
Make = Callable[..., ModelLearner]


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Make:
    def learner(name: str, codec: Any, **changes: Any) -> ModelLearner:
        adapter = {key: changes.pop(key) for key in ("bits_per_value",) if key in changes}
        method = METHODS[name].with_(codec=codec, **changes)
        return small_learner(tiny_llama, pools, method, **adapter)

    return functools.partial(learner)


def trained(learner: ModelLearner, round_: int) -> None:
    for job in [learner.submit(device, round_) for device in DEVICES]:
        assert job is not None
        job.result()


def said(learner: ModelLearner, round_: int) -> dict[int, Message]:
    """What every device says to all others, and what it is charged."""
    messages = {}
    for device in DEVICES:
        outgoing = learner.messages(device, Turn(round_), GRAPH[device])
        assert outgoing is not None
        messages[device] = outgoing.content
    return messages


def mixed(learner: ModelLearner, round_: int, inboxes: Mapping[int, Mapping[int, Message]]) -> None:
    for device, inbox in inboxes.items():
        for message in inbox.values():
            learner.hear(device, message)
        ages = dict.fromkeys(inbox, 0)
        learner.mix(device, inbox, ages, Turn(round_), GRAPH).result()


def all_hear(messages: Mapping[int, Message]) -> dict[int, dict[int, Message]]:
    return {d: {j: message for j, message in messages.items() if j != d} for d in DEVICES}


def played(learner: ModelLearner, rounds: int) -> None:
    for round_ in range(1, rounds + 1):
        trained(learner, round_)
        mixed(learner, round_, all_hear(said(learner, round_)))


def factors(learner: ModelLearner, device: int) -> dict[str, Tensor]:
    adapter = learner.fleet.adapters[device]
    return {"B": adapter.values, "A": adapter.projection}


@pytest.mark.parametrize("bits", [4, 8])
def test_a_lora_message_is_n_integers_and_a_scale_for_each_module_and_factor(
    make: Make, bits: int
) -> None:
    learner = make("lora", {"name": "rounded", "bits": bits})
    modules = len(learner.layout.modules)
    n = learner.layout.expansion_size + learner.layout.projection_size
    by_hand = bits * n + 32 * 2 * modules
    assert learner.describe(DEVICES).first_bits == [by_hand] * 3
    trained(learner, 1)
    outgoing = learner.messages(0, Turn(1), [1, 2])
    assert outgoing is not None
    assert outgoing.bits == {1: by_hand, 2: by_hand}


def test_what_is_read_is_integers_and_the_sender_mixes_the_same(make: Make) -> None:
    learner = make("lora", ROUNDED, topology="complete", weights="uniform")
    trained(learner, 1)
    messages = said(learner, 1)
    for device, message in messages.items():
        for name, sizes in (
            ("B", learner.layout.expansion_sizes),
            ("A", learner.layout.projection_sizes),
        ):
            item = message.by_name[name]
            assert isinstance(item, Values)
            exact = factors(learner, device)[name]
            for part, own in zip(item.values.split(sizes), exact.split(sizes), strict=True):
                assert len(part.unique()) <= 255
                assert (part - own).abs().max() <= own.abs().max() / 127 * (1 + 1e-6)
            assert not torch.equal(item.values, exact.half().float())
    mixed(learner, 1, all_hear(messages))
    mean = sum(message.values / 3 for message in messages.values())
    for device in DEVICES:
        torch.testing.assert_close(factors(learner, device)["B"], mean, rtol=1e-6, atol=1e-9)
    assert torch.equal(factors(learner, 0)["A"], factors(learner, 2)["A"])


def test_rounding_hangs_on_device_and_turn_and_not_on_who_speaks_first(make: Make) -> None:
    one, other = make("lora", ROUNDED), make("lora", ROUNDED)
    for learner in (one, other):
        trained(learner, 1)
    forward = [one.post.tell(device, Turn(1), [0]) for device in (0, 1, 2)]
    backward = [other.post.tell(device, Turn(1), [0]) for device in (2, 1, 0)]
    for a, b in zip(forward, reversed(backward), strict=True):
        assert torch.equal(a.values, b.values)
        assert torch.equal(a.projection, b.projection)
    later = one.post.message(0, 1, Turn(1, mixing=1))
    assert not torch.equal(later.values, forward[0].values)
    assert later.number != forward[0].number, "another content has another name"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora", "proposed_single_cluster", "lori", "rolora"])
@pytest.mark.parametrize("per_value", [16, 32])
def test_all_values_renewed_end_as_floating_point_to_the_bit(
    make: Make, name: str, per_value: int
) -> None:
    whole = make(name, {"name": "top_k", "share": 1.0}, bits_per_value=per_value)
    plain = make(name, "floating", bits_per_value=per_value)
    for learner in (whole, plain):
        played(learner, 3)
    for device in DEVICES:
        for factor, values in factors(whole, device).items():
            assert torch.equal(values, factors(plain, device)[factor]), factor
    first, second = (learner.messages(0, Turn(3), [1]) for learner in (whole, plain))
    assert first is not None
    assert second is not None
    had = whole.post.copies.of(0, 1)
    assert had["B"] == (3 if name != "rolora" else 2)


def test_what_was_said_and_what_is_left_over_add_up_to_what_was_learnt(make: Make) -> None:
    """Whatever arrives: device 0 hears nothing in round 2, and nobody in round 4."""
    learner = make("lora", TENTH, bits_per_value=32)
    kinds = ("B", "A")
    learnt, told = ({k: torch.zeros_like(v) for k, v in factors(learner, 0).items()} for _ in "xy")
    for round_ in range(1, 6):
        before = factors(learner, 0)
        trained(learner, round_)
        after = factors(learner, 0)
        memory = learner.fleet.states[0].memory.get("codec", {})
        settled = {k: memory[k]["settled"] if k in memory else _first(learner, k) for k in kinds}
        messages = said(learner, round_)
        remembered = learner.fleet.states[0].memory["codec"]
        for k in kinds:
            learnt[k] += after[k] - before[k]
            told[k] += remembered[k]["settled"] - settled[k]
            item = messages[0].by_name[k]
            assert isinstance(item, Renewed)
            count = item.values.numel()
            assert item.kept == round(0.1 * count)
            # What is new in what was said are the values themselves, and no more than the share.
            fresh = remembered[k]["settled"] != settled[k]
            assert fresh.sum() <= item.kept
            assert torch.equal(item.values[fresh], after[k][fresh])
        inboxes = all_hear(messages)
        if round_ == 2:
            inboxes[0] = {}
        if round_ == 4:
            inboxes = {device: {} for device in DEVICES}
        mixed(learner, round_, inboxes)
        left = learner.fleet.states[0].memory["codec"]
        for k in kinds:
            residual = factors(learner, 0)[k] - left[k]["settled"]
            torch.testing.assert_close(told[k] + residual, learnt[k], rtol=1e-4, atol=1e-6)


def _first(learner: ModelLearner, kind: str) -> Tensor:
    """What all take a factor for at the start."""
    own = learner.fleet.first_projections[0]
    return own if kind == "A" else torch.zeros(learner.layout.expansion_size)


def test_the_mean_is_of_what_was_said_with_the_leftovers_on_top(make: Make) -> None:
    learner = make("lora", TENTH, topology="complete", weights="uniform", bits_per_value=32)
    trained(learner, 1)
    learnt = {device: factors(learner, device) for device in DEVICES}
    messages = said(learner, 1)
    mixed(learner, 1, all_hear(messages))
    mean = sum(message.values / 3 for message in messages.values())
    for device in DEVICES:
        left = torch.where(messages[device].values == 0, learnt[device]["B"], 0.0)
        expected = mean + left
        torch.testing.assert_close(factors(learner, device)["B"], expected, rtol=1e-5, atol=1e-8)


def test_who_missed_a_message_is_sent_it_with_the_next_up_to_all_values(make: Make) -> None:
    learner = make("lora", TENTH)
    sizes = [learner.layout.expansion_size, learner.layout.projection_size]
    kept = [round(0.1 * n) for n in sizes]
    one = sum(
        k * 16 + min(k * math.ceil(math.log2(n)), n) for k, n in zip(kept, sizes, strict=True)
    )
    assert one < 0.2 * 16 * sum(sizes)
    charged = []
    for round_ in range(1, 13):
        trained(learner, round_)
        outgoing = learner.messages(0, Turn(round_), [1, 2])
        assert outgoing is not None
        charged.append(outgoing.bits)
        if round_ > 10:  # device 2 begins to listen; in round 11 it is cut off before it mixes
            learner.hear(2, outgoing.content)
            if round_ == 11:
                learner.lose(2)
        learner.hear(1, outgoing.content)
        learner.mix(1, {0: outgoing.content}, {0: 0}, Turn(round_), GRAPH).result()
    assert [bits[1] for bits in charged] == [one] * 12
    whole = 16 * sum(sizes)
    of_each = [
        [min(t * (k * 16 + min(k * math.ceil(math.log2(n)), n)), 16 * n) for t in range(1, 13)]
        for k, n in zip(kept, sizes, strict=True)
    ]
    assert [bits[2] for bits in charged] == [sum(both) for both in zip(*of_each, strict=True)]
    assert charged[-1][2] == whole
    assert learner.post.copies.of(0, 2) == {"A": 12, "B": 12}


def test_what_nobody_was_told_is_not_remembered(make: Make) -> None:
    learner = make("lora", TENTH)
    trained(learner, 1)
    assert learner.messages(0, Turn(1), []) is not None
    assert not learner.fleet.states[0].memory
    told = learner.messages(0, Turn(1), [1])
    assert told is not None
    assert learner.fleet.states[0].memory["codec"]["B"]["version"] == 1


def test_a_silent_device_mixes_what_it_last_said_and_keeps_the_rest(make: Make) -> None:
    learner = make("lora", TENTH, topology="complete", weights="uniform", bits_per_value=32)
    played(learner, 1)
    last = learner.fleet.states[0].memory["codec"]["B"]
    trained(learner, 2)
    learnt = factors(learner, 0)["B"]
    heard = {device: learner.post.tell(device, Turn(2), [0]) for device in (1, 2)}
    mixed(learner, 2, {0: heard})
    memory = learner.fleet.states[0].memory["codec"]["B"]
    assert memory["version"] == last["version"] == 1
    assert torch.equal(memory["said"], last["said"])
    mean = (last["said"] + heard[1].values + heard[2].values) / 3
    expected = mean + (learnt - last["settled"])
    torch.testing.assert_close(factors(learner, 0)["B"], expected, rtol=1e-5, atol=1e-7)


def test_a_calibration_and_a_mask_go_as_they_went(make: Make) -> None:
    coded, plain = (make("proposed", codec) for codec in (ROUNDED, "floating"))
    for learner in (coded, plain):
        trained(learner, 1)
    one, other = (said(learner, 1)[0] for learner in (coded, plain))
    for name in other.by_name.keys() - {"B"}:
        part, same = one.by_name[name], other.by_name[name]
        assert part.bits(16) == same.bits(16)
        if isinstance(part, Values) and isinstance(same, Values):
            assert torch.equal(part.values, same.values)
    kept = torch.tensor(coded.fleet.kept_by_module(0))
    assert one.by_name["B"].bits(16) == 8 * int(kept.sum()) + 32 * int((kept > 0).sum())


def test_of_a_part_of_the_blocks_only_their_modules_have_a_scale(make: Make) -> None:
    learner = make("salf", ROUNDED)
    layout = learner.layout
    held = layout.in_last(1)
    assert 0 < len(held) < len(layout.modules)
    count = sum(layout.expansion_sizes[number] for number in held)
    content = (Values("B", torch.zeros(count)), Blocks("blocks", 1, len(layout.blocks)))
    said, blocks = formed(Rounded(), content, layout, layout.expansion_sizes, {})
    assert said.bits(16) == 8 * count + 32 * len(held)
    assert blocks is content[1]


def test_links_carry_more_values_of_fewer_bits(make: Make) -> None:
    counts = {}
    for word, codec in {"16": "floating", "8": ROUNDED, "4": {**ROUNDED, "bits": 4}}.items():
        learner = make("proposed", codec)
        assert learner.post.values_in(0) == 0
        counts[word] = learner.post.values_in(6_000)
        learner.inform(0, 6_000, None)
        assert learner.describe([0]).first_bits[0] <= 6_000 * 1.01
    assert counts["16"] < counts["8"] < counts["4"]


def test_experts_of_a_bank_go_in_the_scenario_s_precision(make: Make) -> None:
    learner = make("lori", ROUNDED)
    played(learner, 1)
    held = learner.fleet.states[1].bank[0]
    assert not torch.equal(held.values, held.values.half().float())
    offered = learner.experts(1, [2]).content[0]
    assert torch.equal(offered.values, held.values.half().float())


@pytest.mark.parametrize("codec", [ROUNDED, {**ROUNDED, "bits": 4}, TENTH])
def test_devices_that_hear_the_same_agree_but_for_what_each_has_left_over(
    make: Make, codec: Any
) -> None:
    learner = make("lora", codec, topology="complete", bits_per_value=32)
    played(learner, 3)
    common = []
    for device in DEVICES:
        memory = learner.fleet.states[device].memory.get("codec", {})
        B = factors(learner, device)["B"]
        common.append(memory["B"]["settled"] if memory else B)
    assert torch.equal(common[0], common[1])
    assert torch.equal(common[0], common[2])


def test_a_method_is_written_with_its_codec() -> None:
    method = METHODS["dec_lora"].with_(codec="rounded")
    assert method.model_dump(mode="json")["codec"] == {"name": "rounded", "bits": 8}
    assert Method.model_validate(method.model_dump(mode="json")) == method
