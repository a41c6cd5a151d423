"""Checks of what devices say: its bits are those of its content, and a receiver can read it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from cosim.contract.subject import DEGREES, DEVICES, Subject
from cosim.contract.verdict import Broken
from cosim.methods.message import Common, Mask, Message, Said, Seed, Turn, Values

if TYPE_CHECKING:
    from cosim.learning.learner import Learner
    from cosim.learning.records import Outgoing

_ROUNDS = 3
# How much a forecast may differ where the first round alone decides which modules a mask is in.
_SLACK = 0.02


def bits_of_content(subject: Subject) -> str:
    """A message weighs for each receiver what its content does, what is told once but once.

    Device 2 hears nothing in the first round, and must be told everything in the second. What a
    receiver has been told once must still be so.
    """
    learner = subject.learner()
    if not learner.method.aggregation.exchanges:
        return "nothing is said, and nothing charged"
    told: dict[tuple[int, int], dict[str, Said]] = {}
    first: dict[tuple[int, int], int] = {}
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
            for receiver in receivers:
                known = told.get((sender, receiver), {})
                _charged(learner, outgoing, receiver, known)
                bits = outgoing.bits[receiver]
                if bits > first.get((sender, receiver), bits):
                    raise Broken(
                        f"device {receiver} is charged {bits} bit for what device {sender} says "
                        f"in round {round_}, and was charged {first[sender, receiver]} before, "
                        "with what is told once"
                    )
                if (round_, receiver) != (1, 2):
                    learner.hear(receiver, outgoing.content)
                    inboxes[receiver][sender] = outgoing.content
                    first.setdefault((sender, receiver), bits)
                    told.setdefault((sender, receiver), _once(outgoing.content))
        for device, inbox in inboxes.items():
            learner.mix(device, inbox, dict.fromkeys(inbox, 0), turn, DEGREES).result()
    if not first:
        return "nobody said anything in three rounds"
    bits = max(first.values())
    return f"bits follow from content, {bits} at first and what is told once but once a receiver"


def foreseen(subject: Subject) -> str:
    """What a device will say first is known, but for its values, before it has been trained."""
    learner = subject.learner()
    if not learner.method.aggregation.exchanges:
        return "nothing is said, and nothing foreseen"
    for device in DEVICES:
        if (calibrating := learner.submit(device, 0)) is not None:
            calibrating.result()
    planned = learner.describe(DEVICES).first_bits
    _train(learner, 1)
    slack = _SLACK if learner.method.expansion.warms_up else 0.0
    for device, bits in zip(DEVICES, planned, strict=True):
        receiver = (device + 1) % len(DEVICES)
        outgoing = learner.messages(device, Turn(1), [receiver])
        if outgoing is not None and not math.isclose(
            outgoing.bits[receiver], bits, rel_tol=slack, abs_tol=0
        ):
            raise Broken(
                f"device {device} was going to say {bits} bit, by `says` on a state without "
                f"values, and says {outgoing.bits[receiver]}: `cosim check` could not be believed"
            )
    return f"the first message's bits are known before it is trained: {max(planned)} at most"


def _train(learner: Learner, round_: int) -> None:
    jobs = [learner.submit(device, round_) for device in DEVICES]
    for job in jobs:
        assert job is not None
        job.result()


def _readable(message: Message) -> None:
    """Names are distinct, kinds known and values finite."""
    who = f"device {message.device} says"
    names = [said.name for said in message.content]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise Broken(f"{who} '{doubled[0]}' twice in one message")
    for said in message.content:
        if type(said) not in (Values, Mask, Seed, Common):
            raise Broken(
                f"{who} '{said.name}' as {type(said).__name__}, whose bits nobody can check: "
                "expected Values, Mask, Seed or Common"
            )
        if isinstance(said, Values) and not bool(said.values.isfinite().all()):
            raise Broken(f"{who} '{said.name}' with a value that is no finite number")


def _charged(learner: Learner, outgoing: Outgoing, receiver: int, known: dict[str, Said]) -> None:
    message = outgoing.content
    per_value = learner.post.bits_per_value
    expected = sum(_bits(said, known, per_value) for said in message.content)
    if outgoing.bits[receiver] != expected:
        raise Broken(
            f"device {receiver} is charged {outgoing.bits[receiver]} bit for a message of device "
            f"{message.device} whose content comes to {expected}"
        )
    for said in message.content:
        before = known.get(said.name)
        if said.once and before is not None and not _alike(said, before):
            raise Broken(
                f"device {message.device} told device {receiver} '{said.name}' once, and now it "
                "is another, which nobody is charged for: leave it as it was, or say it each "
                "time (once=False)"
            )


def _bits(said: Said, known: Collection[str], per_value: int) -> int:
    """Bits of one thing that is said, worked out anew."""
    if said.once and said.name in known:
        return 0
    match said:
        case Values():
            return per_value * int(said.values.numel())
        case Mask():
            return sum(
                _entropy_coded(*pair) for pair in zip(said.sizes, _counts(said), strict=True)
            )
        case Seed():
            return 64
        case Common():
            return 0


def _counts(mask: Mask) -> Sequence[int]:
    """Positions of the support in each module."""
    import torch

    ends = torch.tensor(list(mask.sizes)).cumsum(0)
    below = torch.searchsorted(mask.support, ends)
    counts: list[int] = below.diff(prepend=torch.zeros(1, dtype=below.dtype)).tolist()
    return counts


def _entropy_coded(positions: int, kept: int) -> int:
    """⌈n·H2(k/n)⌉."""
    shares = [share for share in (kept / positions, 1 - kept / positions) if share > 0]
    return math.ceil(round(-positions * sum(s * math.log2(s) for s in shares), 6))


def _once(message: Message) -> dict[str, Said]:
    return {said.name: said for said in message.content if said.once}


def _alike(first: Said, second: Said) -> bool:
    if type(first) is not type(second):
        return False
    one, other = (
        said.support if isinstance(said, Mask) else said.values for said in (first, second)
    )
    return one.shape == other.shape and bool((one == other).all())
