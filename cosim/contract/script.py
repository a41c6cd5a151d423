"""What a learner is asked in a short play of everything: rounds, losses, late and lost messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cosim.contract.subject import DEVICES, GRAPH
from cosim.methods.method import Method
from cosim.simulation.learner import Learner

ROUNDS = 2
# Of a round of two steps: the first one's gradients have come to the last of two blocks.
_STOPPED_AT = 0.4


def play(learner: Learner, method: Method) -> None:
    """Two rounds of three devices that all hear each other, but for what goes amiss.

    In the first, device 2 is cut off before it mixes. In the second, device 1 is cut off while it
    trains, and what it said before arrives late; device 0 is cut off while it mixes, and mixes
    again; and device 2 is stopped in its first step, where the method keeps anything of that. What
    devices say in a round they say when all have trained; each mixes then.
    """
    for device in DEVICES:
        if (calibrating := learner.submit(device, 0)) is not None:
            calibrating.result()
    if method.expansion.masked:
        first = learner.describe([2]).first_bits[0]
        learner.inform(2, 0.9 * first, 1.0)
    learner.describe(DEVICES, True)
    late: dict[int, Any] = {}
    for round_ in range(1, ROUNDS + 1):
        jobs = {device: learner.submit(device, round_) for device in DEVICES}
        if round_ == ROUNDS and (job := jobs.pop(1)) is not None:
            job.discard()
        stopped = jobs[2]
        if round_ == ROUNDS and method.aggregation.by_block and stopped is not None:
            stopped.cut(int(_STOPPED_AT * stopped.work.flop))
        for job in jobs.values():
            assert job is not None
            job.result()
        if method.aggregation.exchanges:
            _exchange(learner, method, round_, tuple(jobs), late)
        learner.evaluate(DEVICES[:round_])


def _exchange(
    learner: Learner, method: Method, round_: int, speakers: Sequence[int], late: dict[int, Any]
) -> None:
    """Everything that is said and mixed in a round; late: of round 1, for the next."""
    for turn in method.schedule.played(round_):
        inboxes: dict[int, dict[int, Any]] = {device: dict(late) for device in (0, 2)}
        ages = {device: dict.fromkeys(late, 1) for device in (0, 2)}
        late.clear()
        inboxes[1], ages[1] = {}, {}
        for sender in speakers:
            receivers = [device for device in DEVICES if device != sender]
            outgoing = learner.messages(sender, turn, receivers)
            if outgoing is None:
                continue
            for receiver in receivers:
                learner.hear(receiver, outgoing.content)
                inboxes[receiver][sender], ages[receiver][sender] = outgoing.content, 0
            if (round_, sender) == (1, 1):
                late[sender] = outgoing.content
        if round_ == 1:
            learner.lose(2)
            inboxes[2], ages[2] = {}, {}
        else:
            inbox = dict(inboxes[0])
            learner.mix(0, inbox, ages[0], turn, GRAPH).discard()
        mixing = [
            learner.mix(device, inboxes[device], ages[device], turn, GRAPH) for device in DEVICES
        ]
        for job in mixing:
            job.result()
    if method.aggregation.keeps_experts:
        offer = learner.experts(0, [2])
        learner.hear(2, offer.content)
        learner.experts(0, [1, 2], offer.content)
