"""Checks of what devices say: its bits are those of its content, and a receiver can read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cosim.contract.learning import exchange
from cosim.contract.subject import DEVICES, GRAPH, MethodUnderTest
from cosim.contract.verdict import Broken
from cosim.methods.message import Blocks, Common, Mask, Message, Renewed, Said, Seed, Turn, Values

if TYPE_CHECKING:
    from cosim.learning.learner import ModelLearner
    from cosim.learning.records import Outgoing

_ROUNDS = 3
# How much a forecast may differ where the first round alone decides which modules a mask is in.
_SLACK = 0.02
# Of a device's memory that is no copy of what it trains: numbers, norms, ids.
_LITTLE_BYTES = 256
# Values of so many bits may all be different in a tiny model.
_MANY_BITS = 16


def bits_of_content(subject: MethodUnderTest) -> str:
    """A message weighs for each receiver what its content does, what is told once but once.

    Device 2 hears nothing in the first round, and must be told everything in the second. What a
    receiver has been told once must still be so.
    """
    learner = subject.learner()
    if not learner.method.aggregation.exchanges:
        return "nothing is said, and nothing charged"
    memories: dict[tuple[int, int], dict[str, Said]] = {}
    first: dict[tuple[int, int, frozenset[str]], int] = {}
    for round_ in range(1, _ROUNDS + 1):
        turn = Turn(round_)
        _train(learner, round_)
        inboxes: dict[int, dict[int, Message]] = {device: {} for device in DEVICES}
        for sender in DEVICES:
            receivers = [device for device in DEVICES if device != sender]
            outgoing = learner.messages(sender, turn, receivers)
            if outgoing is None:
                continue
            _readable(outgoing.content)
            _read_again(learner, outgoing.content, turn)
            for receiver in receivers:
                memory = memories.get((sender, receiver), {})
                _charged(learner, outgoing, receiver, memory)
                bits = outgoing.bits[receiver]
                key = sender, receiver, frozenset(part.name for part in outgoing.content.content)
                if bits > first.get(key, bits):
                    raise Broken(
                        f"device {receiver} is charged {bits} bit for what device {sender} says "
                        f"in round {round_}, and was charged {first[key]} before, "
                        "with what is told once"
                    )
                if (round_, receiver) != (1, 2):
                    learner.hear(receiver, outgoing.content)
                    inboxes[receiver][sender] = outgoing.content
                    first.setdefault(key, bits)
                    memory = memories.setdefault((sender, receiver), _once(outgoing.content))
                    memory.update(_renewed(outgoing.content))
        for device, inbox in inboxes.items():
            learner.mix(device, inbox, dict.fromkeys(inbox, 0), turn, GRAPH).result()
    if not first:
        return "nobody said anything in three rounds"
    bits = max(first.values())
    return f"bits follow from content, {bits} at first and what is told once but once a receiver"


def foreseen(subject: MethodUnderTest) -> str:
    """What a device will say first is known, but for its values, before it has been trained."""
    learner = subject.learner()
    if not learner.method.aggregation.exchanges:
        return "nothing is said, and nothing foreseen"
    _said_alike(learner)
    for device in DEVICES:
        if (calibration := learner.submit(device, 0)) is not None:
            calibration.result()
    forecast = learner.describe(DEVICES).first_bits
    _train(learner, 1)
    slack = _SLACK if learner.method.expansion.warms_up else 0.0
    for device, bits in zip(DEVICES, forecast, strict=True):
        receiver = (device + 1) % len(DEVICES)
        outgoing = learner.messages(device, Turn(1), [receiver])
        if outgoing is None:
            continue
        # A codec makes values smaller and leaves a mask as it is.
        content = outgoing.content.content
        counts = [item.values.numel() for item in content if isinstance(item, Values)]
        tolerance = slack * sum(counts) * learner.post.bits_per_value
        if not math.isclose(outgoing.bits[receiver], bits, rel_tol=slack, abs_tol=tolerance):
            raise Broken(
                f"device {device} was going to say {bits} bit, by `says` on a state without "
                f"values, and says {outgoing.bits[receiver]}: `cosim check` could not be believed"
            )
    return f"the first message's bits are known before it is trained: {max(forecast)} at most"


def _said_alike(learner: ModelLearner) -> None:
    """A codec's `factor_bits` are those of its `form`."""
    import torch

    codec, per_value = learner.method.codec, learner.post.bits_per_value
    counts = list(learner.fleet.layout.expansion_sizes)
    form = codec.form(Values("B", torch.zeros(sum(counts))), counts, {})
    bits, foretold = _bits(form, {}, per_value), codec.factor_bits(counts, per_value)
    if bits != foretold:
        raise Broken(
            f"`form` of codec '{codec.word()}' makes {bits} bit of {sum(counts)} values, and "
            f"`factor_bits` says {foretold}: power and masks were chosen for other messages"
        )


def memory(subject: MethodUnderTest) -> str:
    """Parts remember no more than `copies` says, from which memory and disk are foreseen."""
    from cosim.learning.state_tree import bytes_of

    learner = subject.learner()
    method, states = learner.method, learner.fleet.states
    for round_ in range(1, _ROUNDS + 1):
        _train(learner, round_)
        exchange(learner, Turn(round_))
    adapters = [state.adapter for state in states]
    trained = 4 * sum(
        adapter.values.numel() + (adapter.projection.numel() if method.projection.moves else 0)
        for adapter in adapters
    )
    copies = sum(part.copies for part in method.parts())
    found = bytes_of([state.memory for state in states])
    # One copy, such as of what all begin with, may be everybody's.
    if found > (copies + 1 / len(DEVICES)) * trained + _LITTLE_BYTES * len(DEVICES):
        raise Broken(
            f"devices remember {found} bytes, {found / trained:.2g} times what they train, and "
            f"`copies` of the parts says {copies:g} times: `cosim check` could not be believed"
        )
    return f"what is remembered beside what is trained is {found / trained:.2g} times as much"


def _train(learner: ModelLearner, round_: int) -> None:
    jobs = [learner.submit(device, round_) for device in DEVICES]
    for job in jobs:
        assert job is not None
        job.result()


def _readable(message: Message) -> None:
    """Names are distinct, kinds known and values finite."""
    speaker = f"device {message.device} says"
    names = [item.name for item in message.content]
    if doubles := [name for name in names if names.count(name) > 1]:
        raise Broken(f"{speaker} '{doubles[0]}' twice in one message")
    for item in message.content:
        if type(item) not in (Values, Renewed, Mask, Seed, Common, Blocks):
            raise Broken(
                f"{speaker} '{item.name}' as {type(item).__name__}, whose bits nobody can check: "
                "expected Values, Renewed, Mask, Seed, Common or Blocks"
            )
        if isinstance(item, Values) and not bool(item.values.isfinite().all()):
            raise Broken(f"{speaker} '{item.name}' with a value that is no finite number")
        width = item.bits_per_value if isinstance(item, Values) else None
        if isinstance(item, Values) and width is not None and width < _MANY_BITS:
            told_apart = int(item.values.unique().numel())
            most = max(item.scales, 1) * 2**width
            if told_apart > most:
                raise Broken(
                    f"{speaker} '{item.name}' with {told_apart} different values, and {width} bit "
                    f"a value and {item.scales} scales tell {most} apart: nobody could read that"
                )


def _read_again(learner: ModelLearner, message: Message, turn: Turn) -> None:
    """What a device says is read once more where it mixes its own: it must be the same."""
    again = learner.post.message(message.device, message.round, turn)
    for item, other in zip(message.content, again.content, strict=True):
        if not _alike(item, other):
            raise Broken(
                f"device {message.device} says '{item.name}', and mixes something else as its own: "
                f"`read` of codec '{learner.method.codec.word()}' is asked for both, so that what "
                "it remembers must say of which turn it is"
            )


def _charged(
    learner: ModelLearner, outgoing: Outgoing, receiver: int, memory: dict[str, Said]
) -> None:
    message = outgoing.content
    per_value = learner.post.bits_per_value
    expected = sum(_bits(item, memory, per_value) for item in message.content)
    if outgoing.bits[receiver] != expected:
        raise Broken(
            f"device {receiver} is charged {outgoing.bits[receiver]} bit for a message of device "
            f"{message.device} whose content comes to {expected}"
        )
    for item in message.content:
        before = memory.get(item.name)
        if item.once and before is not None and not _alike(item, before):
            raise Broken(
                f"device {message.device} told device {receiver} '{item.name}' once, and now it "
                "is another, which nobody is charged for: leave it as it was, or say it each "
                "time (once=False)"
            )


def _bits(item: Said, memory: Mapping[str, Said], per_value: int) -> int:
    """Bits of one thing that is said, worked out anew."""
    if item.once and item.name in memory:
        return 0
    match item:
        case Renewed():
            before = memory.get(item.name)
            had = before.version if isinstance(before, Renewed) else 0
            count, kept = int(item.values.numel()), item.kept
            by_place = kept * (count - 1).bit_length()
            places = min(by_place, count) if kept < count else 0
            return min((item.version - had) * (per_value * kept + places), per_value * count)
        case Values():
            width = per_value if item.bits_per_value is None else item.bits_per_value
            return width * int(item.values.numel()) + 32 * item.scales
        case Mask():
            return sum(
                _entropy_coded(*pair) for pair in zip(item.sizes, _counts(item), strict=True)
            )
        case Seed():
            return 64
        case Common():
            return 0
        case Blocks():
            return math.ceil(math.log2(item.adapted + 1))


def _counts(mask: Mask) -> Sequence[int]:
    """Positions of the support in each module."""
    import torch

    ends = torch.tensor(list(mask.sizes)).cumsum(0)
    below = torch.searchsorted(mask.support, ends)
    counts: list[int] = below.diff(prepend=torch.zeros(1, dtype=below.dtype)).tolist()
    return counts


def _entropy_coded(positions: int, count: int) -> int:
    """⌈n·H2(k/n)⌉."""
    shares = [share for share in (count / positions, 1 - count / positions) if share > 0]
    return math.ceil(round(-positions * sum(s * math.log2(s) for s in shares), 6))


def _once(message: Message) -> dict[str, Said]:
    return {item.name: item for item in message.content if item.once}


def _renewed(message: Message) -> dict[str, Said]:
    return {item.name: item for item in message.content if isinstance(item, Renewed)}


def _alike(first: Said, second: Said) -> bool:
    if type(first) is not type(second):
        return False
    if isinstance(first, Blocks) or isinstance(second, Blocks):
        return first == second
    left, right = (
        item.support if isinstance(item, Mask) else item.values for item in (first, second)
    )
    return left.shape == right.shape and bool((left == right).all())
