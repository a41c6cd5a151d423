"""Checks of what leaves no trace: an empty inbox, a discarded job, other people's tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cosim.contract.content import digest
from cosim.contract.learning import exchange
from cosim.contract.subject import DEVICES, GRAPH, MethodUnderTest
from cosim.contract.verdict import Broken
from cosim.methods.message import Turn

if TYPE_CHECKING:
    from cosim.learning.learner import ModelLearner

T = TypeVar("T")


def empty_inbox(subject: MethodUnderTest) -> str:
    """A device to which nothing came stays as it was when it mixes; one that remembers what its
    neighbours said, where it has none."""
    learner = subject.learner()
    _trained(learner, 1)
    exchange(learner, Turn(1))
    before = learner.fleet.states
    alone = dict.fromkeys(DEVICES, ())
    graph = alone if learner.method.aggregation.remembers else GRAPH
    for device in DEVICES:
        fingerprint = digest(before[device])
        job = learner.mix(device, {}, {}, Turn(2), graph)
        if not job.work.idle:
            raise Broken(f"mixing nothing costs device {device} {job.work.flop:g} FLOP")
        job.result()
        if digest(learner.fleet.states[device]) != fingerprint:
            raise Broken(f"device {device} is another after it has mixed nothing")
    return "a device that mixes an empty inbox stays as it was, at no cost"


def discarded(subject: MethodUnderTest) -> str:
    """A job that is taken back, computed or not, leaves everybody as if it had not been given."""
    disturbed, undisturbed = subject.learner(), subject.learner()
    jobs = {device: disturbed.submit(device, 1) for device in DEVICES}
    cut_off = jobs.pop(1)
    assert cut_off is not None
    cut_off.discard()
    for job in jobs.values():
        assert job is not None
        job.result()
    _trained(undisturbed, 1, tuple(jobs))
    for learner in (disturbed, undisturbed):
        exchange(learner, Turn(1), tuple(jobs))
    _compare(disturbed, undisturbed, "a fine-tuning that was discarded before it was computed")
    late = disturbed.submit(1, 2)
    assert late is not None
    _trained(disturbed, 2, (0,))  # computes both
    late.discard()
    fingerprint = digest(undisturbed.fleet.states[1])
    if digest(disturbed.fleet.states[1]) != fingerprint:
        raise Broken("a fine-tuning that was discarded after it was computed changed its device")
    if disturbed.method.aggregation.exchanges:
        _discard_a_mixture(disturbed)
    return "a fine-tuning or a mixing that is discarded leaves no trace"


def _discard_a_mixture(learner: ModelLearner) -> None:
    outgoing = learner.messages(0, Turn(2), [2])
    if outgoing is not None:
        learner.hear(2, outgoing.content)
        fingerprint = digest(learner.fleet.states)
        learner.mix(2, {0: outgoing.content}, {0: 0}, Turn(2), GRAPH).discard()
        if digest(learner.fleet.states) != fingerprint:
            raise Broken("a mixing that was discarded changed a device")


def nothing_in_place(subject: MethodUnderTest) -> str:
    """No tensor of a state or of a message changes: what is new is a new tensor.

    Devices share tensors with each other, with messages on their way and with what they held
    before.
    """
    learner = subject.learner()
    for round_ in (1, 2):
        turn = Turn(round_)
        jobs = [learner.submit(device, round_) for device in DEVICES]
        for device, job in zip(DEVICES, jobs, strict=True):
            assert job is not None
            _watched(learner, {}, f"fine-tuning of device {device}", job.result)
        if not learner.method.aggregation.exchanges:
            continue
        outbox: dict[int, Any] = {}
        for device in DEVICES:
            receivers = [other for other in DEVICES if other != device]
            speak = partial(learner.messages, device, turn, receivers)
            outgoing = _watched(learner, outbox, f"saying of device {device}", speak)
            if outgoing is not None:
                outbox[device] = outgoing.content
        for device in DEVICES:
            inbox = {sender: message for sender, message in outbox.items() if sender != device}
            for message in inbox.values():
                learner.hear(device, message)
            mixture = learner.mix(device, inbox, dict.fromkeys(inbox, 0), turn, GRAPH)
            _watched(learner, outbox, f"mixing of device {device}", mixture.result)
        _watched(learner, outbox, "evaluation", partial(learner.evaluate, DEVICES))
    return "no tensor of a state or of a message is changed in place"


def _watched(
    learner: ModelLearner, outbox: Mapping[int, Any], action: str, call: Callable[[], T]
) -> T:
    from cosim.learning.learner_state import take

    _, state = take(learner, {}, outbox)
    tensors = [*state.values(), *learner.fleet.first_projections]
    before = digest(tensors)
    answer = call()
    if digest(tensors) != before:
        raise Broken(
            f"in round {_round(learner)} the {action} changed in place a tensor that was there "
            "before, which others may hold too: make a new one"
        )
    return answer


def _round(learner: ModelLearner) -> int:
    return max(adapter.round for adapter in learner.fleet.adapters)


def _trained(learner: ModelLearner, round_: int, devices: Iterable[int] = DEVICES) -> None:
    jobs = [learner.submit(device, round_) for device in devices]
    for job in jobs:
        assert job is not None
        job.result()


def _compare(first: ModelLearner, second: ModelLearner, action: str) -> None:
    for device in DEVICES:
        state, twin = (learner.fleet.states[device] for learner in (first, second))
        if digest(state) != digest(twin):
            raise Broken(f"{action} changed device {device}")
