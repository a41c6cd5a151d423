"""Checks that a play can be repeated: begun again, or gone on with after a kill at any call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from cosim.contract.content import digest
from cosim.contract.script import ROUNDS, play
from cosim.contract.subject import MethodUnderTest
from cosim.contract.verdict import Broken
from cosim.lifecycle.journal import Journal
from cosim.lifecycle.journaled_learner import JournaledLearner

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.learning.learner import ModelLearner


@dataclass(frozen=True)
class StoredLearner:
    """A stored learner is one as a checkpoint holds it.

    calls: the journal's lines up to it.
    state: in JSON.
    tensors: that the state names, copied.
    """

    calls: tuple[str, ...]
    state: str
    tensors: Mapping[str, Tensor]


@dataclass
class PlayedScript:
    """A played script has been gone through from its start, or from a stored state, to its end.

    learner: a fresh one.
    begins: what it is made to be; None at the start.
    stored: the states after each call but the last, of a play from its start.
    calls: the journal's lines, those before the stored state among them.
    end_state: what the learner is at the end, by place, as digests.
    """

    learner: ModelLearner
    begins: StoredLearner | None = None
    stored: list[StoredLearner] = field(default_factory=list)
    calls: tuple[str, ...] = ()
    end_state: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from cosim.learning.learner_state import STORED

        calls = () if self.begins is None else self.begins.calls
        journaled = JournaledLearner(self.learner, Journal(iter(calls), len(calls)))
        if self.begins is not None:
            journaled.put_back(json.loads(self.begins.state), self.begins.tensors)

        def before_a_call() -> float:
            """A journal asks for the time once a call, which is when the call before has ended."""
            if self.begins is None and journaled.journal.lines:
                self.stored.append(_store(journaled, calls))
            return 0.0

        journaled.simulated_s = before_a_call
        play(journaled.learner, self.learner.method)
        journaled.journal.refuse_early_end()
        self.calls = (*calls, *journaled.journal.fresh)
        self.end_state = {name: digest(attrgetter(name)(self.learner)) for name in STORED}


def _store(journaled: JournaledLearner, calls: tuple[str, ...]) -> StoredLearner:
    state, tensors = journaled.take()
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    return StoredLearner((*calls, *journaled.journal.fresh), json.dumps(state), copies)


def agrees(subject: MethodUnderTest) -> str:
    """Two plays of one script agree in every answer and every bit, whatever was drawn between."""
    first = PlayedScript(subject.learner(anew=True, steps=1))
    second = PlayedScript(subject.learner(anew=True, steps=1))
    if (gap := _gap(first, second)) is not None:
        raise Broken(
            f"two plays of one method disagree in {gap}: a part may draw only from the stream "
            "that it is handed (`at.draw`)"
        )
    return f"two plays of {len(first.calls)} calls in {ROUNDS} rounds agree to the bit"


def resumes(subject: MethodUnderTest) -> str:
    """Killed after any call and gone on with in another process, a play ends the same."""
    reference = PlayedScript(subject.learner(anew=True, steps=1))
    for snapshot in reference.stored:
        resumed = PlayedScript(subject.learner(anew=True, steps=1), snapshot)
        if (gap := _gap(reference, resumed)) is not None:
            call = _said(snapshot.calls[-1])
            raise Broken(
                f"killed after call {len(snapshot.calls)} ({call}) and resumed, a play differs in "
                f"{gap}: what a part remembers belongs into the device's state (`own.remember`), "
                "not onto an object, a class or a module"
            )
    return f"killed after any of {len(reference.stored)} calls and resumed, a play ends the same"


def _gap(first: PlayedScript, second: PlayedScript) -> str | None:
    """The first thing in which two plays differ; None where they are the same to the bit."""
    for call, repeat in zip(first.calls, second.calls, strict=False):
        if call != repeat:
            return f"the answer of {_said(call)}"
    if len(first.calls) != len(second.calls):
        return "the number of calls"
    for name, content in first.end_state.items():
        if second.end_state[name] != content:
            return f"what is left at the end ({name})"
    return None


def _said(line: str) -> str:
    """A call of the journal in words: `mix 0`."""
    call: Any = json.loads(line)[0]
    numbers = [str(word) for word in call[2:3] if isinstance(word, int)]
    return " ".join([str(call[1]), *numbers])
