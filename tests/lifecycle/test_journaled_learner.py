"""The one way to the learner: every verb has a form, what is heard is the same both times."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from cosim.errors import ResumeError
from cosim.learning.learner import Learner as ModelLearner
from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement, Score
from cosim.learning.workload import Workload
from cosim.lifecycle import journaled_learner
from cosim.lifecycle.answers import JOB_VERBS, VERBS
from cosim.lifecycle.journal import Handle, Journal
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.simulation.learner import Job, Learner
from cosim.simulation.null_learner import NullLearner

WORK = Workload(1.5e9, 2, 2, 8, 100)
UNWRITTEN = {"warnings", "base", "pools", "save", "close"}


def verbs_of(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_verb_has_a_form_and_no_form_is_without_a_verb() -> None:
    assert verbs_of(Learner) - UNWRITTEN == set(VERBS)
    assert verbs_of(Job) - {"work"} == set(JOB_VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
@pytest.mark.parametrize("kind", [ModelLearner, NullLearner])
def test_learners_are_asked_as_the_protocol_says(kind: type, verb: str) -> None:
    asked = list(inspect.signature(getattr(Learner, verb)).parameters)
    assert list(inspect.signature(getattr(kind, verb)).parameters) == asked


class Telling(NullLearner):
    """Answers with something of every kind, and keeps what it was asked with."""

    def __init__(self) -> None:
        super().__init__(800, WORK, 0.5)
        self.asked: list[Any] = []

    def submit(self, device: int, round_: int) -> Any:
        return TellingJob(self, device)

    def calibrate(self, device: int) -> Any:
        return None if device else TellingJob(self, device)

    def payload_bits(self, update: Any, receiver: int) -> int:
        self.asked.append(("payload_bits", update))
        return 16

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload | None:
        return WORK if inbox else None

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        self.asked.append(("aggregate", dict(inbox), dict(ages)))

    def bank(self, sender: int) -> Any:
        return {sender: "an expert"}

    def absorb(self, device: int, bank: Any) -> None:
        self.asked.append(("absorb", bank))

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        score = Score("accuracy", float(np.float32(0.1)), 10, headline=True)
        return [Measurement(device, "sums", score) for device in devices]

    def layers(self, device: int) -> list[LayerState]:
        return [LayerState(0, "q_proj", 0.1, 100, 10)]

    def densities(self, devices: Sequence[int]) -> Any:
        return np.array([[0.1, device / 3] for device in devices]), np.array([10, 20])

    def collision(self, devices: Sequence[int]) -> float | None:
        return np.float64(1 / 3)

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Any]]
    ) -> list[Diagnostic]:
        self.asked.append(("diagnose", {device: list(held) for device, held in sets.items()}))
        return [Diagnostic("gap", 0.5, device) for device in devices]


class TellingJob:
    def __init__(self, learner: Telling, device: int) -> None:
        self.work, self._learner, self._device = WORK, learner, device

    def result(self) -> FineTuned:
        self._learner.asked.append(("result", self._device))
        quarantined = self._device == 2
        return FineTuned(0.25, None if quarantined else f"of {self._device}", quarantined)

    def discard(self) -> None:
        self._learner.asked.append(("discard", self._device))


def conversation(learner: Learner) -> list[Any]:
    """One question of every kind; what was heard, updates and experts by their type."""
    heard: list[Any] = []
    jobs = [learner.submit(device, 1) for device in range(4)]
    heard += [job.work for job in jobs]
    jobs.pop().discard()
    tuned = [job.result() for job in jobs]
    heard += [(one.loss, type(one.update), one.quarantined) for one in tuned]
    updates = [one.update for one in tuned[:2]]
    first = learner.calibrate(0)
    assert first is not None
    heard += [first.work, first.result().loss, learner.calibrate(1)]
    heard += [learner.payload_bits(update, 3) for update in updates]
    learner.hear(3, updates[0])
    learner.lose(2)
    learner.limit(1, 1e6)
    heard += [learner.mixing_work(3, {}), learner.mixing_work(3, dict(enumerate(updates)))]
    learner.aggregate(3, {0: updates[0], 1: updates[1]}, {0: 0, 1: 2})
    bank = learner.bank(1)
    learner.absorb(3, bank)
    heard += [learner.evaluate([0, 1]), learner.layers(0), learner.first_bits([0, 1])]
    for devices in ([0, 1], [1, 2], [0, 1]):
        rows, sizes = learner.densities(devices)
        heard.append([rows.tolist(), rows.dtype, sizes.tolist(), sizes.dtype])
    heard += [learner.collision([0, 1]), learner.diagnose([0, 1], {0: updates, 1: updates[:1]})]
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
    assert heard[4][1] is Handle
    assert ("absorb", {1: "an expert"}) in first.asked
    assert ("aggregate", {0: "of 0", 1: "of 1"}, {0: 0, 1: 2}) in first.asked
    assert ("diagnose", {0: ["of 0", "of 1"], 1: ["of 0"]}) in first.asked
    with pytest.raises(ResumeError, match=r'now it asks its learner \[0\.0,"submit",7,1\]'):
        JournaledLearner(second, Journal(iter(told.journal.fresh), 9)).learner.submit(7, 1)


def test_without_checkpoints_nothing_is_kept_and_the_answers_are_the_learners_own() -> None:
    first, second = Telling(), Telling()
    told = JournaledLearner(first, Journal(iter(()), 0))
    unkept = JournaledLearner(second)
    heard, own = conversation(told.learner), conversation(unkept.learner)
    assert first.asked == second.asked
    handles = {(0.25, Handle, False): (0.25, str, False)}
    assert [handles.get(one, one) if isinstance(one, tuple) else one for one in heard] == own
    assert unkept.journal.fresh == []
    assert unkept.learner.submit(0, 2).result().update == "of 0"
    assert unkept.underway.jobs == {}
    assert len(unkept.underway.handles) == 0


def test_only_what_has_changed_of_the_densities_is_told() -> None:
    told = JournaledLearner(Telling(), Journal(iter(()), 0))
    for devices in ([0, 1], [1, 2]):
        told.learner.densities(devices)
    assert told.journal.fresh[1] == f'[[0.0,"densities",[1,2]],[[null,[0.1,{2 / 3}]],null]]\n'


def test_every_call_takes_the_time_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by hand: what lies between two readings is a second."""
    ticks = iter(range(1000))
    monkeypatch.setattr(journaled_learner, "perf_counter", lambda: next(ticks))
    for journal in (None, Journal(iter(()), 0)):
        timed = JournaledLearner(Telling(), journal)
        job = timed.learner.submit(0, 1)
        job.result()
        timed.learner.evaluate([0])
        assert timed.wall_s == 3.0
        timed.learner.submit(1, 1).discard()
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
