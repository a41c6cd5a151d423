"""The one way from the simulation to its learner: every call is written down, and timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from cosim.errors import CosimError
from cosim.host.phases import Phases
from cosim.lifecycle.answers import JOB_VERBS, VERBS, Call, Underway
from cosim.lifecycle.journal import Handle, Journal, NoJournal
from cosim.methods.outside import blamed
from cosim.methods.workload import Workload
from cosim.simulation.learner import Learner

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.learning.learner import ModelLearner

# What is no question to the learner.
_UNWRITTEN = ("warnings", "base", "pools")
_FORMS = VERBS | JOB_VERBS


class JournaledLearner:
    """A journaled learner's answers are written down, or come from what was written down.

    What the simulation hears has gone through the journal, so that it is the same both times;
    updates and experts reach it as handles. Where the journal keeps nothing, answers are the inner
    learner's own. `simulated_s` and `at_rest` are to be set before the first call: every call is
    told with its simulated time, and `at_rest` is called when a device has mixed or was scored,
    which is when little is on its way. `wall_s` is the time that the inner learner took, on the
    host's clock: for the manifest and for nothing else. `phases`: the stopwatch that tells what it
    took it for; none where nothing is learnt, and a call takes less time than to look at a clock.
    """

    def __init__(
        self, inner: Learner, journal: Journal | None = None, phases: Phases | None = None
    ) -> None:
        self.inner, self.journal = inner, journal or NoJournal()
        self.simulated_s: Callable[[], float] = lambda: 0.0
        self.at_rest: Callable[[], None] = lambda: None
        self.wall_s, self._phases = 0.0, phases
        self.underway = Underway()
        self._calls = 0

    @property
    def learner(self) -> Learner:
        """This learner as the simulation knows it: `VERBS` has all verbs of the protocol."""
        return cast("Learner", self)

    @property
    def contents(self) -> dict[int, Any]:
        """What is on its way, by the numbers of its handles.

        A handle that the simulation has let go may lie about, empty, until Python collects it.
        """
        contents = {number: handle.content for number, handle in self.underway.handles.items()}
        return {number: content for number, content in contents.items() if content is not None}

    def take(self) -> tuple[Any, dict[str, Tensor]]:
        """The inner learner's state, with the jobs that are open and what is on its way."""
        from cosim.learning.learner_state import take

        return take(self._of_a_model(), self.underway.jobs, self.contents)

    def put_back(self, state: Any, tensors: Mapping[str, Tensor]) -> None:
        """Makes the inner learner, which is a fresh one, what it was when this was taken."""
        from cosim.learning.learner_state import put_back

        jobs, contents = put_back(self._of_a_model(), state, tensors)
        self.underway = Underway(jobs, contents)

    def _of_a_model(self) -> ModelLearner:
        from cosim.learning.learner import ModelLearner

        assert isinstance(self.inner, ModelLearner), "nothing is stored where nothing is learnt"
        return self.inner

    def __getattr__(self, name: str) -> Any:
        if name in VERBS:
            return partial(self._answer, name)
        if name in _UNWRITTEN:
            return getattr(self.inner, name)
        raise AttributeError(f"'{name}' is no verb of a learner: see VERBS")

    def _answer(self, verb: str, *arguments: Any, **keywords: Any) -> Any:
        self._calls += 1
        arguments = (*arguments, *keywords.values())
        form = _FORMS[verb]
        reply = self._written(verb, arguments) if self.journal.keeps else self._ask(verb, arguments)
        if form.job and reply is not None:
            return _JournaledJob(reply, self._calls, self)
        if form.rests(reply) and self.journal.replayed:
            self.at_rest()
        return reply

    def _written(self, verb: str, arguments: Sequence[Any]) -> Any:
        form, call = _FORMS[verb], Call(self._calls, arguments)

        def ask() -> Any:
            answer = self._ask(verb, [_opened(argument) for argument in arguments])
            return form.encode(self.underway, call, answer)

        record = self.journal.answer([self.simulated_s(), verb, *arguments], ask)
        return form.decode(self.underway, call, record)

    def _ask(self, verb: str, arguments: Sequence[Any]) -> Any:
        target: Any = self.inner
        phase = _FORMS[verb].phase
        if verb in JOB_VERBS:
            number, *arguments = arguments
            target = self.underway.jobs[number]
            if _FORMS[verb].ends:
                del self.underway.jobs[number]
            phase = getattr(target, "phase", phase)
        start = perf_counter()
        try:
            with nullcontext() if self._phases is None else self._phases.during(phase):
                answer = getattr(target, verb)(*arguments)
        except Exception as error:
            if not isinstance(error, CosimError) and (fault := blamed(error)) is not None:
                raise fault from error
            raise
        finally:
            self.wall_s += perf_counter() - start
        if _FORMS[verb].job and answer is not None:
            self.underway.jobs[self._calls] = answer
            return answer.work
        return answer


class _JournaledJob:
    def __init__(self, work: Workload, number: int, learner: JournaledLearner) -> None:
        self.work = work
        self._number, self._learner = number, learner

    def cut(self, flop: int) -> None:
        self._learner._answer("cut", self._number, flop)

    def result(self) -> Any:
        return self._learner._answer("result", self._number)

    def discard(self) -> None:
        self._learner._answer("discard", self._number)


def _opened(argument: Any) -> Any:
    """What a handle stands for, or those of several devices."""
    if isinstance(argument, Handle):
        return argument.content
    if isinstance(argument, Mapping):
        return {device: _opened(value) for device, value in argument.items()}
    return argument
