"""The devices of a finished run over their base model: asked for answers, and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cosim.errors import AskError
from cosim.learning.base.base_model import BaseModel
from cosim.learning.base.geometry import positions
from cosim.learning.base.loading import begin_loading
from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.data.encoding import encode_prompts
from cosim.learning.data.pool import TaskPool
from cosim.learning.evaluation.decoding import Decoder
from cosim.learning.execution.executor import InProcess
from cosim.learning.federation.scoring import Scoring, gate_weights
from cosim.learning.records import Measurement
from cosim.learning.storing.adapter_store import read_adapters
from cosim.learning.storing.stored_fleet import StoredFleet
from cosim.learning.threads import one_thread_aside
from cosim.learning.training.trainable import trainable
from cosim.methods.expert import Expert
from cosim.scenario.model import Scenario


@dataclass(frozen=True)
class Asked:
    """An expert was asked for a share of an answer.

    owner: the device that trained it; None: all devices of a task.
    task: which it was trained on.
    share: of the answer, from 0 to 1.
    """

    owner: int | None
    task: str
    share: float


@dataclass(frozen=True)
class Answer:
    """An answer is what a device wrote after a prompt; printed, it is its text.

    text: without the blanks around it.
    tokens: without the end-of-text token.
    ended: whether that token came; else the answer was cut.
    asked: the experts that answered, the largest share first; nobody where the base model alone
        did.
    """

    text: str
    tokens: tuple[int, ...]
    ended: bool
    asked: tuple[Asked, ...]

    def __str__(self) -> str:
        return self.text


class Respondents:
    """Respondents are the devices of a finished run with their adapters, and one base model.

    taken_for: as `StoredFleet`.
    """

    def __init__(
        self, base: BaseModel, scenario: Scenario, folder: Path, taken_for: str | None = None
    ) -> None:
        store = read_adapters(folder)
        parts = trainable(base, scenario.method, scenario.adapter, scenario.training)
        if parts.layout != store.layout:
            raise AskError(
                f"{folder} holds adapters of other modules than base model {base.source} has here."
            )
        self.base, self.evaluator = base, parts.evaluator
        self.fleet = StoredFleet(store, scenario.method, taken_for)
        self.reader = PromptReader(parts.model, *scenario.method.composition.reading)

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        folder: Path,
        dtype: str,
        sha256: str,
        taken_for: str | None = None,
    ) -> Respondents:
        """Loads the base model, in the run's dtype, and opens the adapters in a folder.

        What was computed on a GPU is read by the processor where there is none. sha256: of the
        run's base model. Raises `CosimError` where either is not what it was.
        """
        choice = scenario.base_model
        device = choice.device if torch.cuda.is_available() else "cpu"
        with one_thread_aside() as aside:
            loading = begin_loading(choice.source, dtype, device, lean=True, aside=aside)
            base = loading.base.result()
        if base.sha256 != sha256:
            raise AskError(
                f"{choice.source} has other weights here than in the run; its adapters belong to "
                "those that it had."
            )
        return cls(base, scenario, folder, taken_for)

    def answers(self, device: int | None, prompts: Sequence[str], most: int) -> list[Answer]:
        """What a device (None: the base model alone) writes after each prompt, greedily.

        most: tokens of an answer. Raises AskError for a prompt that the model cannot read.
        """
        tokens = self._encoded(prompts, most)
        distinct = list(dict.fromkeys(tokens))
        expert, weights = None, None
        if device is not None:
            expert = self.fleet.expert(device, self.fleet.taken_for or self.fleet.tasks[device])
        if expert is not None:
            weights = gate_weights(self.fleet, self.reader, expert, distinct)
        decoder = Decoder(self.evaluator, self.base.tokenizer.eos_token_id)
        written = decoder.written(expert, distinct, most, weights)
        answers = {}
        for number, (prompt, completion) in enumerate(zip(distinct, written, strict=True)):
            shares = None if weights is None else weights[number].tolist()
            answers[prompt] = Answer(
                self._text(completion.tokens),
                completion.tokens,
                completion.ended,
                () if expert is None else self._asked(device, expert, shares),
            )
        return [answers[prompt] for prompt in tokens]

    def scores(
        self, devices: Sequence[int], pools: Mapping[str, TaskPool]
    ) -> Sequence[Measurement]:
        """Every device on the questions of every pool, as a run scores them."""
        scoring = Scoring(self.fleet, self.evaluator, self.reader, pools, InProcess())
        return scoring.evaluate(devices).measurements

    def _encoded(self, prompts: Sequence[str], most: int) -> list[tuple[int, ...]]:
        try:
            tokens = encode_prompts(self.base.tokenizer, prompts)
        except ValueError as error:
            raise AskError(f"{error}.") from error
        places = positions(self.base.model)
        longest = max(map(len, tokens))
        if places is not None and longest + most - 1 > places:
            raise AskError(
                f"a prompt of {longest} tokens and an answer of {most} are more than the base "
                f"model's {places} places: ask for {max(places - longest + 1, 0)} at most."
            )
        return tokens

    def _asked(
        self, device: int | None, expert: Expert, shares: Sequence[float] | None
    ) -> tuple[Asked, ...]:
        """Who answered, the largest share first."""
        owners: Sequence[int | None] = expert.owners
        if not owners:  # a device's own adapter, or a task's
            alone = None if self.fleet.method.data.by_task else device
            task = self.fleet.taken_for or self.fleet.tasks[device or 0]
            return (Asked(alone, task if alone is None else self.fleet.tasks[alone], 1.0),)
        each = 1 / len(owners) if expert.share is None else expert.share
        experts = [
            Asked(owner, self.fleet.tasks[owner], share)
            for owner, share in zip(expert.owners, shares or [each] * len(owners), strict=True)
            if share > 0
        ]
        return tuple(sorted(experts, key=lambda expert: -expert.share))

    def _text(self, tokens: Sequence[int]) -> str:
        """As a row has its answer: without the blanks around it."""
        decoder: Any = self.base.tokenizer
        text: str = decoder.decode(list(tokens))
        return text.strip()
