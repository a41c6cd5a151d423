"""The one way to the learner: every verb has a form, what is heard is the same both times."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from cosim.errors import ResumeError
from cosim.learning.learner import ModelLearner
from cosim.learning.records import (
    AnswerSheet,
    Description,
    Diagnostic,
    Evaluation,
    FineTuned,
    LayerState,
    Measurement,
    Outgoing,
    Score,
)
from cosim.lifecycle import journaled_learner
from cosim.lifecycle.answers import JOB_VERBS, VERBS
from cosim.lifecycle.journal import Handle, Journal
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.methods.message import NOTHING_LOST, Flight, Graph, Passage, Superposed, Turn
from cosim.methods.workload import Workload
from cosim.simulation.learner import Job, Learner, OwnedLearner
from cosim.simulation.null_learner import NullLearner

WORK = Workload(1.5e9, 2, 2, 8, 100)
UNWRITTEN = {"warnings", "base", "pools"}


def verbs_of(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_verb_has_a_form_and_no_form_is_without_a_verb() -> None:
    assert verbs_of(Learner) - UNWRITTEN == set(VERBS)
    assert verbs_of(Job) - {"work"} == set(JOB_VERBS)
    assert len(VERBS) <= 10
    assert verbs_of(OwnedLearner) == {"save", "close"}


@pytest.mark.parametrize("verb", sorted(VERBS))
@pytest.mark.parametrize("kind", [ModelLearner, NullLearner])
def test_learners_are_asked_as_the_protocol_says(kind: type, verb: str) -> None:
    asked = list(inspect.signature(getattr(Learner, verb)).parameters)
    assert list(inspect.signature(getattr(kind, verb)).parameters) == asked


PASSAGES: Mapping[int, Passage] = {0: Superposed(2e-9, 1e-12), 1: Flight(8, (1, 3), 0.9, True)}
SHEET = AnswerSheet("sums", (2**62, 7), (1, 0), (2, None), (0.1 + 0.2, None), (3, 0))
UNGATED = AnswerSheet("sums", (5,), (0,), (1,), (-1e-17,))


class Telling(NullLearner):
    """Answers with something of every kind, and keeps what it was asked with."""

    def __init__(self) -> None:
        super().__init__(800, WORK, 0.5)
        self.asked: list[Any] = []

    def inform(self, device: int, bits: float, rate: float | None) -> None:
        self.asked.append(("inform", device, bits, rate))

    def submit(self, device: int, round_: int) -> TellingJob | None:
        return TellingJob(self, device) if round_ or device == 0 else None

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        self.asked.append(("messages", device, turn))
        if device == 2:
            return None
        return Outgoing(f"of {device}", {receiver: 16 + receiver for receiver in receivers}, 3)

    def experts(self, device: int, receivers: Sequence[int], offered: Any = None) -> Outgoing:
        self.asked.append(("experts", device, offered))
        content = {device: "an expert"} if offered is None else offered
        return Outgoing(content, {receiver: 32 + receiver for receiver in receivers})

    def hear(self, device: int, content: Any) -> None:
        self.asked.append(("hear", device, content))

    def lose(self, device: int) -> None:
        self.asked.append(("lose", device))

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> TellingMixture:
        told = device, dict(inbox), dict(ages), turn, dict(graph), dict(flights)
        return TellingMixture(self, told)

    def evaluate(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[int]] | None = None
    ) -> Evaluation:
        self.asked.append(("evaluate", sets))
        score = Score("accuracy", float(np.float32(0.1)), 10, headline=True)
        measurements = [Measurement(device, "sums", score) for device in devices]
        if sets is None:
            return Evaluation(measurements, [], [(device, SHEET) for device in devices])
        gaps = [Diagnostic("gap", 0.5, device) for device in devices]
        return Evaluation(measurements, gaps, [(device, UNGATED) for device in devices])

    def describe(self, devices: Sequence[int], together: bool = False) -> Description:
        self.asked.append(("describe", together))
        densities = np.array([[0.1, device / 3] for device in devices])
        bits = [800 + device for device in devices]
        collision = np.float64(1 / 3) if together else None
        return Description(bits, densities, np.array([10, 20]), collision)


class TellingJob:
    def __init__(self, learner: Telling, device: int) -> None:
        self.work, self._learner, self._device = WORK, learner, device

    def cut(self, flop: int) -> None:
        self._learner.asked.append(("cut", self._device, flop))

    def result(self) -> FineTuned:
        self._learner.asked.append(("result", self._device))
        layers = (LayerState(0, "q_proj", 0.1, 100, 10), LayerState(1, "v_proj", 0.2, 50, 10, 1.5))
        return FineTuned(0.25, self._device == 2, layers if self._device == 0 else ())

    def discard(self) -> None:
        self._learner.asked.append(("discard", self._device))


class TellingMixture:
    def __init__(self, learner: Telling, said: tuple[Any, ...]) -> None:
        self.work, self._learner, self._said = Workload.of_flop(float(len(said[1]))), learner, said

    def cut(self, flop: int) -> None:
        raise AssertionError("nobody cuts a mixing")

    def result(self) -> None:
        self._learner.asked.append(("mixed", *self._said))

    def discard(self) -> None:
        self._learner.asked.append(("not mixed", self._said[0]))


def submitted(learner: Learner, device: int, round_: int = 1) -> Job[FineTuned]:
    """A job that is there to be done."""
    job = learner.submit(device, round_)
    assert job is not None
    return job


def conversation(learner: Learner) -> list[Any]:
    """One question of every kind; what was heard, messages and experts by their type."""
    heard: list[Any] = []
    jobs = [submitted(learner, device) for device in range(4)]
    heard += [job.work for job in jobs]
    jobs.pop().discard()
    jobs[1].cut(7)
    heard += [job.result() for job in jobs]
    first = submitted(learner, 0, 0)
    heard += [first.work, first.result().loss, learner.submit(1, 0)]
    sent = []
    for device in range(2):
        outgoing = learner.messages(device, Turn(1, device), [3, 4])
        assert outgoing is not None
        sent.append(outgoing)
    heard += [(type(outgoing.content), outgoing.bits) for outgoing in sent]
    heard.append(learner.messages(2, Turn(1), [3]))
    inbox = {device: outgoing.content for device, outgoing in enumerate(sent)}
    learner.hear(3, inbox[0])
    learner.lose(2)
    learner.inform(1, 1e6, None)
    graph = {3: (0, 1), 0: (3,), 1: (3,)}
    mixtures = [
        learner.mix(
            3,
            inbox,
            {0: 0, 1: 2},
            Turn(1),
            graph,
            PASSAGES,
        ),
        learner.mix(2, {}, {}, Turn(1, 1), {}),
    ]
    heard += [mixture.work for mixture in mixtures]
    heard.append(mixtures[0].result())
    mixtures[1].discard()
    bank = learner.experts(1, [3])
    again = learner.experts(1, [4, 5], bank.content)
    heard += [(type(bank.content), bank.bits), again.content is bank.content, again.bits]
    learner.hear(4, again.content)
    heard += [learner.evaluate([0, 1]), learner.evaluate([0, 1], {0: [0, 1], 1: [1]})]
    for devices, together in (([0, 1], False), ([1, 2], True), ([0, 1], False)):
        told = learner.describe(devices, together)
        heard.append([told.first_bits, told.collision])
        heard += [(array.tolist(), array.dtype) for array in (told.densities, told.sizes)]
    return heard


def test_what_is_heard_again_is_what_was_heard_and_nothing_is_asked() -> None:
    first, second = Telling(), Telling()
    told = JournaledLearner(first, Journal(iter(()), 0))
    heard = conversation(told.learner)
    again = JournaledLearner(second, Journal(iter(told.journal.fresh), told.journal.lines))
    assert conversation(again.learner) == heard
    again.journal.refuse_early_end()
    assert second.asked == []
    assert again.wall_s == 0.0
    assert heard.count((Handle, {3: 19, 4: 20})) == 2
    assert ("cut", 1, 7) in first.asked
    assert ("inform", 1, 1e6, None) in first.asked
    assert ("hear", 3, "of 0") in first.asked
    mixed = (
        "mixed",
        3,
        {0: "of 0", 1: "of 1"},
        {0: 0, 1: 2},
        Turn(1),
        {3: (0, 1), 0: (3,), 1: (3,)},
        PASSAGES,
    )
    assert mixed in first.asked
    assert ("experts", 1, {1: "an expert"}) in first.asked
    assert ("hear", 4, {1: "an expert"}) in first.asked
    assert ("evaluate", {0: [0, 1], 1: [1]}) in first.asked
    with pytest.raises(ResumeError, match=r'now it asks its learner \[0\.0,"submit",7,1\]'):
        JournaledLearner(second, Journal(iter(told.journal.fresh), 9)).learner.submit(7, 1)


def test_without_checkpoints_nothing_is_kept_and_the_answers_are_the_learners_own() -> None:
    first, second = Telling(), Telling()
    told = JournaledLearner(first, Journal(iter(()), 0))
    unkept = JournaledLearner(second)
    heard, own = conversation(told.learner), conversation(unkept.learner)
    assert first.asked == second.asked
    kinds = iter((str, str, dict))  # of what is behind the handles
    opened = [
        (next(kinds), one[1]) if isinstance(one, tuple) and one[0] is Handle else one
        for one in heard
    ]
    assert opened == own
    assert list(kinds) == []
    assert unkept.journal.fresh == []
    outgoing = unkept.learner.messages(0, Turn(2), [1])
    assert outgoing is not None
    assert outgoing.content == "of 0"
    assert unkept.underway.jobs == {}
    assert len(unkept.underway.handles) == 0


def test_what_nobody_holds_any_more_is_let_go() -> None:
    told = JournaledLearner(Telling(), Journal(iter(()), 0))
    conversation(told.learner)
    gc.collect()
    assert told.underway.jobs == told.underway.contents == told.contents == {}


def test_little_is_on_its_way_once_a_device_has_mixed_or_was_scored() -> None:
    told = JournaledLearner(Telling(), Journal(iter(()), 0))
    rests: list[int] = []
    told.at_rest = lambda: rests.append(told.journal.lines)
    submitted(told.learner, 0).result()
    told.learner.mix(0, {}, {}, Turn(1), {}).result()
    told.learner.evaluate([0])
    assert rests == [4, 5]


def test_only_what_has_changed_of_the_densities_is_told() -> None:
    told = JournaledLearner(Telling(), Journal(iter(()), 0))
    for devices in ([0, 1], [1, 2]):
        told.learner.describe(devices)
    changed = f"[[801,802],[null,[0.1,{2 / 3}]],null,null]"
    assert told.journal.fresh[1] == f'[[0.0,"describe",[1,2]],{changed}]\n'


def test_every_call_takes_the_time_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by hand: what lies between two readings is a second."""
    ticks = iter(range(1000))
    monkeypatch.setattr(journaled_learner, "perf_counter", lambda: next(ticks))
    for journal in (None, Journal(iter(()), 0)):
        timed = JournaledLearner(Telling(), journal)
        job = submitted(timed.learner, 0)
        job.result()
        timed.learner.evaluate([0])
        assert timed.wall_s == 3.0
        submitted(timed.learner, 1).discard()
        assert timed.wall_s == 5.0


def test_a_broken_answer_takes_its_time_and_is_not_written_down() -> None:
    class Broken(Telling):
        def lose(self, device: int) -> None:
            raise RuntimeError("it broke")

    told = JournaledLearner(Broken(), Journal(iter(()), 0))
    with pytest.raises(RuntimeError, match="it broke"):
        told.learner.lose(0)
    assert told.wall_s > 0.0
    assert told.journal.fresh == []


def test_what_is_no_verb_is_not_passed_on() -> None:
    told: Any = JournaledLearner(Telling())
    assert told.warnings == ()
    assert told.base is None
    with pytest.raises(AttributeError, match="'asked' is no verb of a learner"):
        _ = told.asked
