"""What the simulation asks of a learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cosim.learning.records import Description, Evaluation, FineTuned, Outgoing
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.methods.workload import Workload

if TYPE_CHECKING:
    from cosim.learning.base.base_model import BaseModel
    from cosim.learning.data.pool import TaskPool

T_co = TypeVar("T_co", covariant=True)


class Job(Protocol[T_co]):
    """A job is something that a device computes: its work is known at once, its result when it is
    asked for."""

    work: Workload

    def cut(self, flop: int) -> None:
        """Has a fine-tuning that has just been submitted do no more FLOP than these."""

    def result(self) -> T_co:
        """Makes the result the device's state and returns it."""

    def discard(self) -> None:
        """Forgets the job without a trace."""


class Learner(Protocol):
    """A learner does the learning of all devices, without time.

    `base`, `pools`: the model and the tasks' rows that it learns from; None and none where nothing
    is learnt.
    """

    @property
    def base(self) -> BaseModel | None:
        """The frozen base model."""

    @property
    def pools(self) -> Mapping[str, TaskPool]:
        """The rows of every task."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences on what a user should look twice at, such as rows that are not used."""

    def inform(self, device: int, bits: float, rate: float | None) -> None:
        """Tells a device how many bits each of its links carries by Γ, more than which it need not
        train, and their rate, of which the mean over all devices is 1; None: no links carry
        anything."""

    def submit(self, device: int, round_: int) -> Job[FineTuned] | None:
        """Queues a device's local fine-tuning, which calibrates first where it has not been.

        Round 0 is the calibration alone; None where nothing is to be computed.
        """

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """What a device says now, and what it weighs for each receiver, with what that must be
        told once; None where it keeps silent, which in a turn of answers it does not."""

    def experts(self, device: int, receivers: Sequence[int], offered: Any = None) -> Outgoing:
        """The experts that a device holds, and the bits of those that each receiver lacks.

        offered: what this returned before as content; the same experts are then offered again.
        """

    def hear(self, device: int, content: Any) -> None:
        """A message or experts have arrived at a device, in time or late but whole: what is told
        once it now knows, and experts it stores beside its own."""

    def lose(self, device: int) -> None:
        """A device was cut off: what has arrived since it last mixed is lost, and what it was told
        with that as well."""

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Job[None]:
        """The mixing of what arrived into the device's state.

        ages: how often the device has mixed since each message was sent. graph: the neighbours of
        the device and of those whom it hears, or of all, where the method's weights ask for them.
        flights: of the messages whose packets were sent once, or that the air added up, by sender.
        """

    def evaluate(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[int]] | None = None
    ) -> Evaluation:
        """Scores of the devices on every task; with sets the diagnostics too.

        sets: the devices whose messages each device may have averaged in this round, its own
        included.
        """

    def describe(self, devices: Sequence[int], together: bool = False) -> Description:
        """What devices are going to send; together: how much their masks collide, too."""


class OwnedLearner(Learner, Protocol):
    """An owned learner is a learner in the hands of whoever made it, and ends it."""

    def save(self, folder: Path) -> None:
        """Writes what the devices have learnt into a new folder, if they have."""

    def close(self) -> None:
        """Ends what outlives the last event, such as workers."""
