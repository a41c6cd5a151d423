"""SIGKILL at random moments: a run is killed, resumed, killed again, and ends as it should.

    python tests/crash/kill.py --times 100 --seed 1 [--model DIRECTORY]

Runs of several methods and schedules on a tiny model, a checkpoint wherever one can be, are played
in processes of their own. Each process is killed after a time drawn from the length of a whole
run, in the set-up, between two events, while a checkpoint is written or while it is replayed, and
another goes on. The exit code is 1 where a run ends otherwise than its undisturbed twin, in its
hash or in any byte of its adapters.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch

from cosim.lifecycle.play import play, resume
from cosim.lifecycle.provenance import code
from cosim.scenario.load import load
from cosim.trace.manifest import MANIFEST_FILE, read_manifest

SCENARIO = """\
seed: 3
rounds: 4
method: {{name: {method}, schedule: {schedule}}}
base_model: {{source: "path:{model}", dtype: bfloat16}}
adapter: {{rank: 2, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 2, batch_size: 2}}
evaluation: {{samples: 3}}
area: {{shape: disc, radius_m: 300}}
devices:
  - {{count: 2, profile: flagship_phone}}
  - {{count: 2, profile: midrange_phone, availability: {{model: exponential, mean_on_s: 9, mean_off_s: 1}}}}
radio: {{bandwidth_hz: 3.0e4, late: stale, p_max_dbm: 10}}
trace: {{diagnostics: true}}
"""  # noqa: E501
RUNS = [
    ("proposed", "synchronous"),
    ("lora", "asynchronous"),
    ("hard_moe", "cluster"),
    ("lori", "asynchronous"),
    ("centralised", "synchronous"),
]


def tiny_model(folder: Path) -> None:
    """A seeded Llama of two blocks with a tokenizer of bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(7)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", model_max_length=10**6
    )
    wrapped.save_pretrained(folder)


def outcome(run: Path) -> dict[str, Any]:
    """What is left of a run that does not depend on the host's clock."""
    left = {path.name: path.read_bytes() for path in sorted((run / "adapters").iterdir())}
    manifest = read_manifest(run)
    return {**left, "status": manifest["status"], "sha256": manifest["results_sha256"]}


def forked(work: Callable[[], Any]) -> int:
    """A child that does the work and no more; what has been imported need not be again.

    This process computes nothing itself: torch's threads would not survive the fork.
    """
    child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)
            work()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return child


def killed_after(child: int, wait_s: float) -> bool:
    """Whether the child was still at work then; raises where it failed by itself."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, "the run failed by itself"
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def tortured(scenario: Path, run: Path, longest_s: float, kills: int, random: Random) -> list[str]:
    """Plays a run through so many kills; where it was each time."""
    where: list[str] = []

    def work() -> None:
        if (run / MANIFEST_FILE).exists():
            resume(run, spacing=0)
        else:
            shutil.rmtree(run, ignore_errors=True)
            play(load(scenario), out=run, spacing=0)

    while len(where) < kills:
        killed = killed_after(forked(work), random.uniform(0.0, longest_s))
        if not killed or ended(run):
            return [*where, "ended"]
        there = [int(path.stem) for path in (run / "checkpoint").glob("0*.json")]
        where.append(str(max(there, default="set-up")))
    killed_after(forked(work), 600.0)
    return where


def ended(run: Path) -> bool:
    """Whether the kill came when all was done."""
    there = (run / MANIFEST_FILE).exists()
    return there and read_manifest(run)["status"] == "completed"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=25, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="default: a tiny one, made here")
    parser.add_argument("--every", type=int, default=5, help="kills of one run")
    asked = parser.parse_args()
    code()  # that of all children, whoever edits a file meanwhile
    random = Random(asked.seed)
    killed = wrong = number = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = asked.model or folder / "model"
        if asked.model is None:
            killed_after(forked(lambda: tiny_model(model)), 600.0)
        twins: dict[int, tuple[dict[str, Any], float]] = {}
        while killed < asked.times:
            kind = number % len(RUNS)
            method, schedule = RUNS[kind]
            scenario = folder / f"{method}-{schedule}.yaml"
            if kind not in twins:
                text = SCENARIO.format(method=method, schedule=schedule, model=model)
                scenario.write_text(text, encoding="utf-8")
                begun = time.monotonic()
                twin = folder / f"twin-{kind}"
                killed_after(forked(lambda: play(load(scenario), out=twin, spacing=0)), 600.0)  # noqa: B023
                twins[kind] = outcome(twin), time.monotonic() - begun
            expected, longest_s = twins[kind]
            run = folder / f"run-{number}"
            kills = min(asked.every, asked.times - killed)
            where = tortured(scenario, run, longest_s, kills, random)
            same = outcome(run) == expected
            killed += sum(at != "ended" for at in where)
            wrong += not same
            verdict = "the same" if same else "ANOTHER END"
            print(f"{method} {schedule}: killed at {', '.join(where)}: {verdict}", flush=True)
            shutil.rmtree(run)
            number += 1
    print(f"{killed} kills in {number} runs, {wrong} ended otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
