"""The scenario: everything that a run depends on, validated and frozen."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cosim.scenario.devices import Area, DeviceGroup
from cosim.scenario.learning import (
    AdapterChoice,
    BaseModelChoice,
    EvaluationChoice,
    LanguageModel,
    NoLearning,
    TaskChoice,
    Training,
)
from cosim.scenario.method import Method
from cosim.scenario.outside.observers import ObserverName
from cosim.scenario.radio import LogDistance, Radio
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean


def _learning_by_name(value: Any) -> Any:
    if isinstance(value, str):
        return {"model": value}
    if isinstance(value, dict) and "model" not in value:
        return {"model": "language_model", **value}
    return value


Learning = Annotated[
    Annotated[LanguageModel | NoLearning, Field(discriminator="model")],
    BeforeValidator(
        _learning_by_name,
        json_schema_input_type=Literal["none", "language_model"] | LanguageModel | NoLearning,
    ),
]


MAX_DEVICES = 1_000_000
# Paths that say who computes, which no trace depends on.
WHO_COMPUTES = ("learning.executor", "learning.workers", "method.origin.path")


# Answers that are written by themselves: some 3 MB.
ANSWERS_AT_MOST = 250_000


class TraceChoice(Section):
    """The trace section says what is sampled besides the events."""

    positions_every_s: float = Field(1.0, ge=1e-6, le=1e6, description="between two samples")
    adapters: bool = Field(True, description="keep what the devices have learnt, to be exported")
    checkpoints: bool = Field(
        True, description="store the learning now and then, so that `cosim resume` can go on"
    )
    diagnostics: bool = Field(
        False,
        description="orthogonality, Theorem 1's two sides, agreement, mixing and expert shares at "
        "every evaluation, of 16 devices at most; costs the host about one more fine-tuning of "
        "every device each time, and no simulated time",
    )
    answers: bool | Literal["auto"] = Field(
        "auto",
        description="write every answer to every held-out question; auto: where they are 250,000 "
        "at most",
    )
    observers: tuple[ObserverName, ...] = Field(
        (),
        description="who looks on at the run: tensorboard, wandb, mlflow, or names that installed "
        "packages declare",
    )


class Scenario(Section):
    """A scenario is read from YAML, and every default is filled in."""

    name: str = Field(
        "scenario",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$",
        description="of the run directory: 80 letters, digits, blanks, '.', '_' and '-' at most; "
        "default: the file's name",
    )
    seed: int = Field(1, ge=0, le=2**63 - 1, description="of all random streams")
    rounds: int = Field(ge=1, le=1_000_000, description="rounds T of every device")
    learning: Learning = Field(
        LanguageModel(), description="whether a language model is fine-tuned, or the network alone"
    )
    method: Method = Field(
        description="what devices train, send and mix: a method's name, or a mapping of its name "
        "and the parts that differ, whose null is the method's own, and whose settings without a "
        "word are those of its own part"
    )
    base_model: BaseModelChoice = BaseModelChoice()
    adapter: AdapterChoice = AdapterChoice()
    tasks: dict[str, TaskChoice] = Field(default_factory=dict, description="the downstream tasks")
    training: Training = Training()
    area: Area = Area(radius_m=100.0)
    devices: tuple[DeviceGroup, ...] = Field(min_length=1, description="groups of devices")
    radio: Radio = Radio()
    evaluation: EvaluationChoice = EvaluationChoice()
    trace: TraceChoice = TraceChoice()

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if self.device_count > MAX_DEVICES:
            raise ValueError(
                f"devices: {self.device_count} devices in all; expected at most {MAX_DEVICES}"
            )
        return self

    @model_validator(mode="after")
    def _tasks_exist(self) -> Self:
        if self.learning.model == "none":
            return self
        if not self.tasks:
            raise ValueError("tasks: a scenario that learns needs at least one task")
        for number, group in enumerate(self.devices):
            if group.tasks != "round_robin" and group.tasks not in self.tasks:
                hint = did_you_mean(group.tasks, self.tasks)
                raise ValueError(
                    f"devices.{number}.tasks: '{group.tasks}' is neither 'round_robin' nor one of "
                    f"the tasks {', '.join(self.tasks)}{hint}"
                )
        return self

    @model_validator(mode="after")
    def _steps_are_as_the_method_counts_on(self) -> Self:
        plain = self.learning.model == "none" or self.training.optimizer == "sgd"
        for part in () if plain else self.method.parts():
            if part.needs_sgd:
                raise ValueError(
                    f"training.optimizer: method.{part.slot} '{getattr(part, part.key)}' counts on "
                    f"steps along the gradient, which {self.training.optimizer}'s are not: use sgd"
                )
        return self

    @model_validator(mode="after")
    def _ranks_are_for_the_method(self) -> Self:
        most, method = self.adapter.rank, self.method
        for number, group in enumerate(self.devices):
            rank = most if group.rank is None else group.rank
            if rank > most:
                raise ValueError(
                    f"devices.{number}.rank: {rank} is above adapter.rank, {most}, which is the "
                    f"largest of all devices; expected at most {most}"
                )
            if rank == most or self.learning.model == "none":
                continue
            for part in method.parts():
                if (reason := part.refuses_ranks()) is not None:
                    raise ValueError(
                        f"devices.{number}.rank: {rank} is below adapter.rank, {most}, and {reason}"
                    )
        return self

    @model_validator(mode="after")
    def _packets_may_be_lost(self) -> Self:
        """Where nothing is learnt there is nothing in a packet."""
        aggregation = self.method.aggregation
        if self.radio.packets.model != "one_shot" or self.learning.model == "none":
            return self
        if aggregation.exchanges and not aggregation.reads_erased:
            raise ValueError(
                "radio.packets: 'one_shot' loses values of an update for good, and aggregation "
                f"'{aggregation.word()}' of method '{self.method.name}' mixes whole ones, among "
                "them positions, seeds and what else is told once: use packets 'blocks', or "
                "aggregation 'erased_mean'"
            )
        codec = self.method.codec
        if aggregation.exchanges and not codec.by_value:
            raise ValueError(
                f"radio.packets: 'one_shot' loses packets for good, and codec '{codec.word()}' of "
                f"method '{self.method.name}' puts numbers into them by which many are read: "
                "use codec 'floating', or packets 'blocks'"
            )
        if aggregation.asks_delivery and not self.radio.delivery_known:
            raise ValueError(
                f"method.aggregation: '{aggregation}' divides by the probability with which a "
                "packet arrives, which a receiver knows where radio.packets.erasure states it, "
                "where radio.fading is 'none', or where it is 'block' or 'clarke' and radio.power "
                "is lemma1 with channel_knowledge: mean"
            )
        return self

    @model_validator(mode="after")
    def _signals_add_up(self) -> Self:
        if self.radio.access.model == "air" and self.method.aggregation.exchanges:
            refusal = self._not_superposed()
            if refusal is not None:
                raise ValueError(f"radio.access: 'air' {refusal}")
        return self

    def _not_superposed(self) -> str | None:
        """Why the air cannot add up what the method's devices send."""
        method = self.method
        if not method.aggregation.superposes:
            return (
                "brings the sum of what neighbours send, and aggregation "
                f"'{method.aggregation.word()}' of method '{method.name}' needs each by itself: "
                "use aggregation 'superposed_mean'"
            )
        if not method.schedule.waits:
            return (
                "has neighbours send at once, and with schedule "
                f"'{method.schedule.word()}' nobody waits for anybody: use 'synchronous'"
            )
        if len(method.schedule.played(1)) > 1:
            return "has one turn a receiver and round: use schedule 'synchronous' with mixings: 1"
        if not method.sending.every_turn:
            return (
                "has all neighbours send in a receiver's turn, and with sending "
                f"'{method.sending}' they may not: use 'every_turn'"
            )
        if method.topology.limited or method.topology.negotiated:
            return (
                f"knows no links of their own, by which topology '{method.topology}' chooses "
                "pairs: use another, or limit_by_links: false"
            )
        if not method.codec.by_value:
            return (
                f"adds up real values, and codec '{method.codec.word()}' makes bits of them that "
                "do not add up: use 'floating'"
            )
        if self.adapter.bits_per_value != 32:
            return (
                "sends real values, which are not rounded: use adapter.bits_per_value: 32, by "
                "which they are counted and stored"
            )
        return None

    @model_validator(mode="after")
    def _reference_distance_lies_in_the_area(self) -> Self:
        path_loss = self.radio.path_loss
        reference_m = path_loss.reference_m if isinstance(path_loss, LogDistance) else 0.0
        if reference_m > self.area.diameter_m:
            raise ValueError(
                f"radio.path_loss.reference_m: {reference_m:g} m is beyond the area, which is "
                f"{self.area.diameter_m:g} m across"
            )
        return self

    @property
    def device_count(self) -> int:
        """Devices in all groups together."""
        return sum(group.count for group in self.devices)

    @property
    def ranks(self) -> tuple[int, ...]:
        """r_i of every device, by id: its group's, or the adapter's."""
        return tuple(
            self.adapter.rank if group.rank is None else group.rank
            for group in self.devices
            for _ in range(group.count)
        )

    @property
    def answers_at_most(self) -> int:
        """Answers of all devices to all held-out questions, as many as are asked for."""
        if self.learning.model == "none":
            return 0
        evaluations = 1 + -(-self.rounds // self.evaluation.every)
        return evaluations * self.device_count * len(self.tasks) * self.evaluation.samples

    @property
    def keeps_answers(self) -> bool:
        """Whether answers are written down."""
        if self.trace.answers == "auto":
            return self.answers_at_most <= ANSWERS_AT_MOST
        return self.trace.answers
